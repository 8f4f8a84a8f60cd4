/* SPDX-License-Identifier: Apache-2.0 */
/* The request of a collector of metrics, and any text as a label. */
#include "dcm-metrics/question.h"
#include "fuzz.h"
#include "proto/exposition.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const MetricFamily family = {"dcm_fuzz", METRIC_GAUGE, NULL, "x"};
    _cleanup_(exposition_done) Exposition x = {};
    _cleanup_free_ char *text = fuzz_text(data, size);
    bool head_only;
    int status = question_judge((const char *)data, size, &head_only);

    CHECK(status == 200 || status == 400 || status == 404 || status == 405);
    CHECK(status != 405 || !head_only);
    CHECK(exposition_init(&x) == 0);
    exposition_begin(&x, &family);
    exposition_add(&x, (const char *const[]){"label", text, NULL}, 1);
    CHECK(exposition_end(&x) == 0);
    /* TYPE, HELP, the sample, EOF: nothing in a label ends the line */
    for (size_t i = 0, lines = 0; i < x.size; i++) {
        lines += x.text[i] == '\n';
        CHECK(lines < 4 || i + 1 == x.size);
    }
    return 0;
}
