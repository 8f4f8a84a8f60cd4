/* SPDX-License-Identifier: Apache-2.0 */
/* The record that a job can write to: what is accepted is what we would have written. */
#include "basic/bounds.h"
#include "basic/exit-record.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    uint64_t max = exit_record_get_output_max((const char *)data, size);
    _cleanup_free_ char *text = NULL;
    ExitRecord r;

    CHECK(max >= JOB_OUTPUT_MIN && max <= JOB_OUTPUT_MAX);
    if (exit_record_parse((const char *)data, size, &r) < 0)
        return 0;
    CHECK(r.output_max == max);
    CHECK(exit_record_render(&r, &text) == 0);
    CHECK(strlen(text) == size && memcmp(text, data, size) == 0);
    return 0;
}
