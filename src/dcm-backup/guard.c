/* SPDX-License-Identifier: Apache-2.0 */
/* A run that holds something has a lock, which ends with its process. A unit of systemd waits for
 * that lock. Then a file says what will be held, and only then it is. The unit releases what the
 * file says when it is still there; after a power cut, of which the file is left and the lock is
 * not, the next run does. To release what is not held is no failure. */
#include "dcm-backup/guard.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/bounds.h"
#include "basic/fd-util.h"
#include "basic/file-util.h"
#include "basic/log.h"
#include "basic/time-util.h"
#include "dcm-backup/catalogue.h"
#include "dcm-backup/lock-file.h"
#include "dcm-backup/snapshot.h"
#include "site/trusted-file.h"

#define GUARDS BACKUP_STATE_DIRECTORY "/guards"
#define UNIT "dcm-backup-guard-"
#define PROGRAM PKGLIBDIR "/dcm-backup"
#define SERVICE_PROGRAM PKGLIBDIR "/dcm-service"
#define LOCK_LOST 3 /* exit status of dcm-service: these are not locked any more */
#define LOCK_TIMEOUT_MSEC 60000
#define RELEASE_SEC 600
#define NAME_SIZE (STAMP_SIZE + 8) /* time, dash, eight digits */

static const char program[] = PROGRAM;

