/* SPDX-License-Identifier: Apache-2.0 */
/* What a server answers to the upgrade: a refusal has a text without control characters. */
#include "basic/bounds.h"
#include "fuzz.h"
#include "proto/http-head.h"
#include "proto/http-upgrade.h"

#define KEY "dGhlIHNhbXBsZSBub25jZQ==" /* RFC 6455, section 1.3 */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    HttpAnswer response;
    ssize_t n = http_head_size((const char *)data, size);
    int r;

    CHECK(n == -EAGAIN || n == -E2BIG || (n >= 4 && (size_t)n <= MIN(size, HTTP_HEAD_MAX)));
    if (n < 0)
        return 0;
    r = http_upgrade_response_check((const char *)data, (size_t)n, KEY, &response);
    CHECK(r == 0 || r == -EPROTO);
    CHECK((r == 0) == (response.error[0] == 0));
    for (const char *p = response.error; *p; p++)
        CHECK(*p >= ' ' && *p <= '~');
    return 0;
}
