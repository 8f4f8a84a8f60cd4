/* SPDX-License-Identifier: Apache-2.0 */
/* Methods Cancel and Release, and the sweep.
 *
 *   Cancel:  note ─▶ StopUnit ─▶ answer ─▶ until the stop is complete, or at the end of the grace
 *                                          time: SIGKILL to all
 *   Release: for job_dir_keeps() GetUnitProcesses: none ─▶ StopUnit ─▶ until the stop is complete;
 *            SIGKILL after 5 s, give up after 10 s ─▶ ResetFailedUnit ─▶ answer
 *
 * A job that may leave processes (job_dir_keeps()) is released when there are none; a caller of
 * Release does not wait for that.
 *
 * Sweep: Release for each ended unit whose job has an exit record. The intended Release may have
 * been lost with its caller, or with an earlier executor.
 *
 * If a unit is not loaded, there is nothing to stop or release: success. If the executor exits
 * during the grace time of a cancelled job, the unit's own TimeoutStopUSec= kills the job. */
#include "dcm-executord/stop.h"

#include <signal.h>
#include <stdio.h>

#include "basic/bounds.h"
#include "basic/log-fields.h"
#include "basic/log.h"
#include "basic/timer.h"
#include "basic/utf8.h"
#include "dcm-executord/errors.h"
#include "dcm-executord/job-dir.h"
#include "dcm-executord/kept.h"
#include "dcm-executord/secrets.h"
#include "dcm-executord/systemd.h"

#define ERROR_NO_SUCH_UNIT SYSTEMD_NAME ".NoSuchUnit"
#define UNIT_PREFIX "dcm-job-" /* guid_to_unit_name() */
#define UNIT_SUFFIX ".service"
#define RELEASE_GRACE_USEC (5 * USEC_PER_SEC)
#define TIMER_ACCURACY_USEC (10 * USEC_PER_MSEC)

struct StopOperation {
    Executord *manager;
    StopOperation *next;
    sd_bus_message *call; /* NULL: already answered */
    sd_event_source *timer;
    char *systemd_job; /* object path of the stop */
    char unit[JOB_UNIT_SIZE];
    uint64_t grace_usec;
    bool release;
    bool keep; /* not while it has processes */
    bool killed;
};

static void unlink_operation(StopOperation *o) {
    for (StopOperation **p = &o->manager->stops; *p; p = &(*p)->next)
        if (*p == o) {
            *p = o->next;
            return;
        }
}

static StopOperation *stop_operation_free(StopOperation *o) {
    if (!o)
        return NULL;
    unlink_operation(o);
    sd_event_source_disable_unref(o->timer);
    if (o->call)
        executord_end(o->manager);
    else
        executord_end_background(o->manager);
    sd_bus_message_unref(o->call);
    free(o->systemd_job);
    free(o);
    return NULL;
}
DEFINE_CLEANUP(StopOperation *, stop_operation_free);

static int stop_operation_new(Executord *m, sd_bus_message *call, const char *guid,
                              sd_bus_error *error, StopOperation **ret) {
    StopOperation *o = executord_begin(m, sizeof(*o), error);

    if (!o)
        return -EBUSY;
    *o = (StopOperation){.manager = m, .next = m->stops, .call = sd_bus_message_ref(call)};
    if (guid)
        guid_to_unit_name(guid, o->unit);
    if (!call)
        executord_to_background(m);
    m->stops = o;
    *ret = o;
    return 0;
}

static int call_systemd(StopOperation *o, sd_bus_message_handler_t callback, const char *method) {
    return systemd_call_async(o->manager->bus, callback, o, method, "s", o->unit);
}

/* `e` NULL: success. */
static void answer(StopOperation *o, const sd_bus_error *e) {
    if (!o->call)
        return;
    if (e)
        (void)sd_bus_reply_method_error(o->call, e);
    else
        (void)sd_bus_reply_method_return(o->call, NULL);
}

static const sd_bus_error *get_failure(sd_bus_message *reply) {
    return sd_bus_message_is_method_error(reply, NULL) &&
                   !sd_bus_message_is_method_error(reply, ERROR_NO_SUCH_UNIT)
               ? sd_bus_message_get_error(reply)
               : NULL;
}

static int on_forgotten(sd_bus_message *reply, void *userdata, sd_bus_error *error) {
    _cleanup_(stop_operation_freep) StopOperation *o = userdata;

    answer(o, get_failure(reply));
    return 0;
}

