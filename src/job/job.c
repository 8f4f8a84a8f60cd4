/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Everything is decided in settle(), by what is there and never by what was remembered:
 *
 *   directory   record    unit                       then
 *   absent      -         -                          it never started: start it
 *   present     present   ended as it says, or none  the true reply
 *   present     present   ended in another way       what systemd says, and that it contradicts
 *   present     any       running                    wait for a change
 *   present     any       ended, of one that reboots wait for the boot (end_by_reboot())
 *   present     absent    ended                      the true reply from the unit's result
 *   present     absent    NoSuchUnit, cancelled      the true reply: it did not come to its end
 *   present     absent    NoSuchUnit, and only that  lost
 *   present     absent    any other error            not known yet: look again
 *
 * The order that makes it safe: the match for changes is installed before anything is looked at, so
 * no change is missed; the record is read after the unit was seen to have ended or to be absent,
 * because dcm-run writes it before it exits. Before NoSuchUnit is believed, the executor is
 * asked to start the job once more. It does so if the script provably never ran, because an earlier
 * executor ended on the way; else it refuses, but only when no earlier start of the same GUID is
 * still on its way to systemd.
 */
#include "job/job.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/bounds.h"
#include "basic/fd-util.h"
#include "basic/guid.h"
#include "basic/log-fields.h"
#include "basic/log.h"
#include "basic/time-util.h"
#include "basic/timer.h"
#include "job/executor.h"
#include "job/job-result.h"
#include "job/reboot.h"
#include "job/reply-output.h"
#include "job/unit.h"
#include "proto/message.h"

/* longer than the executor's timeout for systemd */
#define START_TIMEOUT_USEC (UNIT_START_USEC_MAX + 10 * USEC_PER_SEC)
#define CANCEL_GRACE_USEC (10 * USEC_PER_SEC)
#define RETRY_MIN_USEC (100 * USEC_PER_MSEC)
#define RETRY_MAX_USEC (60 * USEC_PER_SEC)

struct Job {
    sd_bus *bus;
    const char *root;
    char *guid;
    JobSpec spec;
    JobDone done;
    void *userdata;
    void (*on_changed)(void *userdata); /* its phase */
    void *observer;
    Trouble *trouble; /* may be NULL */
    int dir_fd;
    UnitWatch *watch;
    UnitQuery *query;
    sd_bus_slot *start_slot, *cancel_slot;
    sd_event_source *retry_timer;
    uint64_t retry_usec;
    uint64_t reboot_due_usec; /* CLOCK_BOOTTIME; 0: the script has not ended yet */
    bool changed;             /* during a query */
    bool has_record;          /* the result does not depend on the unit */
    char *refusal;            /* why the executor refused to start the job again; may be NULL */
    bool start_settled; /* the executor has refused a start: the job ran, and no start is pending */
    bool unwatched;     /* no signals will arrive: poll */
    bool paused;
    bool cancelled;
    bool cancel_sent;
    bool ended;
    bool released;
    JobEnd how; /* the kind of its end */
};

static void settle(Job *j);

Job *job_free(Job *j) {
    if (!j)
        return NULL;
    trouble_end(j->trouble, j);
    unit_watch_free(j->watch);
    unit_query_free(j->query);
    sd_bus_slot_unref(j->start_slot);
    sd_bus_slot_unref(j->cancel_slot);
    sd_event_source_disable_unref(j->retry_timer);
    job_spec_done(&j->spec);
    safe_close(j->dir_fd);
    sd_bus_unref(j->bus);
    free(j->refusal);
    free(j->guid);
    free(j);
    return NULL;
}

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata) {
    settle(userdata);
    return 0;
}

/* Checks again after a growing delay, because the state is unknown. */
static void retry(Job *j, int error, const char *what) {
    uint64_t wait = MAX(j->retry_usec, (uint64_t)RETRY_MIN_USEC);

    if (error < 0)
        (void)log_struct(LOG_WARNING, error, LOG_FIELDS(LOG_REQUEST(j->guid)),
                         "%s: %m; retrying in %g s", what, (double)wait / (double)USEC_PER_SEC);
    j->retry_usec = MIN(wait * 2, RETRY_MAX_USEC);
    (void)timer_arm_in(j->retry_timer, wait);
}

