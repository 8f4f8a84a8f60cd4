/* SPDX-License-Identifier: Apache-2.0 */
/* One rule at work: each thing that it watches is judged, by samples or when the kernel tells of a
 * stall. */
#pragma once

#include <systemd/sd-event.h>

#include "alert/change.h"
#include "alert/pressure-trigger.h"
#include "alert/rule.h"
#include "health/health.h"

#define GUARD_NAMES_SIZE 256

/* What the guards of all rules have in common. */
typedef struct GuardHost {
    sd_event *event;
    AlertChanges changes; /* of one sample */
    size_t n_values;      /* that are watched */
    bool was_full;
    /* There may be changes to be told, without a sample of which more follow. */
    void (*on_judged)(void *userdata);
    void *userdata;
} GuardHost;

typedef struct Watched {
    char *row; /* "" for the machine; UTF-8, as in what is stored */
    AlertWatchState state;
    double value; /* of the sample that is judged */
    bool seen;
    unsigned n_missed; /* samples, up to now, that did not have it */
} Watched;

typedef struct Guard {
    GuardHost *host;
    AlertRule *rule;
    Watched *watched;
    size_t n, allocated;
    bool is_watched;
    char names[GUARD_NAMES_SIZE]; /* of what the value counts, if that has names */
    PressureTrigger *trigger;     /* NULL: it is sampled */
    sd_event_source *quiet;
} Guard;

/* Has the kernel tell, where it can; else there is no trigger afterwards. */
int guard_add_trigger(Guard *g);
void guard_done(Guard *g);

/* That was raised by an earlier guard. */
int guard_restore(Guard *g, const char *row);
/* Collects the changes. */
void guard_judge_sample(Guard *g, const Sample *sample);
/* When they are told: what is gone is watched no more. */
void guard_forget_missing(Guard *g);