/* The unit has stopped, or cannot be stopped. */
static void finish(StopOperation *operation) {
    _cleanup_(stop_operation_freep) StopOperation *o = operation;

    o->timer = sd_event_source_disable_unref(o->timer);
    free(o->systemd_job);
    o->systemd_job = NULL;
    if (!o->release)
        return;
    if (call_systemd(o, on_forgotten, "ResetFailedUnit") < 0) {
        const sd_bus_error e = SD_BUS_ERROR_MAKE_CONST(SD_BUS_ERROR_FAILED, "Cannot call systemd");

        answer(o, &e);
        return;
    }
    TAKE_PTR(o); /* on_forgotten() owns it */
}

static int on_timer(sd_event_source *s, uint64_t usec, void *userdata) {
    StopOperation *o = userdata;

    if (o->killed) {
        finish(o);
        return 0;
    }
    log_notice("Killing the remaining processes of %s", o->unit);
    (void)systemd_call_async(o->manager->bus, NULL, NULL, "KillUnit", "ssi", o->unit, "all",
                             SIGKILL);
    o->killed = true;
    (void)timer_arm_in(s, RELEASE_GRACE_USEC);
    return 0;
}

/* Answers the caller of Cancel here; the caller of Release is answered at the end. */
static int wait_for_stop(StopOperation *o, sd_bus_message *reply) {
    const char *path;

    TRY(sd_bus_message_read(reply, "o", &path));
    TRY(free_and_strdup(&o->systemd_job, path));
    TRY(sd_event_add_time_relative(o->manager->event, &o->timer, CLOCK_BOOTTIME, o->grace_usec,
                                   TIMER_ACCURACY_USEC, on_timer, o));
    if (!o->release) {
        answer(o, NULL);
        o->call = sd_bus_message_unref(o->call);
        executord_to_background(o->manager);
    }
    return 0;
}

static int on_stop_queued(sd_bus_message *reply, void *userdata, sd_bus_error *error) {
    _cleanup_(stop_operation_freep) StopOperation *o = userdata;
    int r;

    if (sd_bus_message_is_method_error(reply, NULL)) {
        answer(o, get_failure(reply));
        return 0;
    }
    r = wait_for_stop(o, reply);
    if (r < 0) {
        if (o->call)
            (void)sd_bus_reply_method_errno(o->call, r, NULL);
        return 0;
    }
    TAKE_PTR(o); /* the manager's list owns it */
    return 0;
}

static int on_job_removed(sd_bus_message *signal, void *userdata, sd_bus_error *error) {
    StopOperation *next;
    Executord *m = userdata;
    const char *path;

    if (sd_bus_message_read(signal, "uo", NULL, &path) < 0)
        return 0;
    for (StopOperation *o = m->stops; o; o = next) {
        next = o->next;
        if (streq_ptr(o->systemd_job, path))
            finish(o);
    }
    return 0;
}

static int call_stop(StopOperation *o) {
    return systemd_call_async(o->manager->bus, on_stop_queued, o, "StopUnit", "ss", o->unit,
                              "replace");
}

/* The path of the first process's control group, or NULL. */
static const char *find_process(sd_bus_message *reply) {
    const char *cgroup;

    return sd_bus_message_enter_container(reply, 'a', "(sus)") > 0 &&
                   sd_bus_message_read(reply, "(sus)", &cgroup, NULL, NULL) > 0
               ? cgroup
               : NULL;
}

static void on_empty(Executord *m, const char *unit) {
    stop_release(m, unit);
}

static int on_processes(sd_bus_message *reply, void *userdata, sd_bus_error *error) {
    _cleanup_(stop_operation_freep) StopOperation *o = userdata;
    const char *cgroup;
    int r;

    if (sd_bus_message_is_method_error(reply, NULL)) {
        answer(o, get_failure(reply));
        return 0;
    }
    cgroup = find_process(reply);
    r = cgroup ? kept_watch(o->manager, o->unit, cgroup, on_empty) : -ESRCH;
    if (r == -ESRCH) {
        if (call_stop(o) >= 0)
            TAKE_PTR(o); /* on_stop_queued() owns it */
        return 0;
    }
    if (r < 0)
        log_debug_errno(r, "Cannot wait for the processes in %s to end: %m", o->unit);
    answer(o, NULL);
    return 0;
}

static int begin(StopOperation *o) {
    return o->keep ? call_systemd(o, on_processes, "GetUnitProcesses") : call_stop(o);
}

static int open_job_of_unit(Executord *m, const char *unit, JobDir *ret) {
    size_t size = strlen(unit), prefix = strlen(UNIT_PREFIX), suffix = strlen(UNIT_SUFFIX);
    char name[JOB_NAME_SIZE];

    if (size <= prefix + suffix || size - prefix - suffix >= sizeof(name))
        return -EINVAL;
    memcpy(name, unit + prefix, size - prefix - suffix);
    name[size - prefix - suffix] = 0;
    return job_dir_open_named(m->state_fd, name, ret);
}

