/* SPDX-License-Identifier: Apache-2.0 */
/* Files of alerts.conf(5): a rule is whole and within its limits, or told as a problem; what it
 * says of any value can go over the wire, and a value that is NAN changes nothing. */
#include <math.h>

#include "alert/change.h"
#include "alert/rule.h"
#include "basic/bounds.h"
#include "fuzz.h"
#include "proto/text.h"

typedef struct Told {
    unsigned n;
} Told;

static void on_problem(const char *file, unsigned line, const char *text, void *userdata) {
    Told *told = userdata;

    CHECK(*file && *text && strlen(text) < ERROR_MESSAGE_MAX);
    told->n++;
}

static bool is_utf8(const char *text) {
    return utf8_is_valid(text, strlen(text));
}

static void check_rule(const AlertRule *r) {
    CHECK(r->type && r->field && r->rows && *r->name && strlen(r->name) <= ALERT_RULE_NAME_MAX);
    CHECK(is_utf8(r->name) && is_utf8(r->rows) && is_utf8(strempty(r->message)));
    CHECK(strlen(strempty(r->message)) <= ALERT_RULE_MESSAGE_MAX);
    CHECK(isfinite(r->threshold) && isfinite(r->clear));
    CHECK(r->above ? r->clear <= r->threshold : r->clear >= r->threshold);
    CHECK(r->interval_usec >= USEC_PER_SEC && r->interval_usec <= 86400 * USEC_PER_SEC);
    CHECK(r->for_usec <= 86400 * USEC_PER_SEC);
    CHECK(r->level >= 0 && r->level <= 15 && r->number >= 0);
    CHECK(r->stall_usec == 0 || (r->stall_usec <= r->window_usec && r->above));
    CHECK(r->window_usec % (2 * USEC_PER_SEC) == 0 && r->window_usec <= 10 * USEC_PER_SEC);
}

static AlertChange judge(const AlertRule *r, double value, uint64_t now, AlertWatchState *state) {
    AlertWatchState before = *state;
    AlertChange change = alert_rule_judge(r, value, now, state);

    CHECK(change != ALERT_RAISED || (!before.is_raised && state->is_raised));
    CHECK(change != ALERT_CLEARED || (before.is_raised && !state->is_raised));
    CHECK(change != ALERT_UNCHANGED || before.is_raised == state->is_raised);
    return change;
}

/* Far beyond the threshold for as long as it takes, then far on the other side. */
static void check_judgement(const AlertRule *r) {
    const double bad = r->above ? INFINITY : -INFINITY;
    AlertWatchState state = {};

    CHECK(judge(r, NAN, 1, &state) == ALERT_UNCHANGED);
    CHECK(judge(r, r->threshold, 1, &state) == ALERT_UNCHANGED);
    CHECK(judge(r, bad, 1, &state) == (r->for_usec > 0 ? ALERT_UNCHANGED : ALERT_RAISED));
    CHECK(judge(r, bad, 1 + r->for_usec, &state) ==
          (r->for_usec > 0 ? ALERT_RAISED : ALERT_UNCHANGED));
    CHECK(judge(r, NAN, 2 + r->for_usec, &state) == ALERT_UNCHANGED);
    CHECK(judge(r, r->clear, 3 + r->for_usec, &state) == ALERT_CLEARED);
}

static void check_texts(const AlertRule *r) {
    const double values[] = {0, -1, r->threshold, r->clear, 1e308, -1e-308, INFINITY, NAN};
    AlertChanges changes = {};
    AlertWatchState state = {};
    char text[32];

    for (size_t i = 0; i < ELEMENTSOF(values); i++) {
        alert_rule_format(r, values[i], text, sizeof(text));
        CHECK(*text && is_utf8(text));
        CHECK(alert_changes_raise(&changes, r, "row", values[i], "", &state, state) == 0);
    }
    CHECK(alert_changes_clear(&changes, r, r->name, "", "is over", &state, state) == 0);
    alert_changes_done(&changes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    _cleanup_(alert_rules_done) AlertRules rules = {};
    char path[FUZZ_PATH_SIZE];
    Told told = {};
    int fd;

    fd = fuzz_file(data, size, path);
    CHECK(alert_rules_load(path, "/nonexistent", on_problem, &told, &rules) == 0);
    CHECK(rules.n <= ALERT_RULES_MAX);
    CHECK(size == 0 || !memchr(data, 0, size) || (told.n == 1 && rules.n == 0));
    for (size_t i = 0; i < rules.n; i++) {
        for (size_t k = 0; k < i; k++)
            CHECK(!streq(rules.rules[i]->name, rules.rules[k]->name));
        check_rule(rules.rules[i]);
        check_judgement(rules.rules[i]);
        check_texts(rules.rules[i]);
    }
    CHECK(close(fd) == 0);
    return 0;
}
