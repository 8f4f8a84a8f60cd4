/* SPDX-License-Identifier: Apache-2.0 */
/* rclone's log, which quotes what a server says: any line has a code, and a text that is UTF-8 and
 * within its bound. */
#include "basic/utf8.h"
#include "dcm-object/evidence.h"
#include "fuzz.h"

static void check(const Evidence *e) {
    const size_t size = strlen(e->text);
    uint32_t c;

    CHECK(e->code >= FAILURE_NONE && e->code < _FAILURE_CODE_MAX);
    CHECK(size < EVIDENCE_TEXT_MAX && (e->code != FAILURE_NONE || size == 0));
    for (size_t i = 0, n; i < size; i += n) {
        n = utf8_decode(e->text + i, size - i, &c);
        CHECK(n > 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    _cleanup_free_ char *text = fuzz_text(data, size);
    Evidence e = {};
    size_t n;

    for (const char *p = text; p <= text + size; p += n + 1) {
        n = strcspn(p, "\n");
        evidence_add_line(&e, p, n);
        check(&e);
    }
    return 0;
}