struct Guard {
    char name[CATALOGUE_NAME_SIZE];
    char *unit, *lock_name;
    bool has_unit;
    int lock_fd;     /* of this run */
    int services_fd; /* of all runs that lock the services */
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

static bool is_name(const char *text, size_t size) {
    uint64_t time;

    return size == NAME_SIZE && stamp_parse(text, STAMP_SIZE - 1, &time) &&
           text[STAMP_SIZE - 1] == '-' &&
           strspn(text + STAMP_SIZE, "0123456789abcdef") >= NAME_SIZE - STAMP_SIZE;
}

static int make_lock_name(const char *name, char **ret) {
    if (asprintf(ret, "guard-%s", name) >= 0)
        return 0;
    *ret = NULL;
    return -ENOMEM;
}

static int state_path(const char *name, char **ret) {
    if (asprintf(ret, GUARDS "/%s", name) >= 0)
        return 0;
    *ret = NULL;
    return -ENOMEM;
}

static int state_write(const char *name, const GuardState *state) {
    _cleanup_free_ char *path = NULL, *text = NULL;
    _cleanup_json_ struct json_object *o = NULL;
    size_t size = 0;

    TRY(state_path(name, &path));
    TRY(fields_to_json(&state_table, state, &o));
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

static int check_service_program(Work *w) {
    return access(SERVICE_PROGRAM, X_OK) < 0
               ? work_fail(w, "unsupported", "Services cannot be locked: there is no %s",
                           SERVICE_PROGRAM)
               : 0;
}

/* dcm-service refuses if somebody else has locked them. */
static int lock_services(Work *w, const char *owner) {
    _cleanup_free_ char *command = NULL;

    TRY(check_service_program(w));
    if (asprintf(&command,
                 "echo '{\"timeout\":%d,\"hold\":%d,\"owner\":\"%s\"}' | exec " SERVICE_PROGRAM
                 " lock",
                 LOCK_TIMEOUT_MSEC, GUARD_LOCK_SEC_MAX, owner) < 0) {
        command = NULL;
        return -ENOMEM;
    }
    return work_tool(w, (const char *const[]){"sh", "-c", command, NULL}, NULL);
}

/* 1: this run did not have them any more. */
static int unlock_services(Work *w, const char *owner) {
    _cleanup_free_ char *messages = NULL;
    int r;

    TRY(check_service_program(w));
    r = work_tool_status(w, (const char *const[]){SERVICE_PROGRAM, "release", owner, NULL},
                         &messages);
    if (r == 0 || r == LOCK_LOST)
        return r == LOCK_LOST;
    return work_fail(w, "failed", "The services cannot be unlocked: %s", strempty(messages));
}

/* --- release -----------------------------------------------------------------------------------
 */

typedef struct Released {
    bool was_lock_lost; /* before it was released here */
    bool is_all;        /* else the file must stay, so that the next run tries again */
} Released;

static int release_lock(Work *w, const char *name, GuardState *s, Released *ret) {
    int r;

    if (!s->is_locked)
        return 0;
    r = unlock_services(w, name);
    ret->was_lock_lost = r > 0;
    s->is_locked = r < 0;
    return MIN(r, 0);
}

static int release_snapshots(Work *w, GuardState *s) {
    int first = 0;

    for (size_t i = s->n_snapshots; i-- > 0;) {
        const int r = snapshot_remove(w, &s->snapshots[i]);

        first = first < 0 ? first : r;
    }
    return first;
}

/* All of it, whatever fails; the first failure counts. The hook `post` has run once then, whatever
 * came of it. */
static int release_all(Work *w, const char *name, GuardState *s, Released *ret) {
    int first, r;

    *ret = (Released){};
    first = release_lock(w, name, s, ret);
    r = release_snapshots(w, s);
    first = first < 0 ? first : r;
    ret->is_all = first >= 0;
    r = run_hook(w, s->post, s->series);
    TRY(free_and_strdup(&s->post, NULL));
    r = first < 0 ? first : r;
    if (ret->is_all)
        state_remove(name);
    else
        (void)state_write(name, s);
    return r;
}

static void log_left(const char *name, const Reply *reply, int r, const Released *released) {
    const char *text = reply->error_message ?: strerror(-r);

    if (released->is_all)
        log_error("The backup %s was ended, and all that it held was released; besides: %s", name,
                  text);
    else
        log_error("What the backup %s held cannot be released: %s; the next backup tries again, as "
                  "long as there is " GUARDS "/%s",
                  name, text, name);
}

static int release_read(const char *name, GuardState *s) {
    _cleanup_(reply_done) Reply reply = {};
    Work w = {.lock_fd = -1,
              .reply = &reply,
              .deadline_usec = now_usec(CLOCK_BOOTTIME) + RELEASE_SEC * USEC_PER_SEC};
    Released released;
    const int r = release_all(&w, name, s, &released);

    if (r < 0) {
        log_left(name, &reply, r, &released);
        return r;
    }
    log_notice("Released what the backup %s held when it was ended", name);
    return 0;
}

/* Whoever calls has the lock of that run. A file is complete before anything is held. */
static int release(const char *name) {
    GuardState s = {};
    int r;

    r = state_read(name, &s);
    if (r == -ENOENT)
        return 0;
    if (r == -EBADMSG || r == -EFBIG) {
        log_warning(GUARDS "/%s cannot be understood, and is removed", name);
        state_remove(name);
        return 0;
    }
    if (r < 0)
        return log_error_errno(r, GUARDS "/%s cannot be read: %m", name);
    r = release_read(name, &s);
    fields_done(&state_table, &s);
    return r;
}

/* The unit's; the run has ended, or is about to release by itself. */
int guard_release(const char *name) {
    _cleanup_free_ char *lock_name = NULL;
    int fd = -1, r;

    if (!is_name(name, strlen(name)))
        return log_error_errno(-EINVAL, "This is no name of a run");
    TRY(make_lock_name(name, &lock_name));
    r = lock_file_wait(lock_name, &fd);
    if (r < 0)
        return log_error_errno(r, "The lock of the backup %s cannot be had: %m", name);
    r = release(name);
    (void)lock_file_drop(lock_name, fd);
    return r < 0 ? r : EXIT_SUCCESS;
}

int guard_watch(const char *name) {
    _cleanup_free_ char *lock_name = NULL;
    _cleanup_close_ int fd = -1;
    int r;

    TRY(make_lock_name(name, &lock_name));
    r = lock_file_wait(lock_name, &fd);
    return r < 0 ? log_error_errno(r, "The lock of the backup %s cannot be had: %m", name)
                 : EXIT_SUCCESS;
}

/* --- what others have left ---------------------------------------------------------------------
 */

/* A state, or NAME.XXXXXX of one that was about to be written. */
static int look_at(Work *w, const char *file) {
    const size_t size = strcspn(file + MIN(strlen(file), (size_t)NAME_SIZE), ".") +
                        MIN(strlen(file), (size_t)NAME_SIZE);
    _cleanup_free_ char *name = strndup(file, size), *lock_name = NULL;
    int fd = -1, r = 0;

    if (!name)
        return -ENOMEM;
    if (!is_name(name, size))
        return 0;
    TRY(make_lock_name(name, &lock_name));
    if (lock_file_take(lock_name, 0, &fd) < 0)
        return 0; /* its run has not ended */
    if (file[size])
        state_remove(file);
    else
        r = release(name);
    (void)lock_file_drop(lock_name, fd);
    return r < 0 ? work_note(w,
                             "What the earlier backup %s held could not be released; the journal "
                             "says why",
                             name)
                 : 0;
}

/* What cannot be released is told, and in nobody's way. */
static int release_stale(Work *w) {
    struct dirent **list = NULL;
    const int n = scandir(GUARDS, &list, NULL, alphasort);
    int r = 0;

    for (int i = 0; i < n; i++) {
        if (list[i]->d_name[0] != '.' && r >= 0)
            r = look_at(w, list[i]->d_name);
        free(list[i]);
    }
    free(list);
    return r;
}

/* --- the unit ----------------------------------------------------------------------------------
 */

static int start_unit(Work *w, Guard *g) {
    _cleanup_free_ char *unit = NULL, *stop = NULL;

    if (asprintf(&g->unit, UNIT "%s", g->name) < 0 || asprintf(&unit, "--unit=%s", g->unit) < 0 ||
        asprintf(&stop, "--property=ExecStopPost=" PROGRAM " release %s", g->name) < 0)
        return -ENOMEM;
    TRY(work_tool(w,
                  (const char *const[]){"systemd-run", "--quiet", "--collect", unit, stop,
                                        "--property=TimeoutStopSec=660", program, "watch", g->name,
                                        NULL},
                  NULL));
    g->has_unit = true;
    return 0;
}

/* Its release waits for the lock. */
static void stop_unit(Work *w, Guard *g) {
    g->lock_fd = lock_file_drop(g->lock_name, g->lock_fd);
    if (g->has_unit)
        (void)work_try_tool(w, (const char *const[]){"systemctl", "stop", "-q", g->unit, NULL},
                            NULL);
}

/* --- begin and end -----------------------------------------------------------------------------
 */

static Guard *guard_free(Guard *g) {
    safe_close(g->services_fd);
    safe_close(g->lock_fd);
    fields_done(&state_table, &g->state);
    free(g->unit);
    free(g->lock_name);
    free(g);
    return NULL;
}

static int hold(Work *w, Guard *g) {
    TRY(run_hook(w, w->request.pre, w->series.id));
    if (g->state.is_locked)
        return lock_services(w, g->name);
    for (size_t i = 0; i < g->state.n_snapshots; i++)
        TRY(snapshot_make(w, &g->state.snapshots[i]));
    return 0;
}

/* What will be held, before it is. */
static int plan(Work *w, char *const *paths, Guard *g) {
    TRY(catalogue_name(now_usec(CLOCK_REALTIME), g->name));
    *strrchr(g->name, '.') = 0; /* of .json */
    TRY(make_lock_name(g->name, &g->lock_name));
    TRY(free_and_strdup(&g->state.post, w->request.post));
    TRY(free_and_strdup(&g->state.series, w->series.id));
    g->state.is_locked = w->request.consistency == CONSISTENCY_LOCK;
    if (w->request.consistency == CONSISTENCY_SNAPSHOT)
        return snapshots_plan(w, paths, g->name, &g->state);
    return 0;
}

/* One backup at a time locks the services: the end of one would end the lock of the other. */
static int take_locks(Work *w, Guard *g) {
    int r = 0;

    if (g->state.is_locked)
        r = lock_file_take("services", GUARD_LOCK_SEC_MAX * USEC_PER_SEC, &g->services_fd);
    if (r == -EBUSY)
        return work_fail(w, "busy", "Another backup has the services locked; try again later");
    if (r >= 0)
        r = lock_file_take(g->lock_name, 0, &g->lock_fd);
    return r < 0 ? work_fail(w, "failed", "The lock of this run cannot be had: %s", strerror(-r))
                 : 0;
}

static int begin_held(Work *w, Guard *g) {
    Released released;
    int r;

    TRY(start_unit(w, g));
    r = state_write(g->name, &g->state);
    if (r < 0)
        return work_fail(w, "failed", GUARDS "/%s cannot be written: %s", g->name, strerror(-r));
    r = hold(w, g);
    if (r < 0)
        (void)release_all(w, g->name, &g->state, &released); /* the first failure has been told */
    return r;
}

static int begin(Work *w, char *const *paths, Guard *g) {
    int r;

    TRY(release_stale(w));
    TRY(plan(w, paths, g));
    TRY(take_locks(w, g));
    r = begin_held(w, g);
    if (r < 0)
        stop_unit(w, g);
    return r;
}

int guard_begin(Work *w, char *const *paths, Guard **ret) {
    const BackupRequest *q = &w->request;
    Guard *g;
    int r;

    *ret = NULL;
    if (q->consistency == CONSISTENCY_NONE && !q->pre && !q->post)
        return 0;
    g = malloc(sizeof(*g));
    if (!g)
        return -ENOMEM;
    *g = (Guard){.lock_fd = -1, .services_fd = -1};
    r = begin(w, paths, g);
    if (r < 0)
        (void)guard_free(g);
    else
        *ret = g;
    return r;
}

int guard_check(Work *w, const Guard *g) {
    for (size_t i = 0; g && i < g->state.n_snapshots; i++)
        TRY(snapshot_check(w, &g->state.snapshots[i]));
    return 0;
}

int guard_end(Work *w, Guard *g) {
    Released released;
    int r, k;

    if (!g)
        return 0;
    r = guard_check(w, g);
    k = release_all(w, g->name, &g->state, &released);
    if (released.was_lock_lost)
        k = work_fail(w, "lock-lost",
                      "The services were not locked until all was read: journalctl -u "
                      "dcm-services-lock.service says why. A lock lasts %d minutes at most",
                      GUARD_LOCK_SEC_MAX / 60);
    stop_unit(w, g);
    (void)guard_free(g);
    return r < 0 ? r : k;
}

bool guard_has_snapshots(const Guard *g) {
    return g && g->state.n_snapshots > 0;
}

int guard_enter(const void *userdata) {
    const Guard *g = userdata;

    return g->state.n_snapshots > 0 ? snapshots_enter(&g->state) : 0;
}