void stop_release(Executord *m, const char *unit) {
    _cleanup_(stop_operation_freep) StopOperation *o = NULL;
    _cleanup_(job_dir_done) JobDir d = JOB_DIR_INIT;

    if (stop_operation_new(m, NULL, NULL, NULL, &o) < 0)
        return;
    (void)utf8_format(o->unit, sizeof(o->unit), "%s", unit);
    o->release = true;
    o->keep = open_job_of_unit(m, unit, &d) >= 0 && job_dir_keeps(&d);
    o->grace_usec = RELEASE_GRACE_USEC;
    if (begin(o) >= 0)
        TAKE_PTR(o); /* on_stop_queued() or on_processes() owns it */
}

static void release_if_ended(Executord *m, const char *unit) {
    _cleanup_(job_dir_done) JobDir d = JOB_DIR_INIT;

    if (open_job_of_unit(m, unit, &d) < 0 || !job_dir_has_ended(&d))
        return;
    secrets_drop(d.name);
    stop_release(m, unit);
}

static int on_ended_units(sd_bus_message *reply, void *userdata, sd_bus_error *error) {
    const char *unit;

    if (sd_bus_message_is_method_error(reply, NULL) ||
        sd_bus_message_enter_container(reply, 'a', "(ssssssouso)") < 0)
        return 0;
    while (sd_bus_message_read(reply, "(ssssssouso)", &unit, NULL, NULL, NULL, NULL, NULL, NULL,
                               NULL, NULL, NULL) > 0)
        release_if_ended(userdata, unit);
    return 0;
}

static int sweep(Executord *m) {
    return systemd_call_async(m->bus, on_ended_units, m, "ListUnitsByPatterns", "asas", 2, "exited",
                              "failed", 1, UNIT_PREFIX "*" UNIT_SUFFIX);
}

int stop_sweep(Executord *m) {
    m->sweep = sweep;
    return sweep(m);
}

int stop_watch_jobs(Executord *m) {
    return sd_bus_match_signal_async(m->bus, NULL, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_INTERFACE,
                                     "JobRemoved", on_job_removed, NULL, m);
}

void stop_abandon(Executord *m) {
    while (m->stops)
        stop_operation_free(m->stops);
    kept_abandon(m);
}

static int open_job(Executord *m, const char *guid, JobDir *ret, sd_bus_error *error) {
    int r = guid_is_valid(guid) ? job_dir_open(m->state_fd, guid, ret) : -ENOENT;

    return r == -ENOENT ? sd_bus_error_set(error, ERROR_NO_SUCH_JOB, "No job has that GUID") : r;
}

static int stop_unit(Executord *m, sd_bus_message *message, const char *guid, bool release,
                     bool keep, uint64_t grace_usec, sd_bus_error *error) {
    _cleanup_(stop_operation_freep) StopOperation *o = NULL;

    TRY(stop_operation_new(m, message, guid, error, &o));
    o->release = release;
    o->keep = keep;
    o->grace_usec = grace_usec;
    TRY(begin(o));
    TAKE_PTR(o); /* on_stop_queued() or on_processes() owns it */
    return 1;
}

int serve_cancel(Executord *m, sd_bus_message *message, sd_bus_error *error) {
    _cleanup_(job_dir_done) JobDir d = JOB_DIR_INIT;
    uint64_t grace_usec;
    const char *guid;
    int r;

    TRY(sd_bus_message_read(message, "st", &guid, &grace_usec));
    TRY(open_job(m, guid, &d, error));
    r = job_dir_note_cancel(&d);
    if (r < 0) /* the job must end in any case */
        log_struct(LOG_WARNING, r, LOG_FIELDS(LOG_REQUEST(guid)),
                   "Cannot record that %s was cancelled: %m", d.name);
    /* the unit's own TimeoutStopUSec= comes first for a script that ends in order */
    grace_usec =
        job_dir_finishes(&d) ? 2 * JOB_FINISH_USEC_MAX : MIN(grace_usec, CANCEL_GRACE_USEC_MAX);
    return stop_unit(m, message, guid, false, false, grace_usec, error);
}

int serve_release(Executord *m, sd_bus_message *message, sd_bus_error *error) {
    _cleanup_(job_dir_done) JobDir d = JOB_DIR_INIT;
    const char *guid;

    TRY(sd_bus_message_read(message, "s", &guid));
    TRY(open_job(m, guid, &d, error));
    job_dir_drop_script(&d);
    secrets_drop(d.name);
    return stop_unit(m, message, guid, true, job_dir_keeps(&d), RELEASE_GRACE_USEC, error);
}
