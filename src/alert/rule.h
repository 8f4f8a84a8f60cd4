/* SPDX-License-Identifier: Apache-2.0 */
/* alerts.conf(5): rules over sampled values, and their evaluation for one value. */
#pragma once

#include "basic/ini-file.h"
#include "health/stat-type.h"

typedef struct AlertRule {
    char *name;
    const StatType *type;
    const StatField *field;
    size_t field_index;
    bool of_rows; /* the field belongs to rows */
    char *rows;   /* pattern of row names: fnmatch(3) */
    bool above;   /* otherwise below */
    double threshold, clear;
    uint64_t for_usec, interval_usec;
    uint64_t stall_usec, window_usec; /* of a kernel trigger; 0: none */
    int level, number;
    char *message; /* may be NULL */
} AlertRule;

typedef struct AlertRules {
    AlertRule **rules;
    size_t n;
} AlertRules;

/* Reads the file, then the drop-ins. Reports an incomplete rule as a problem and leaves it out. If
 * a rule of the same name follows, its values replace the earlier ones. */
int alert_rules_load(const char *file, const char *directory, IniProblem problem, void *userdata,
                     AlertRules *ret);
void alert_rules_done(AlertRules *r);

/* The state of one value, of a row or of the machine. */
typedef struct AlertWatchState {
    bool is_raised;
    uint64_t since_usec; /* when it crossed the threshold, CLOCK_BOOTTIME; 0: it has not */
} AlertWatchState;

typedef enum AlertChange { ALERT_UNCHANGED, ALERT_RAISED, ALERT_CLEARED } AlertChange;

/* NAN: the value is unknown, so the state stays. */
AlertChange alert_rule_judge(const AlertRule *rule, double value, uint64_t now_usec,
                             AlertWatchState *state);
/* Formats a value for people: "93.1 %", with the field's unit. */
void alert_rule_format(const AlertRule *rule, double value, char *buf, size_t size);
