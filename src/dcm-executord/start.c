/* SPDX-License-Identifier: Apache-2.0 */
/* clang-format off */
/* Method Start. A GUID is started at most once, because of the order of these steps:
 *
 *   call ── check arguments, find command ───────────────▶ InvalidArgument, UnknownCommand
 *     │
 *   mkdir, exclusive ──── exists, and the script has run ─▶ AlreadyStarted, but not before systemd
 *     │             │                                      has answered an earlier start of the GUID
 *     │             ├──── exists, but has not run ───────▶ completed, and on with the next steps
 *     │             └──── no space, read-only, I/O ──────▶ NoSpace
 *   files, fsync of the directory and its parent
 *     │   └── fails: files and directory removed ────────▶ NoSpace
 *     │
 *   StartTransientUnit(), answer awaited in the loop
 *     ├── accepted ──────────────────────────────────────▶ unit name
 *     ├── UnitExists ────────────────────────────────────▶ AlreadyStarted
 *     ├── the machine goes down ─────────────────────────▶ ShuttingDown: starts after the boot
 *     ├── refused: exit record "start-failed" written ───▶ StartFailed
 *     └── no answer ─────────────────────────────────────▶ Unknown: directory and unit tell
 *
 * From the second fsync on, the directory stays for ever, whatever becomes of this process. Whether
 * the script has run is said by its exit file, which dcm-run claims before it starts the script
 * (basic/exit-record.h): if this process ends before systemd has the call, the next Start goes on. */
/* clang-format on */
#include "dcm-executord/start.h"

#include "basic/bounds.h"
#include "basic/log-fields.h"
#include "basic/log.h"
#include "dcm-executord/admission.h"
#include "dcm-executord/errors.h"
#include "dcm-executord/job-dir.h"
#include "dcm-executord/transient-unit.h"
#include "dcm-executord/unit-properties.h"

struct StartOperation {
    StartOperation *next;
    Executord *manager;
    sd_bus_message *call; /* owns the strings of `request` */
    JobRequest request;
    JobDir dir;
    char unit[JOB_UNIT_SIZE];
    bool waits; /* for the answer to another start of the same GUID */
};

static void unlink_operation(StartOperation *o) {
    StartOperation **p = &o->manager->starts;

    while (*p && *p != o)
        p = &(*p)->next;
    if (*p)
        *p = o->next;
}

static StartOperation *start_operation_free(StartOperation *o) {
    if (!o)
        return NULL;
    unlink_operation(o);
    job_request_done(&o->request);
    job_dir_done(&o->dir);
    sd_bus_message_unref(o->call);
    executord_end(o->manager);
    free(o);
    return NULL;
}
DEFINE_CLEANUP(StartOperation *, start_operation_free);

static int start_operation_new(Executord *m, sd_bus_message *call, sd_bus_error *error,
                               StartOperation **ret) {
    StartOperation *o = executord_begin(m, sizeof(*o), error);

    if (!o)
        return -EBUSY;
    *o = (StartOperation){.manager = m,
                          .call = sd_bus_message_ref(call),
                          .request = JOB_REQUEST_INIT,
                          .dir = JOB_DIR_INIT};
    *ret = o;
    return 0;
}

/* The error for a directory that could not be made (or was removed again). */
static int refuse(int r, sd_bus_error *error) {
    switch (r) {
    case -EEXIST:
        return sd_bus_error_set(error, ERROR_ALREADY_STARTED, "This GUID has been started before");
    case -EBADMSG:
        return sd_bus_error_set(error, ERROR_INVALID_ARGUMENT, "The script cannot be read");
    case -ENOKEY:
        return sd_bus_error_set(error, ERROR_INVALID_ARGUMENT, "Option script is missing");
    case -ETOOMANYREFS:
        return sd_bus_error_set(error, ERROR_NO_SPACE,
                                "Too many files are in flight to jobs that have just started");
    default:
        return sd_bus_error_setf(error, ERROR_NO_SPACE,
                                 "the job's directory in " JOBSDIR " cannot be made: %s",
                                 strerror(-r));
    }
}

/* Returns the name of the error for the caller. */
static const char *answer_failure(StartOperation *o, const sd_bus_error *e) {
    const char *name = transient_unit_error(e, ERROR_ALREADY_STARTED);
    int r;

    if (streq(name, ERROR_START_FAILED)) {
        secrets_drop(o->dir.name);
        r = job_dir_write_start_failure(&o->dir, sd_bus_error_get_errno(e));
        if (r < 0)
            log_struct(LOG_ERR, r, LOG_FIELDS(LOG_REQUEST(o->request.guid)),
                       "Cannot record that %s was not started: %m", o->unit);
    }
    transient_unit_refuse(o->call, o->unit, o->request.guid, o->request.command.name, e, name);
    return name;
}

