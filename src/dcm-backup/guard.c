/* SPDX-License-Identifier: Apache-2.0 */
/* Before anything is held, a file says what will be, and a unit of systemd waits for the end of
 * this process: it undoes what the file says when it is still there. The file survives a power cut,
 * too; the next run undoes what such files say. */
#include "dcm-backup/guard.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "basic/bounds.h"
#include "basic/fd-util.h"
#include "basic/file-util.h"
#include "basic/log.h"
#include "basic/time-util.h"
#include "dcm-backup/catalogue.h"
#include "dcm-backup/snapshot.h"
#include "site/trusted-file.h"

#define GUARDS BACKUP_STATE_DIRECTORY "/guards"
#define PROGRAM PKGLIBDIR "/dcm-backup"
#define SERVICE_PROGRAM PKGLIBDIR "/dcm-service"
#define LOCK_TIMEOUT_MSEC 60000
#define LOCK_SEC_MAX 3600 /* that services are held */
#define SNAPSHOT_SEC_MAX 86400

static const char program[] = PROGRAM;

struct Guard {
    char name[CATALOGUE_NAME_SIZE];
    char *unit;
    bool has_unit;
    GuardState state;
};

static const Field state_fields[] = {
    {.key = "post", .type = FIELD_TEXT, .offset = offsetof(GuardState, post)},
    {.key = "series", .type = FIELD_TEXT, .offset = offsetof(GuardState, series)},
    {.key = "is_locked", .type = FIELD_BOOL, .offset = offsetof(GuardState, is_locked)},
    {.key = "snapshots",
     .type = FIELD_STRUCTS,
     .offset = offsetof(GuardState, snapshots),
     .n_offset = offsetof(GuardState, n_snapshots),
     .table = &snapshot_table},
};

static const FieldTable state_table = {state_fields, ELEMENTSOF(state_fields), sizeof(GuardState)};

/* --- the file ----------------------------------------------------------------------------------
 */

static int state_path(const char *name, char **ret) {
    return asprintf(ret, GUARDS "/%s", name) < 0 ? -ENOMEM : 0;
}

static int state_write(const Guard *g) {
    _cleanup_free_ char *path = NULL, *text = NULL;
    _cleanup_json_ struct json_object *o = NULL;
    size_t size = 0;

    TRY(state_path(g->name, &path));
    TRY(fields_to_json(&state_table, &g->state, &o));
    TRY(json_encode(o, &text, &size));
    if ((mkdir(BACKUP_STATE_DIRECTORY, 0755) < 0 && errno != EEXIST) ||
        (mkdir(GUARDS, 0700) < 0 && errno != EEXIST))
        return -errno;
    return write_file_atomic(path, text, size, 0600);
}

static int state_read(const char *name, GuardState *ret) {
    _cleanup_free_ char *path = NULL, *text = NULL;
    _cleanup_json_ struct json_object *o = NULL;
    size_t size = 0;

    TRY(state_path(name, &path));
    TRY(read_file_at(AT_FDCWD, path, BACKUP_RECORD_MAX, &text, &size));
    TRY(json_parse_stored(text, size, &o));
    return o ? fields_from_json(&state_table, o, ret) : -EBADMSG;
}

static void state_remove(const char *name) {
    _cleanup_free_ char *path = NULL;

    if (state_path(name, &path) >= 0)
        (void)unlink(path);
}

/* --- hooks -------------------------------------------------------------------------------------
 */

/* Of the administrator, for any backup: /etc/dcm-agent/backup-hooks. */
static int run_hook(Work *w, const char *hook, const char *series) {
    static const char *const directories[] = {BACKUP_HOOK_DIRECTORY, NULL};
    _cleanup_free_ char *path = NULL, *problem = NULL;
    _cleanup_close_ int fd = -1;
    int r;

    if (!hook)
        return 0;
    r = script_open(directories, hook, &path, &fd, &problem);
    if (r == -ENOENT)
        return work_fail(w, "hook-failed", "There is no hook " BACKUP_HOOK_DIRECTORY "/%s", hook);
    if (r == -EINVAL)
        return work_fail(w, "hook-failed", "The hook cannot be run: %s", problem);
    TRY(r);
    return work_tool(w, (const char *const[]){path, strempty(series), NULL}, NULL);
}

