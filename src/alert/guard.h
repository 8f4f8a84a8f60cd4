/* SPDX-License-Identifier: Apache-2.0 */
/* The evaluation of one rule: judges each watched value by samples, or when the kernel reports a
 * stall. */
#pragma once

#include <systemd/sd-event.h>

#include "alert/change.h"
#include "alert/pressure-trigger.h"
#include "alert/rule.h"
#include "health/health.h"

#define GUARD_NAMES_SIZE 256

/* Shared by the guards of all rules. */
typedef struct GuardHost {
    sd_event *event;
    AlertChanges changes; /* by one sample */
    size_t n_values;      /* watched by all guards */
    bool was_full;
    /* called for changes outside a sample, which must be stored at once */
    void (*on_judged)(void *userdata);
    void *userdata;
} GuardHost;

typedef struct Watched {
    char *row; /* "" for the machine; UTF-8, as stored */
    AlertWatchState state;
    double value; /* in the current sample */
    bool seen;
    unsigned n_missed; /* consecutive samples without it */
} Watched;

typedef struct Guard {
    GuardHost *host;
    AlertRule *rule;
    Watched *watched;
    size_t n, allocated;
    bool is_watched;
    char names[GUARD_NAMES_SIZE]; /* of the things that the value counts, if they have names */
    PressureTrigger *trigger;     /* NULL: the rule is sampled */
    sd_event_source *quiet;
} Guard;

/* Makes a trigger, if the kernel permits; otherwise g->trigger stays NULL. */
int guard_add_trigger(Guard *g);
void guard_done(Guard *g);

/* Restores a row that an earlier guard has raised. */
int guard_restore(Guard *g, const char *row);
/* Adds changes to the host's list. */
void guard_judge_sample(Guard *g, const Sample *sample);
/* Call it when the changes are stored: stops watching rows that are gone. */
void guard_forget_missing(Guard *g);