/* A caller that receives AlreadyStarted may take an absent unit for one that is gone. That is
 * correct only once no start of the GUID is pending in systemd, and that start, which ended with
 * `failure` or NULL, has a final result. */
static void answer_waiting(Executord *m, const char *guid, const char *failure) {
    bool settled = !streq_ptr(failure, ERROR_UNKNOWN) && !streq_ptr(failure, ERROR_SHUTTING_DOWN);
    StartOperation *next;

    for (StartOperation *o = m->starts; o; o = next) {
        next = o->next;
        if (!o->waits || !streq(o->request.guid, guid))
            continue;
        (void)sd_bus_reply_method_errorf(o->call, settled ? ERROR_ALREADY_STARTED : failure,
                                         settled ? "This GUID has been started before"
                                                 : "An earlier start of this GUID is not finished");
        start_operation_free(o);
    }
}

bool job_is_starting(const Executord *m, const char *guid) {
    for (const StartOperation *o = m->starts; o; o = o->next)
        if (!o->waits && streq(o->request.guid, guid))
            return true;
    return false;
}

static void link_operation(StartOperation *o) {
    o->next = o->manager->starts;
    o->manager->starts = o;
}

static const char *answer(StartOperation *o, sd_bus_message *reply) {
    if (sd_bus_message_is_method_error(reply, NULL))
        return answer_failure(o, sd_bus_message_get_error(reply));
    (void)log_struct(LOG_INFO, 0,
                     LOG_FIELDS(LOG_ID(DCM_MESSAGE_JOB_STARTED), LOG_REQUEST(o->request.guid),
                                LOG_COMMAND(o->request.command.name), LOG_UNIT(o->unit)),
                     "Started %s", o->unit);
    (void)sd_bus_reply_method_return(o->call, "s", o->unit);
    return NULL;
}

static int on_started(sd_bus_message *reply, void *userdata, sd_bus_error *error) {
    _cleanup_(start_operation_freep) StartOperation *o = userdata;
    const char *failure;

    unlink_operation(o);
    failure = answer(o, reply);
    answer_waiting(o->manager, o->request.guid, failure);
    return 0;
}

static int call_systemd(StartOperation *o) {
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;

    guid_to_unit_name(o->request.guid, o->unit);
    TRY(transient_unit_new(o->manager->bus, o->unit, &m));
    TRY(unit_append_properties(m, &o->request, &o->dir, o->manager->state_dir));
    return transient_unit_start(m, on_started, o);
}

static int wait_for_other(StartOperation *o) {
    o->waits = true;
    link_operation(o);
    return 1;
}

/* -ENOKEY: no directory with a script exists, and no script is given. */
static int take_directory(StartOperation *o) {
    const JobRequest *q = &o->request;
    const bool has_script = q->scripts.of[JOB_SCRIPT_ITSELF].fd >= 0;
    const int state_fd = o->manager->state_fd;
    bool same_script = q->command.brings_script && !q->command.fetches;
    int r = -EEXIST;

    if (has_script)
        r = job_dir_make(state_fd, q->guid, &q->scripts, &o->dir);
    if (r == -EEXIST)
        r = job_dir_resume(state_fd, q->guid, &q->scripts, same_script, &o->dir);
    return r == -ENOENT && !has_script ? -ENOKEY : r;
}

int serve_start(Executord *m, sd_bus_message *message, sd_bus_error *error) {
    _cleanup_(start_operation_freep) StartOperation *o = NULL;
    JobRequest *q;
    int r;

    TRY(start_operation_new(m, message, error, &o));
    q = &o->request;
    TRY(job_request_read(message, q, error));
    if (job_is_starting(m, q->guid))
        return wait_for_other(TAKE_PTR(o));
    TRY(admit(q, error));
    r = take_directory(o);
    if (r >= 0 && q->keep_processes)
        r = job_dir_note_keep(&o->dir);
    if (r >= 0 && job_request_finish_usec(q) > 0)
        r = job_dir_note_finish(&o->dir);
    if (r >= 0) /* after an error the directory stays, and the next call resumes */
        r = secrets_write(&o->dir, q->secrets, q->n_secrets);
    if (r < 0)
        return refuse(r, error);
    r = call_systemd(o);
    if (r < 0) /* the directory stays, because an earlier start may have succeeded */
        return refuse(r, error);
    link_operation(TAKE_PTR(o)); /* on_started() owns it */
    m->sweep_due = true;
    return 1;
}