static int call_service(Work *w, const char *verb, const char *arguments) {
    _cleanup_free_ char *command = NULL;

    if (access(SERVICE_PROGRAM, X_OK) < 0)
        return work_fail(w, "unsupported", "Services cannot be locked: there is no %s",
                         SERVICE_PROGRAM);
    if (asprintf(&command, "echo '%s' | exec " SERVICE_PROGRAM " %s", arguments, verb) < 0) {
        command = NULL;
        return -ENOMEM;
    }
    return work_tool(w, (const char *const[]){"sh", "-c", command, NULL}, NULL);
}

static int lock_services(Work *w) {
    char arguments[64];

    (void)snprintf(arguments, sizeof(arguments), "{\"timeout\":%d}", LOCK_TIMEOUT_MSEC);
    return call_service(w, "lock", arguments);
}

/* --- undo --------------------------------------------------------------------------------------
 */

/* All of it, whatever fails; the first failure counts. */
static int undo(Work *w, const GuardState *s) {
    int first = 0, r;

    if (s->is_locked)
        first = call_service(w, "unlock", "{}");
    for (size_t i = 0; i < s->n_snapshots; i++) {
        r = snapshot_remove(w, &s->snapshots[i]);
        first = first < 0 ? first : r;
    }
    r = run_hook(w, s->post, s->series);
    return first < 0 ? first : r;
}

int guard_release(const char *name) {
    _cleanup_(reply_done) Reply reply = {};
    Work w = {.lock_fd = -1,
              .reply = &reply,
              .deadline_usec = now_usec(CLOCK_BOOTTIME) + 600 * USEC_PER_SEC};
    GuardState s = {};
    int r;

    r = state_read(name, &s);
    if (r == -ENOENT)
        return EXIT_SUCCESS;
    if (r < 0)
        return log_error_errno(r, GUARDS "/%s cannot be read: %m", name);
    r = undo(&w, &s);
    fields_done(&state_table, &s);
    if (r < 0)
        return log_error_errno(r, "What backup %s held cannot be released: %s", name,
                               reply.error_message ?: strerror(-r));
    state_remove(name);
    log_notice("Released what the backup %s held when it was ended", name);
    return EXIT_SUCCESS;
}

/* After a power cut nobody else does it. */
static int release_stale(Work *w) {
    struct dirent **list = NULL;
    const int n = scandir(GUARDS, &list, NULL, alphasort);
    int r = 0;

    for (int i = 0; i < n; i++) {
        _cleanup_free_ char *unit = NULL;

        if (list[i]->d_name[0] != '.' && r >= 0 &&
            asprintf(&unit, GUARD_UNIT "%s.service", list[i]->d_name) >= 0 &&
            work_try_tool(w, (const char *const[]){"systemctl", "is-active", "-q", unit, NULL},
                          NULL) != 0 &&
            guard_release(list[i]->d_name) < 0)
            r = work_fail(w, "failed",
                          "What an earlier backup holds cannot be released: see the "
                          "journal, and " GUARDS "/%s",
                          list[i]->d_name);
        free(list[i]);
    }
    free(list);
    return r;
}

/* --- the unit ----------------------------------------------------------------------------------
 */

