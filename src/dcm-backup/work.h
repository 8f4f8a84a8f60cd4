/* SPDX-License-Identifier: Apache-2.0 */
/* One run of a command: what its parts share. */
#pragma once

#include "backup/request.h"
#include "dcm-backup/pipeline.h"
#include "dcm-object/place-request.h"
#include "proto/job-reply.h"

#define BACKUP_STATE_DIRECTORY "/var/lib/dcm-backups"
#define BACKUP_HOOK_DIRECTORY CONFDIR "/backup-hooks"
#define BACKUP_TARGETS_MAX 2

/* A place for objects. */
typedef struct Target {
    Place place;
    int place_fd;     /* sealed memory with its JSON, for dcm-object */
    const char *role; /* "primary", "secondary" */
} Target;

typedef struct Work {
    BackupRequest request;
    struct json_object *arguments; /* as they came */
    bool is_scheduled;
    Target targets[BACKUP_TARGETS_MAX];
    size_t n_targets;
    Series series;            /* id is NULL: none */
    int lock_fd;              /* of the series, or -1 */
    char *services, *service; /* directories; `service` of the request, or NULL */
    uint64_t deadline_usec;   /* CLOCK_BOOTTIME */
    Reply *reply;
} Work;

/* `arguments` belong to the caller. */
int work_init(Work *w, BackupCommand command, struct json_object *arguments, Reply *reply);
/* Sets the directories of the services; fails if that of the request must be there and is not. */
int work_find_service(Work *w);
/* Clears secrets. */
void work_done(Work *w);

/* Sets the error of the reply, unless there is one. `code` tells programs why. Returns -EIO, or
 * -ENOMEM. */
int work_fail(Work *w, const char *code, const char *format, ...) _printf_(3, 4);
/* Puts an earlier failure (NULL: there was none), which it takes, before the one that came since.
 */
int work_join_failures(Work *w, char *earlier);
/* Adds a line to the message of the reply. */
int work_note(Work *w, const char *format, ...) _printf_(2, 3);
/* The failure of a path that safe-path.h has refused with -EXDEV. */
int work_fail_link(Work *w, const char *path);
/* The failure of a pipeline. */
int work_fail_pipeline(Work *w, const Pipeline *p);

/* A file of this run, which has no name and ends with it; a descriptor. */
int work_open_temporary(Work *w);

/* No two runs at the same time for the same series. A scheduled one waits for the other. */
int work_lock(Work *w);

/* Runs a program to its end; its failure is that of the run. `ret_output` may be NULL; the caller
 * frees. */
int work_tool(Work *w, const char *const *argv, char **ret_output);
/* The same in a directory. */
int work_tool_at(Work *w, int dir_fd, const char *const *argv);
/* The same where a failure is none of the run: its exit status, or a negative errno. */
int work_try_tool(Work *w, const char *const *argv, char **ret_output);
/* The same, with its last messages; the caller frees. */
int work_tool_status(Work *w, const char *const *argv, char **ret_messages);