/* Kills processes that the job left behind, and has systemd unload the unit. Does not wait for the
 * result. */
static void release(Job *j) {
    j->released = true;
    executor_release(j->bus, j->guid);
}

static void end(Job *j, JobEnd how, int error, struct json_object *reply) {
    if (error < 0) {
        retry(j, error, "The result of a job cannot be read");
        return;
    }
    j->ended = true;
    timer_disarm(j->retry_timer);
    j->how = how;
    j->done(how, reply, j->userdata);
}

static void end_refused(Job *j, const char *text) {
    struct json_object *reply = NULL;
    int r;

    r = reply_new_error(text, &reply);
    end(j, JOB_END_REFUSED, r, reply);
}

/* The executor stores a cancellation durably, so this also finds one ordered by an earlier
 * process. */
static bool was_cancelled(const Job *j) {
    return j->cancelled || faccessat(j->dir_fd, "cancelled", F_OK, 0) >= 0;
}

static JobRemains get_remains(const Job *j) {
    return (JobRemains){.dir_fd = j->dir_fd,
                        .cancelled = was_cancelled(j),
                        .output_max = j->spec.settings->reply_output_max};
}

static void end_contradicted(Job *j, const UnitStatus *status, const ExitRecord *record) {
    const JobRemains remains = get_remains(j);
    struct json_object *reply = NULL;
    int r;

    log_struct(LOG_WARNING, 0, LOG_FIELDS(LOG_REQUEST(j->guid)),
               "The exit record of %s and systemd contradict each other", j->guid);
    r = job_reply_from_unit(&remains, status, record, &reply);
    end(j, JOB_END_DONE, r, reply);
}

/* Of a command that reboots the server: what the others count as an end is its success once the
 * server has booted, and waited for until then. `record`: NULL without one. 1: ended, or not
 * decided yet; 0: as for other commands. */
static int end_by_reboot(Job *j, const ExitRecord *record) {
    const uint64_t now = now_usec(CLOCK_BOOTTIME);
    struct json_object *reply = NULL;
    int r;

    if (!j->spec.reboots || was_cancelled(j) || (record && !reboot_may_follow(record)))
        return 0;
    r = reboot_reply(j->dir_fd, &reply);
    if (r < 0 || (r == 0 && !record))
        return r;
    if (j->reboot_due_usec == 0)
        j->reboot_due_usec = now + REBOOT_USEC_MAX;
    if (r == 0 && now < j->reboot_due_usec) {
        retry(j, 0, NULL);
        return 1;
    }
    if (r == 0)
        TRY(reboot_reply_missing(&reply));
    release(j);
    end(j, JOB_END_DONE, 0, reply);
    return 1;
}

/* `status` NULL: the unit is absent. 1: ended; 0: no record; negative errno: unknown. */
static int end_by_record(Job *j, const UnitStatus *status) {
    const JobRemains remains = get_remains(j);
    struct json_object *reply = NULL;
    ExitRecord record;
    int r;

    r = job_record_read(j->dir_fd, &record);
    if (r == -ENODATA)
        return 0;
    if (r >= 0 && (r = end_by_reboot(j, &record)) != 0)
        return r;
    if (r >= 0 && status && !job_record_agrees(&record, status)) {
        end_contradicted(j, status, &record);
        return 1;
    }
    if (r >= 0 && status)
        job_record_add_reason(&record, status);
    if (r == -EBADMSG)
        r = reply_new_error("The exit record of the job is damaged", &reply);
    else if (r >= 0)
        r = job_reply_from_record(&remains, &record, &reply);
    if (r >= 0 && record.kind == EXIT_KIND_EXITED)
        r = reply_take_output(j->spec.output, j->spec.reply_type, &reply);
    if (r < 0) {
        (void)json_object_put(reply);
        return r;
    }
    release(j); /* the record is durable, so the unit is not needed any more */
    end(j, JOB_END_DONE, 0, reply);
    return 1;
}

static void start(Job *j);

