/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever begins as a header of the PROXY protocol is taken the same whatever follows it, and
 * nothing shorter is taken. */
#include "fuzz.h"
#include "proto/proxy-header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct sockaddr_storage address, again;
    ssize_t n = proxy_header_parse(data, size, &address);

    CHECK(n == -EAGAIN || n == -EPROTO ||
          (n >= 16 && (size_t)n <= MIN(size, PROXY_HEADER_SIZE_MAX)));
    if (n < 0)
        return 0;
    CHECK(address.ss_family == AF_UNSPEC || address.ss_family == AF_INET ||
          address.ss_family == AF_INET6);
    CHECK(proxy_header_parse(data, (size_t)n, &again) == n);
    CHECK(memcmp(&address, &again, sizeof(address)) == 0);
    CHECK(proxy_header_parse(data, (size_t)n - 1, &again) == -EAGAIN);
    return 0;
}
