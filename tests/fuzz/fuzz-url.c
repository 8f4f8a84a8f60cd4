/* SPDX-License-Identifier: Apache-2.0 */
/* A URL that is taken makes an HTTP request of exactly our lines. */
#include "fuzz.h"
#include "proto/http-head.h"
#include "proto/http-upgrade.h"

#define REQUEST_LINES 10

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    _cleanup_(url_done) Url u = {};
    _cleanup_free_ char *text = fuzz_text(data, size), *request = NULL;
    const char *error = NULL;
    size_t lines = 0;
    int r;

    r = url_parse(text, &u, &error);
    CHECK(r == 0 || r == -EINVAL);
    CHECK((r == 0) == (error == NULL));
    if (r < 0)
        return 0;
    CHECK(u.host[0] && u.port > 0 && u.target[0] == '/');
    CHECK(http_upgrade_request(&u, "dGhlIHNhbXBsZSBub25jZQ==", "agent", &request) == 0);
    for (const char *p = request; (p = strstr(p, "\r\n")); p += 2)
        lines++;
    CHECK(lines == REQUEST_LINES);
    CHECK(http_head_size(request, strlen(request)) == (ssize_t)strlen(request));
    return 0;
}
