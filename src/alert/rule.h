/* SPDX-License-Identifier: Apache-2.0 */
/* alerts.conf(5): rules over sampled values; and what becomes of one value of one rule. */
#pragma once

#include "basic/ini-file.h"
#include "health/stat-type.h"

typedef struct AlertRule {
    char *name;
    const StatType *type;
    const StatField *field;
    size_t field_index;
    bool of_rows; /* the field is one of each row */
    char *rows;   /* which of them: fnmatch(3) */
    bool above;   /* else below */
    double threshold, clear;
    uint64_t for_usec, interval_usec;
    uint64_t stall_usec, window_usec; /* a kernel trigger; 0: none */
    int level, number;
    char *message; /* or NULL */
} AlertRule;

typedef struct AlertRules {
    AlertRule **rules;
    size_t n;
} AlertRules;

/* Reads the file, then the drop-ins; a rule that is not whole is told as a problem and left out, as
 * is one of a name that comes again: the later values count. */
int alert_rules_load(const char *file, const char *directory,
                     void (*problem)(const char *file, const char *text, void *userdata),
                     void *userdata, AlertRules *ret);
void alert_rules_done(AlertRules *r);

/* One value, of a row or of the machine. */
typedef struct AlertWatchState {
    bool is_raised;
    uint64_t since_usec; /* it has been beyond the threshold, CLOCK_BOOTTIME; 0: it is not */
} AlertWatchState;

typedef enum AlertChange { ALERT_UNCHANGED, ALERT_RAISED, ALERT_CLEARED } AlertChange;

/* NAN: nothing is known, and nothing changes. */
AlertChange alert_rule_judge(const AlertRule *rule, double value, uint64_t now_usec,
                             AlertWatchState *state);
/* "93.1 %", with the field's unit: for people. */
void alert_rule_format(const AlertRule *rule, double value, char *buf, size_t size);