/* Whether dcm-run has claimed the record, so that the script may have run. */
static bool is_claimed(const Job *j) {
    struct stat st;

    if (fstatat(j->dir_fd, "exit", &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno != ENOENT;
    return st.st_size > 0;
}

static void end_without_record(Job *j, int error, const UnitStatus *status) {
    const JobRemains remains = get_remains(j);
    struct json_object *reply = NULL;
    JobEnd how = JOB_END_DONE;
    int r;

    if (error == 0)
        r = job_reply_from_unit(&remains, status, NULL, &reply);
    else if (remains.cancelled) /* systemd keeps no unit that it stopped before its start */
        r = job_reply_cancelled(&remains, &reply);
    else if (j->refusal && !is_claimed(j)) { /* it never ran, and now it must not */
        release(j);
        end_refused(j, j->refusal);
        return;
    } else {
        r = end_by_reboot(j, NULL);
        if (r > 0)
            return;
        how = JOB_END_LOST;
        r = r < 0 ? r : job_reply_lost(&reply);
    }
    end(j, how, r, reply);
}

static void on_unit_status(int error, const UnitStatus *status, void *userdata) {
    Job *j = userdata;
    int r;

    j->query = unit_query_free(j->query);
    if (error < 0 && error != -ENOENT) {
        retry(j, error, "systemd does not answer");
        return;
    }
    if (error == 0 && j->has_record && !status->started && !status->ended)
        error = -ENOENT;
    if (error == 0 && !status->ended) {
        if (j->changed)
            settle(j);
        else if (!status->started || j->unwatched)
            retry(j, 0, NULL); /* signals are uncertain: unit not started, or no subscription */
        return;
    }
    r = end_by_record(j, error == 0 ? status : NULL);
    if (r < 0)
        retry(j, r, "The exit record of a job cannot be read");
    else if (r == 0 && error == -ENOENT && !j->start_settled)
        start(j);
    else if (r == 0)
        end_without_record(j, error, status);
}

static void query_unit(Job *j) {
    char unit[JOB_UNIT_SIZE];
    ExitRecord record;
    int r;

    if (j->query) {
        j->changed = true;
        return;
    }
    j->changed = false;
    r = job_record_read(j->dir_fd, &record);
    j->has_record = r >= 0 || r == -EBADMSG;
    guid_to_unit_name(j->guid, unit);
    r = (j->has_record ? unit_query_new_properties : unit_query_new)(j->bus, unit, on_unit_status,
                                                                     j, &j->query);
    if (r < 0)
        retry(j, r, "systemd cannot be queried");
}

/* -ENOENT: the directory provably does not exist. */
static int open_directory(Job *j) {
    char name[JOB_NAME_SIZE];
    _cleanup_close_ int root_fd = -1;

    if (j->dir_fd >= 0)
        return 0;
    guid_to_job_name(j->guid, name);
    root_fd = open(j->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root_fd < 0)
        return -errno;
    j->dir_fd = openat(root_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (j->dir_fd < 0)
        return -errno;
    if (j->on_changed)
        j->on_changed(j->observer);
    return 0;
}

const char *job_phase_to_string(JobPhase phase) {
    static const char *const names[_JOB_PHASE_MAX] = {
        [JOB_WAITING] = "waiting",       [JOB_STARTING] = "starting", [JOB_RUNNING] = "running",
        [JOB_CANCELLING] = "cancelling", [JOB_STORING] = "storing",
    };

    return (unsigned)phase < _JOB_PHASE_MAX ? names[phase] : NULL;
}

JobPhase job_get_phase(const Job *j) {
    if (j->ended)
        return JOB_STORING;
    if (was_cancelled(j))
        return JOB_CANCELLING;
    return j->dir_fd < 0 ? JOB_STARTING : JOB_RUNNING;
}

void job_set_observer(Job *j, void (*on_changed)(void *userdata), void *userdata) {
    j->on_changed = on_changed;
    j->observer = userdata;
}

void job_set_trouble(Job *j, Trouble *trouble) {
    j->trouble = trouble;
}

int job_get_directory(const Job *j) {
    return j->dir_fd;
}

bool job_has_begun(const char *root, const char *guid) {
    char name[JOB_NAME_SIZE];
    _cleanup_close_ int root_fd = -1;

    guid_to_job_name(guid, name);
    root_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root_fd < 0)
        return errno != ENOENT;
    return faccessat(root_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) >= 0 || errno != ENOENT;
}

bool job_needs_script(const char *root, const char *guid) {
    char path[JOB_NAME_SIZE + sizeof("/exit")];
    _cleanup_close_ int root_fd = -1;

    guid_to_job_name(guid, path);
    memcpy(path + strlen(path), "/exit", sizeof("/exit"));
    root_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return root_fd < 0 || faccessat(root_fd, path, F_OK, AT_SYMLINK_NOFOLLOW) < 0;
}

static int on_cancelled(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    const sd_bus_error *e = sd_bus_message_get_error(m);
    Job *j = userdata;

    j->cancel_slot = sd_bus_slot_unref(j->cancel_slot);
    if (!e)
        return 1;
    log_warning("A job could not be cancelled: %s", strempty(e->message));
    j->cancel_sent = false;
    if (!j->ended)
        retry(j, 0, NULL);
    return 1;
}

static int call_cancel(Job *j) {
    int r;

    if (j->cancel_sent)
        return 0;
    r = sd_bus_call_method_async(j->bus, &j->cancel_slot, EXECUTOR_NAME, EXECUTOR_PATH,
                                 EXECUTOR_INTERFACE, "Cancel", on_cancelled, j, "st", j->guid,
                                 (uint64_t)CANCEL_GRACE_USEC);
    j->cancel_sent = r >= 0;
    return r;
}

static void settle(Job *j) {
    int r;

    if (j->ended || j->start_slot)
        return;
    r = open_directory(j);
    if (r == -ENOENT) {
        if (j->cancelled)
            end_refused(j, "The job was cancelled before it started");
        else if (!j->paused)
            start(j);
        return;
    }
    if (r >= 0 && j->cancelled)
        r = call_cancel(j);
    if (r < 0)
        retry(j, r, "The directory of a job cannot be read");
    else
        query_unit(j);
}

static void note_trouble(Job *j, sd_bus_message *answer) {
    char why[ERROR_MESSAGE_MAX];

    executor_explain(answer, why, sizeof(why));
    (void)log_struct(LOG_WARNING, 0, LOG_FIELDS(LOG_REQUEST(j->guid)),
                     "The executor did not start the job: %s", why);
    trouble_note(j->trouble, j, why);
    retry(j, 0, NULL);
}

static int on_start_answer(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    const sd_bus_error *e = sd_bus_message_get_error(m);
    Job *j = userdata;
    bool had_directory = j->dir_fd >= 0, is_refused = e && executor_refuses(m);

    j->start_slot = sd_bus_slot_unref(j->start_slot);
    j->dir_fd = safe_close(j->dir_fd); /* it may have been replaced, whatever the answer is */
    /* a refusal means that this call started nothing, but an earlier one may have */
    if (!e || sd_bus_error_has_name(e, EXECUTOR_ERROR "AlreadyStarted") ||
        (is_refused && had_directory)) {
        j->start_settled = e;
        j->retry_usec = 0;
        trouble_end(j->trouble, NULL);
        if (is_refused)
            (void)free_and_strdup(&j->refusal, strempty(e->message));
        settle(j);
    } else if (is_refused)
        end_refused(j, strempty(e->message));
    else
        note_trouble(j, m);
    return 0;
}

static int append_secrets(sd_bus_message *m, const JobSpec *spec) {
    TRY(sd_bus_message_open_container(m, 'e', "sv"));
    TRY(sd_bus_message_append(m, "s", "secrets"));
    TRY(sd_bus_message_open_container(m, 'v', "a{sh}"));
    TRY(sd_bus_message_open_container(m, 'a', "{sh}"));
    for (size_t i = 0; i < spec->n_secrets; i++)
        TRY(sd_bus_message_append(m, "{sh}", spec->secrets[i].name, spec->secrets[i].fd));
    for (size_t i = 0; i < 3; i++)
        TRY(sd_bus_message_close_container(m));
    return 0;
}

static int append_options(sd_bus_message *m, const JobSpec *spec) {
    int r;

    r = sd_bus_message_open_container(m, 'a', "{sv}");
    if (r >= 0 && spec->script_fd >= 0)
        r = sd_bus_message_append(m, "{sv}", "script", "h", spec->script_fd);
    if (r >= 0 && spec->as_root)
        r = sd_bus_message_append(m, "{sv}", "as-root", "b", true);
    if (r >= 0 && spec->interpreter)
        r = sd_bus_message_append(m, "{sv}", "interpreter", "s", spec->interpreter);
    if (r >= 0 && spec->settings->keep_processes)
        r = sd_bus_message_append(m, "{sv}", "keep-processes", "b", true);
    if (r >= 0 && spec->dry_run)
        r = sd_bus_message_append(m, "{sv}", "dry-run", "b", true);
    if (r >= 0 && spec->timeout_usec > 0)
        r = sd_bus_message_append(m, "{sv}", "timeout-usec", "t", spec->timeout_usec);
    if (r >= 0 && spec->input_fd >= 0)
        r = sd_bus_message_append(m, "{sv}", "input", "h", spec->input_fd);
    if (r >= 0 && spec->n_secrets > 0)
        r = append_secrets(m, spec);
    return r < 0 ? r : sd_bus_message_close_container(m);
}

/* -EINVAL: D-Bus does not accept the arguments. */
static int make_start(const Job *j, sd_bus_message **ret) {
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
    char *const none[] = {NULL};

    TRY(sd_bus_message_new_method_call(j->bus, &m, EXECUTOR_NAME, EXECUTOR_PATH, EXECUTOR_INTERFACE,
                                       "Start"));
    TRY(sd_bus_message_append(m, "ss", j->guid, j->spec.command));
    TRY(sd_bus_message_append_strv(
        m, (char **)(uintptr_t)(j->spec.arguments ? j->spec.arguments : none)));
    TRY(append_options(m, &j->spec));
    *ret = TAKE_PTR(m);
    return 0;
}

static void start(Job *j) {
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
    int r;

    r = make_start(j, &m);
    if (r == -EINVAL && j->dir_fd >= 0) { /* an earlier start had other arguments */
        j->start_settled = true;
        settle(j);
        return;
    }
    if (r == -EINVAL) {
        end_refused(j,
                    "An argument has a character that D-Bus does not accept, for instance U+FFFF; "
                    "the job was not started");
        return;
    }
    if (r >= 0)
        r = sd_bus_call_async(j->bus, &j->start_slot, m, on_start_answer, j, START_TIMEOUT_USEC);
    if (r < 0)
        retry(j, r, "The executor cannot be called");
}

static void on_watch_installed(int error, void *userdata) {
    Job *j = userdata;

    if (error < 0) {
        j->unwatched = true;
        (void)log_warning_errno(error, "Signals of systemd cannot be received; polling instead");
    }
    settle(j);
}

void job_stored(Job *j) {
    if (j->ended && !j->released && j->how != JOB_END_REFUSED)
        release(j);
}

void job_look_again(Job *j) {
    settle(j);
}

void job_set_paused(Job *j, bool paused) {
    bool was_paused = j->paused;

    j->paused = paused;
    if (was_paused && !paused)
        settle(j);
}

static void on_unit_changed(void *userdata) {
    job_look_again(userdata);
}

int job_cancel(Job *j) {
    j->cancelled = true;
    if (j->ended || j->start_slot || j->dir_fd < 0)
        return 0; /* settle() cancels once the state is known */
    return call_cancel(j);
}

int job_new(sd_bus *bus, const char *root, const char *guid, JobSpec *spec, JobDone done,
            void *userdata, Job **ret) {
    _cleanup_(job_freep) Job *j = calloc(1, sizeof(*j));
    char unit[JOB_UNIT_SIZE];

    if (!j) {
        job_spec_done(spec);
        return -ENOMEM;
    }
    j->spec = *spec;
    *spec = JOB_SPEC_INIT;
    j->dir_fd = -1;
    j->bus = sd_bus_ref(bus);
    j->root = root;
    j->done = done;
    j->userdata = userdata;
    j->guid = strdup(guid);
    if (!j->guid)
        return -ENOMEM;
    TRY(timer_new(sd_bus_get_event(bus), 0, on_retry, j, &j->retry_timer));
    guid_to_unit_name(guid, unit);
    TRY(unit_watch_new(bus, unit, on_watch_installed, on_unit_changed, j, &j->watch));
    *ret = TAKE_PTR(j);
    return 0;
}
