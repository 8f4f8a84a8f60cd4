/* SPDX-License-Identifier: Apache-2.0 */
/* What a local peer sends, and what a job reads as an answer. */
#include "fuzz.h"
#include "proto/varlink.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    _cleanup_free_ char *error = NULL;
    VarlinkCall c;
    int r;

    r = varlink_call_parse((const char *)data, size, &c);
    CHECK(r == 0 || r == -EBADMSG);
    if (r == 0) {
        CHECK(c.method && strchr(c.method, '.'));
        varlink_call_done(&c);
    }
    r = varlink_answer_parse((const char *)data, size, &error);
    CHECK((r == -EREMOTEIO) == (error != NULL));
    return 0;
}