static int start_unit(Work *w, Guard *g) {
    _cleanup_free_ char *unit = NULL, *stop = NULL, *time = NULL;
    char pid[16];

    (void)snprintf(pid, sizeof(pid), "%d", getpid());
    if (asprintf(&g->unit, GUARD_UNIT "%s", g->name) < 0 ||
        asprintf(&unit, "--unit=%s", g->unit) < 0 ||
        asprintf(&stop, "--property=ExecStopPost=" PROGRAM " release %s", g->name) < 0 ||
        asprintf(&time, "--property=RuntimeMaxSec=%d",
                 g->state.is_locked ? LOCK_SEC_MAX : SNAPSHOT_SEC_MAX) < 0)
        return -ENOMEM;
    TRY(work_tool(w,
                  (const char *const[]){"systemd-run", "--quiet", "--collect", unit, stop, time,
                                        "--property=TimeoutStopSec=30", program, "watch", pid,
                                        NULL},
                  NULL));
    g->has_unit = true;
    return 0;
}

static void stop_unit(Work *w, const Guard *g) {
    if (g->has_unit)
        (void)work_try_tool(w, (const char *const[]){"systemctl", "stop", "-q", g->unit, NULL},
                            NULL);
}

int guard_watch(const char *text) {
    const pid_t pid = (pid_t)strtol(text, NULL, 10);
    _cleanup_close_ int fd = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
    struct pollfd polled = {.fd = fd, .events = POLLIN};

    while (fd >= 0 && poll(&polled, 1, -1) < 0 && errno == EINTR)
        ;
    return EXIT_SUCCESS;
}

/* --- begin and end -----------------------------------------------------------------------------
 */

static Guard *guard_free(Guard *g) {
    fields_done(&state_table, &g->state);
    free(g->unit);
    free(g);
    return NULL;
}

static int hold(Work *w, Guard *g) {
    TRY(run_hook(w, w->request.pre, w->series.id));
    if (w->request.consistency == CONSISTENCY_LOCK)
        return lock_services(w);
    for (size_t i = 0; i < g->state.n_snapshots; i++)
        TRY(snapshot_make(w, &g->state.snapshots[i]));
    return 0;
}

/* What will be held, before it is. */
static int plan(Work *w, char *const *paths, Guard *g) {
    TRY(catalogue_name(now_usec(CLOCK_REALTIME), g->name));
    *strrchr(g->name, '.') = 0; /* of .json */
    TRY(free_and_strdup(&g->state.post, w->request.post));
    TRY(free_and_strdup(&g->state.series, w->series.id));
    g->state.is_locked = w->request.consistency == CONSISTENCY_LOCK;
    if (w->request.consistency == CONSISTENCY_SNAPSHOT)
        return snapshots_plan(w, paths, g->name, &g->state);
    return 0;
}

static int begin(Work *w, char *const *paths, Guard *g) {
    int r;

    TRY(release_stale(w));
    TRY(plan(w, paths, g));
    r = state_write(g);
    if (r < 0)
        return work_fail(w, "failed", GUARDS "/%s cannot be written: %s", g->name, strerror(-r));
    r = start_unit(w, g);
    if (r >= 0)
        r = hold(w, g);
    if (r < 0) {
        (void)undo(w, &g->state); /* the first failure has been told */
        state_remove(g->name);
        stop_unit(w, g);
    }
    return r;
}

int guard_begin(Work *w, char *const *paths, Guard **ret) {
    const BackupRequest *q = &w->request;
    Guard *g;
    int r;

    *ret = NULL;
    if (q->consistency == CONSISTENCY_NONE && !q->pre && !q->post)
        return 0;
    g = calloc(1, sizeof(*g));
    if (!g)
        return -ENOMEM;
    r = begin(w, paths, g);
    if (r < 0)
        (void)guard_free(g);
    else
        *ret = g;
    return r;
}

int guard_end(Work *w, Guard *g) {
    int r = 0, k;

    if (!g)
        return 0;
    for (size_t i = 0; i < g->state.n_snapshots && r >= 0; i++)
        r = snapshot_check(w, &g->state.snapshots[i]);
    k = undo(w, &g->state);
    if (k >= 0)
        state_remove(g->name);
    stop_unit(w, g);
    (void)guard_free(g);
    return r < 0 ? r : k;
}

int guard_enter(const void *userdata) {
    const Guard *g = userdata;

    return g->state.n_snapshots > 0 ? snapshots_enter(&g->state) : 0;
}
