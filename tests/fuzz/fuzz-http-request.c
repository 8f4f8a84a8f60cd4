/* SPDX-License-Identifier: Apache-2.0 */
/* The server's side of the upgrade: a request that is taken can be answered, and the client takes
 * that answer. */
#include "basic/bounds.h"
#include "fuzz.h"
#include "proto/http-head.h"
#include "proto/http-upgrade.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    _cleanup_free_ char *target = NULL, *answer = NULL;
    HttpAnswer response;
    HttpUpgradeRequest request;
    int status = 0;
    ssize_t n = http_head_size((const char *)data, size);

    CHECK(n == -EAGAIN || n == -E2BIG || (n >= 4 && (size_t)n <= MIN(size, HTTP_HEAD_MAX)));
    if (n < 0)
        return 0;
    if (http_upgrade_request_parse((const char *)data, (size_t)n, &request, &status) < 0) {
        CHECK(status == 400 || status == 405 || status == 426);
        return 0;
    }
    target = request.target;
    CHECK(target);
    CHECK(http_upgrade_response(&request, &answer) == 0);
    CHECK(http_upgrade_response_check(answer, strlen(answer), request.key, &response) == 0);
    return 0;
}
