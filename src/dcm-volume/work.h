/* SPDX-License-Identifier: Apache-2.0 */
/* One run of a plan: what its steps share. */
#pragma once

#include "dcm-volume/lock.h"
#include "dcm-volume/tabs.h"
#include "volume/plan.h"

typedef struct Work {
    Plan *plan;            /* owned */
    struct Work *before;   /* what was run before the machine showed enough for this plan; NULL */
    int key_fd;            /* sealed memory with the key; -1: none came */
    const char *directory; /* of records; NULL: this plan is not recorded */
    DeviceLocks locks;     /* while devices are written */
    bool *done_now;        /* which steps this run has begun: these a failure undoes */
    bool needs_reload;     /* systemd has not read the tables since they were changed */
    bool made_directory;   /* the mount point */
    bool has_grown;        /* the file system is larger than before */
    bool had_key;          /* one was sealed before */
    TabEntry
        former[2]; /* by TabType: our line that this run has replaced or removed; empty: none */
    char **notes;  /* what the administrator should know, besides those of the plan */
    size_t n_notes;
    char *error; /* the first failure, for an administrator */
} Work;

void work_done(Work *w);

/* Records why the run fails, unless something failed before. Returns -EIO, or -ENOMEM. */
int work_fail(Work *w, const char *format, ...) _printf_(2, 3);
int work_note(Work *w, const char *format, ...) _printf_(2, 3);

/* Runs the script of a step: the site's, or ours. `arguments` end with NULL; those that are
 * paths below /dev are passed as names below it. `uuid` is that of what it makes; NULL: none. What
 * it says goes to the job's log. */
int work_script(Work *w, const char *name, const char *uuid, const char *const *arguments);
/* The same with the key, if there is one, as CHILD_KEY_PATH: for the scripts that need it. */
int work_script_with_key(Work *w, const char *name, const char *uuid, const char *const *arguments);

/* Runs a program; its failure is that of the run. */
int work_tool(Work *w, const char *const *argv);
/* The same with the key, if there is one, as CHILD_KEY_PATH. */
int work_tool_with_key(Work *w, const char *const *argv);

/* Has systemd read its files if they were changed: once for all changes, it takes its time. */
int work_reload(Work *w);

/* Waits until udev has handled what has happened so far; at most half a minute. */
void work_settle(void);
/* Waits until the path is there, at most a minute; false: it is not. */
bool work_wait(const char *path);
