/* SPDX-License-Identifier: Apache-2.0 */
/* Files of alerts.conf(5). */
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "alert/rule.h"
#include "fuzz.h"

static void on_problem(const char *file, const char *text, void *userdata) {
    CHECK(*text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    _cleanup_(alert_rules_done) AlertRules rules = {};
    AlertWatchState state = {};
    char path[64], text[32];
    int fd = memfd_create("alerts.conf", MFD_CLOEXEC);

    CHECK(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    CHECK(alert_rules_load(path, "/nonexistent", on_problem, NULL, &rules) == 0);
    for (size_t i = 0; i < rules.n; i++) {
        const AlertRule *r = rules.rules[i];

        CHECK(r->type && r->field && r->rows && r->interval_usec > 0);
        CHECK(r->above ? r->clear <= r->threshold : r->clear >= r->threshold);
        (void)alert_rule_judge(r, r->threshold, 1, &state);
        alert_rule_format(r, r->threshold, text, sizeof(text));
    }
    CHECK(close(fd) == 0);
    return 0;
}
