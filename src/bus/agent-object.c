/* SPDX-License-Identifier: Apache-2.0 */
/* sd-bus permits methods without SD_BUS_VTABLE_UNPRIVILEGED only to root and the agent's own user.
 * A change of the counts is signalled at most once per SIGNAL_INTERVAL_USEC, however fast they
 * change. */
#include "bus/agent-object.h"

#include <fcntl.h>

#include "basic/bounds.h"
#include "basic/fd-util.h"
#include "basic/guid.h"
#include "basic/strv.h"
#include "basic/timer.h"
#include "bus/alert-list.h"
#include "bus/backup-list.h"
#include "bus/health-object.h"
#include "bus/unregister.h"
#include "commands/command-list.h"
#include "health/volume-problem.h"
#include "proto/message.h"
#include "proto/text.h"
#include "request/job-list.h"
#include "site/command-file.h"
#include "site/trusted-file.h"
#include "store/user-row.h"

#define INTERFACE AGENT_BUS_NAME ".Manager"
#define ERROR_NO_SUCH_REQUEST "org.dcmagent.Error.NoSuchRequest"
#define ERROR_UNUSABLE "org.dcmagent.Error.UnusableConfiguration"
#define ERROR_NOT_AT_WORK "org.dcmagent.Error.NotAtWork"
#define SIGNAL_INTERVAL_USEC (100 * USEC_PER_MSEC)

struct AgentObject {
    sd_bus *bus;
    sd_bus_slot *slot;
    Agent *agent;
    HealthObject *health;
    sd_event_source *counts_timer, *jobs_timer;
};

/* For text of managers, jobs and logs: one character that D-Bus does not accept would make the
 * whole answer fail. */
static int append_string(sd_bus_message *m, const char *text) {
    _cleanup_free_ char *clean = NULL;

    TRY(bus_text_new(strempty(text), &clean));
    return sd_bus_message_append(m, "s", clean);
}

static int property_get_string(sd_bus *bus, const char *path, const char *interface,
                               const char *property, sd_bus_message *reply, void *userdata,
                               sd_bus_error *error) {
    AgentObject *o = userdata;
    const UplinkView u = uplink_view(agent_get_uplink(o->agent));
    const AgentView v = agent_view(o->agent);
    const struct {
        const char *name, *value;
    } values[] = {
        {"Version", PROJECT_VERSION},
        {"State", u.state},
        {"StatusText", u.status},
        {"ManagerUrl", u.url},
        {"Proxy", u.proxy},
        {"PeerAddress", u.peer},
        {"TlsSession", u.tls},
        {"FailedStep", u.failed_step},
        {"AgentId", v.agent_id},
        {"ServerName", v.server_name},
        {"PauseMode", v.pause},
        {"JobProblem", v.trouble},
        {"StoreProblem", v.store_problem},
        {"CloudType", strempty(v.cloud->type)},
        {"InstanceId", strempty(v.cloud->instance_id)},
        {"CloudProblem", strempty(v.cloud->problem)},
    };

    for (size_t i = 0; i < ELEMENTSOF(values); i++)
        if (streq(property, values[i].name))
            return append_string(reply, values[i].value);
    return -ENOENT;
}

static int property_get_protocol_version(sd_bus *bus, const char *path, const char *interface,
                                         const char *property, sd_bus_message *reply,
                                         void *userdata, sd_bus_error *error) {
    return sd_bus_message_append(reply, "u", (uint32_t)PROTOCOL_VERSION);
}

static int property_get_initialized(sd_bus *bus, const char *path, const char *interface,
                                    const char *property, sd_bus_message *reply, void *userdata,
                                    sd_bus_error *error) {
    _cleanup_free_ char *initialized = NULL;
    AgentObject *o = userdata;

    TRY(store_get_meta(agent_get_store(o->agent), STORE_META_INITIALIZED, &initialized));
    return sd_bus_message_append(reply, "b", !isempty(initialized));
}

static int property_get_usec(sd_bus *bus, const char *path, const char *interface,
                             const char *property, sd_bus_message *reply, void *userdata,
                             sd_bus_error *error) {
    AgentObject *o = userdata;
    const UplinkView u = uplink_view(agent_get_uplink(o->agent));

    return sd_bus_message_append(reply, "t",
                                 streq(property, "ConnectedSinceUSec") ? u.connected_since_usec
                                                                       : u.certificate_end_usec);
}

static int property_get_counts(sd_bus *bus, const char *path, const char *interface,
                               const char *property, sd_bus_message *reply, void *userdata,
                               sd_bus_error *error) {
    AgentObject *o = userdata;
    unsigned counts[_REQUEST_STATE_MAX] = {};

    TRY(store_count_requests(agent_get_store(o->agent), counts));
    TRY(sd_bus_message_open_container(reply, 'a', "{su}"));
    for (RequestState i = REQUEST_STATE_ACKED; i < _REQUEST_STATE_MAX; i++)
        TRY(sd_bus_message_append(reply, "{su}", request_state_to_string(i), counts[i]));
    return sd_bus_message_close_container(reply);
}

static int property_get_problems(sd_bus *bus, const char *path, const char *interface,
                                 const char *property, sd_bus_message *reply, void *userdata,
                                 sd_bus_error *error) {
    AgentObject *o = userdata;
    const Problem *p;
    size_t n;

    p = problems_list(agent_view(o->agent).problems, &n);
    TRY(sd_bus_message_open_container(reply, 'a', "(sus)"));
    for (; n > 0; n--, p++)
        TRY(sd_bus_message_append(reply, "(sus)", p->file, p->line, p->text));
    return sd_bus_message_close_container(reply);
}

/* Looks when it is asked: nobody else needs it. */
static int property_get_volume_problems(sd_bus *bus, const char *path, const char *interface,
                                        const char *property, sd_bus_message *reply, void *userdata,
                                        sd_bus_error *error) {
    _cleanup_(volume_problems_done) VolumeProblems p = {};
    _cleanup_close_ int root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    _cleanup_(strv_freep) char **texts = NULL;

    if (root_fd < 0)
        return -errno;
    TRY(volume_problems_read(&p, root_fd));
    TRY(volume_problems_describe(&p, &texts));
    TRY(sd_bus_message_open_container(reply, 'a', "s"));
    for (char **t = texts; *t; t++)
        TRY(append_string(reply, *t));
    return sd_bus_message_close_container(reply);
}

static int append_request(const StoredRequest *r, void *userdata) {
    sd_bus_message *m = userdata;

    TRY(sd_bus_message_open_container(m, 'r', "sssttti"));
    TRY(append_string(m, r->guid));
    TRY(append_string(m, r->command));
    TRY(sd_bus_message_append(m, "sttti", request_state_to_string(r->state), r->accepted_usec,
                              r->changed_usec, r->replied_usec, r->return_code));
    return sd_bus_message_close_container(m);
}

static int method_list_requests(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
    AgentObject *o = userdata;
    uint32_t limit;

    TRY(sd_bus_message_read(m, "u", &limit));
    TRY(sd_bus_message_new_method_return(m, &reply));
    TRY(sd_bus_message_open_container(reply, 'a', "(sssttti)"));
    TRY(store_visit_newest(agent_get_store(o->agent),
                           MIN(limit ?: REQUESTS_LISTED_MAX, REQUESTS_LISTED_MAX), append_request,
                           reply));
    TRY(sd_bus_message_close_container(reply));
    return sd_bus_send(NULL, reply, NULL);
}

static int append_text(sd_bus_message *m, const char *key, const char *value) {
    _cleanup_free_ char *clean = NULL;

    if (!value)
        return 0;
    TRY(bus_text_new(value, &clean));
    return sd_bus_message_append(m, "{sv}", key, "s", clean);
}

static int append_progress(sd_bus_message *m, const JobProgress *progress) {
    if (!progress || !progress->is_known)
        return 0;
    TRY(sd_bus_message_append(m, "{sv}", "progress_percent", "u", progress->percent));
    return append_text(m, "progress_text", progress->text);
}

static int append_details(sd_bus_message *m, const StoredRequest *q, const JobProgress *progress) {
    TRY(sd_bus_message_open_container(m, 'a', "{sv}"));
    TRY(append_text(m, "guid", q->guid));
    TRY(append_text(m, "command", q->command));
    TRY(append_text(m, "state", request_state_to_string(q->state)));
    TRY(append_text(m, "agent_id", q->agent_id));
    TRY(sd_bus_message_append(m, "{sv}{sv}", "accepted_usec", "t", q->accepted_usec, "changed_usec",
                              "t", q->changed_usec));
    TRY(append_text(m, "reply", q->reply));
    TRY(append_text(m, "error_message", q->error_message));
    TRY(append_progress(m, progress));
    return sd_bus_message_close_container(m);
}

static int method_get_request(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
    _cleanup_(stored_request_done) StoredRequest q = {};
    AgentObject *o = userdata;
    const char *guid;
    int r;

    TRY(sd_bus_message_read(m, "s", &guid));
    r = store_load_request(agent_get_store(o->agent), guid, true, &q);
    if (r == -ENOENT)
        return sd_bus_error_setf(error, ERROR_NO_SUCH_REQUEST, "There is no request %s", guid);
    if (r >= 0)
        r = sd_bus_message_new_method_return(m, &reply);
    if (r >= 0)
        r = append_details(reply, &q, voices_get_progress(agent_get_voices(o->agent), guid));
    return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}

/* The script's path, or why there is none, or a worker's bus name. */
static int append_source(sd_bus_message *m, const Command *c) {
    _cleanup_free_ char *path = NULL, *problem = NULL;
    _cleanup_close_ int fd = -1;
    int r;

    if (!c->file)
        return sd_bus_message_append(m, "s", "");
    if (c->file->worker)
        return sd_bus_message_append(m, "s", c->file->worker);
    r = script_open(script_directories, c->file->script, &path, &fd, &problem);
    if (r < 0 && !problem)
        return sd_bus_message_append(m, "s",
                                     r == -ENOENT ? "there is no such script" : strerror(-r));
    return sd_bus_message_append(m, "s", path ?: problem);
}

static int append_broken(sd_bus_message *m) {
    const BrokenCommand *broken;
    size_t n;

    broken = command_list_broken(&n);
    TRY(sd_bus_message_open_container(m, 'a', "(ss)"));
    for (size_t i = 0; i < n; i++)
        TRY(sd_bus_message_append(m, "(ss)", broken[i].file, broken[i].problem));
    return sd_bus_message_close_container(m);
}

typedef struct JobListing {
    const Agent *agent;
    sd_bus_message *reply;
} JobListing;

static int append_job(const JobListEntry *e, void *userdata) {
    const JobListing *l = userdata;
    const Task *t = e->info.task;
    const JobProgress *progress = voices_get_progress(agent_get_voices(l->agent), t->guid);
    bool is_known = progress && progress->is_known;
    char unit[JOB_UNIT_SIZE] = "";

    if (e->info.phase != JOB_WAITING)
        guid_to_unit_name(t->guid, unit);
    TRY(sd_bus_message_open_container(l->reply, 'r', "ssssustis"));
    TRY(append_string(l->reply, t->guid));
    TRY(append_string(l->reply, t->command));
    TRY(sd_bus_message_append(l->reply, "ssusti", e->kind, job_phase_to_string(e->info.phase),
                              e->info.position, unit, t->accepted_usec,
                              is_known ? (int)progress->percent : -1));
    TRY(append_string(l->reply, is_known ? progress->text : ""));
    return MIN(sd_bus_message_close_container(l->reply), 0);
}

static int method_list_jobs(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
    AgentObject *o = userdata;

    TRY(sd_bus_message_new_method_return(m, &reply));
    TRY(sd_bus_message_open_container(reply, 'a', "(ssssustis)"));
    TRY(job_list_visit(agent_get_flow(o->agent), append_job, &(JobListing){o->agent, reply}));
    TRY(sd_bus_message_close_container(reply));
    return sd_bus_send(NULL, reply, NULL);
}

#define ARGUMENT_SIGNATURE "ssbbsss"

static int append_argument(sd_bus_message *m, const Argument *a) {
    char values[ERROR_MESSAGE_MAX];

    argument_describe_values(a, values, sizeof(values));
    TRY(sd_bus_message_open_container(m, 'r', ARGUMENT_SIGNATURE));
    TRY(sd_bus_message_append(m, "ssbbs", a->name, argument_type_to_string(a->type), a->mandatory,
                              a->secret, a->help));
    TRY(append_string(m, strempty(a->fallback)));
    TRY(append_string(m, values));
    return MIN(sd_bus_message_close_container(m), 0);
}

static int append_command(sd_bus_message *m, const Command *c) {
    int r;

    r = sd_bus_message_open_container(m, 'r', "ssssa(" ARGUMENT_SIGNATURE ")");
    if (r >= 0)
        r = sd_bus_message_append(m, "sss", c->name, command_kind_to_string(c->kind), c->summary);
    if (r >= 0)
        r = append_source(m, c);
    if (r >= 0)
        r = sd_bus_message_open_container(m, 'a', "(" ARGUMENT_SIGNATURE ")");
    for (size_t i = 0; i < c->n_arguments && r >= 0; i++)
        if (argument_is_public(&c->arguments[i]))
            r = append_argument(m, &c->arguments[i]);
    if (r >= 0)
        r = sd_bus_message_close_container(m);
    return r < 0 ? r : sd_bus_message_close_container(m);
}

static int method_list_commands(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
    const Command *const *commands;
    size_t n;

    commands = command_list(&n);
    TRY(sd_bus_message_new_method_return(m, &reply));
    TRY(sd_bus_message_open_container(reply, 'a', "(ssssa(" ARGUMENT_SIGNATURE "))"));
    for (size_t i = 0; i < n; i++)
        TRY(append_command(reply, commands[i]));
    TRY(sd_bus_message_close_container(reply));
    TRY(append_broken(reply));
    return sd_bus_send(NULL, reply, NULL);
}

static int append_user(const StoredUser *user, void *userdata) {
    sd_bus_message *m = userdata;

    TRY(sd_bus_message_open_container(m, 'r', "ssbt"));
    TRY(append_string(m, user->name));
    TRY(append_string(m, user->agent_id));
    TRY(sd_bus_message_append(m, "bt", user->is_administrator, user->created_usec));
    return MIN(sd_bus_message_close_container(m), 0);
}

static int method_list_users(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
    AgentObject *o = userdata;

    TRY(sd_bus_message_new_method_return(m, &reply));
    TRY(sd_bus_message_open_container(reply, 'a', "(ssbt)"));
    TRY(store_visit_users(agent_get_store(o->agent), append_user, reply));
    TRY(sd_bus_message_close_container(reply));
    return sd_bus_send(NULL, reply, NULL);
}

static int method_list_alerts(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    AgentObject *o = userdata;

    return bus_list_alerts(m, agent_get_store(o->agent));
}

static int refuse_reload(const AgentObject *o, sd_bus_error *error) {
    _cleanup_free_ char *why = NULL;

    TRY(bus_text_new(strempty(agent_view(o->agent).reload_error), &why));
    return sd_bus_error_setf(error, ERROR_UNUSABLE, "%s", why);
}

static int method_reload(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    AgentObject *o = userdata;
    int r;

    r = agent_reload(o->agent);
    if (r == -EINVAL)
        return refuse_reload(o, error);
    return r < 0 ? r : sd_bus_reply_method_return(m, NULL);
}

static int method_cancel(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    AgentObject *o = userdata;
    const char *guid;
    int r;

    TRY(sd_bus_message_read(m, "s", &guid));
    r = agent_cancel(o->agent, guid);
    if (r == -ENOENT)
        return sd_bus_error_setf(error, ERROR_NO_SUCH_REQUEST, "There is no request %.*s",
                                 UTF8_SHORT(guid, 256));
    if (r == -EALREADY)
        return sd_bus_error_setf(error, ERROR_NOT_AT_WORK, "Request %.*s is not running",
                                 UTF8_SHORT(guid, 256));
    return r < 0 ? r : sd_bus_reply_method_return(m, NULL);
}

static int method_pause(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    AgentObject *o = userdata;
    int refuse;

    TRY(sd_bus_message_read(m, "b", &refuse));
    TRY(agent_set_pause(o->agent, refuse ? AGENT_REFUSING : AGENT_PAUSED));
    return sd_bus_reply_method_return(m, NULL);
}

static int method_resume(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    AgentObject *o = userdata;

    TRY(agent_set_pause(o->agent, AGENT_RUNS));
    return sd_bus_reply_method_return(m, NULL);
}

static int method_reconnect(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    AgentObject *o = userdata;

    agent_reconnect(o->agent);
    return sd_bus_reply_method_return(m, NULL);
}

static int method_unregister(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    AgentObject *o = userdata;

    return bus_unregister(m, o->agent, error);
}

#define CHANGING(name, signature, get)                                                             \
    SD_BUS_PROPERTY(name, signature, get, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE)
#define CONSTANT(name, signature, get)                                                             \
    SD_BUS_PROPERTY(name, signature, get, 0, SD_BUS_VTABLE_PROPERTY_CONST)

static const sd_bus_vtable vtable[] = {
    SD_BUS_VTABLE_START(0),
    CONSTANT("Version", "s", property_get_string),
    CONSTANT("ProtocolVersion", "u", property_get_protocol_version),
    CHANGING("State", "s", property_get_string),
    CHANGING("StatusText", "s", property_get_string),
    CHANGING("AgentId", "s", property_get_string),
    CHANGING("ServerName", "s", property_get_string),
    CHANGING("CloudType", "s", property_get_string),
    CHANGING("InstanceId", "s", property_get_string),
    CHANGING("CloudProblem", "s", property_get_string),
    CHANGING("ManagerUrl", "s", property_get_string),
    CHANGING("ConnectedSinceUSec", "t", property_get_usec),
    CHANGING("Proxy", "s", property_get_string),
    CHANGING("PeerAddress", "s", property_get_string),
    CHANGING("TlsSession", "s", property_get_string),
    CHANGING("CertificateEndUSec", "t", property_get_usec),
    CHANGING("FailedStep", "s", property_get_string),
    CHANGING("PauseMode", "s", property_get_string),
    CHANGING("JobProblem", "s", property_get_string),
    CHANGING("StoreProblem", "s", property_get_string),
    CHANGING("Problems", "a(sus)", property_get_problems),
    SD_BUS_PROPERTY("Initialized", "b", property_get_initialized, 0, 0),
    SD_BUS_PROPERTY("VolumeProblems", "as", property_get_volume_problems, 0, 0),
    CHANGING("RequestCounts", "a{su}", property_get_counts),
    SD_BUS_METHOD_WITH_ARGS("ListRequests", SD_BUS_ARGS("u", limit),
                            SD_BUS_RESULT("a(sssttti)", requests), method_list_requests,
                            SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD_WITH_ARGS("GetRequest", SD_BUS_ARGS("s", guid), SD_BUS_RESULT("a{sv}", request),
                            method_get_request, 0),
    SD_BUS_METHOD_WITH_ARGS("ListJobs", SD_BUS_NO_ARGS, SD_BUS_RESULT("a(ssssustis)", jobs),
                            method_list_jobs, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD_WITH_ARGS("ListBackups", SD_BUS_NO_ARGS,
                            SD_BUS_RESULT("a(ssttssttutst)", backups), bus_method_list_backups,
                            SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD_WITH_ARGS(
        "ListCommands", SD_BUS_NO_ARGS,
        SD_BUS_RESULT("a(ssssa(" ARGUMENT_SIGNATURE "))", commands, "a(ss)", broken),
        method_list_commands, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD_WITH_ARGS("ListUsers", SD_BUS_NO_ARGS, SD_BUS_RESULT("a(ssbt)", users),
                            method_list_users, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD_WITH_ARGS("ListAlerts", SD_BUS_ARGS("u", limit),
                            SD_BUS_RESULT("a(sstiissss)", alerts), method_list_alerts, 0),
    SD_BUS_METHOD_WITH_ARGS("Cancel", SD_BUS_ARGS("s", guid), SD_BUS_NO_RESULT, method_cancel, 0),
    SD_BUS_METHOD_WITH_ARGS("Pause", SD_BUS_ARGS("b", refuse), SD_BUS_NO_RESULT, method_pause, 0),
    SD_BUS_METHOD_WITH_ARGS("Resume", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, method_resume, 0),
    SD_BUS_METHOD_WITH_ARGS("Reconnect", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, method_reconnect, 0),
    SD_BUS_METHOD_WITH_ARGS("Reload", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, method_reload, 0),
    SD_BUS_METHOD_WITH_ARGS("Unregister", SD_BUS_NO_ARGS, SD_BUS_RESULT("b", told),
                            method_unregister, 0),
    SD_BUS_SIGNAL_WITH_ARGS("RequestChanged", SD_BUS_ARGS("s", guid, "s", command, "s", state), 0),
    SD_BUS_SIGNAL("JobsChanged", "", 0),
    SD_BUS_VTABLE_END,
};

static void on_status(void *userdata) {
    AgentObject *o = userdata;

    (void)sd_bus_emit_properties_changed(
        o->bus, AGENT_BUS_PATH, INTERFACE, "State", "StatusText", "AgentId", "ServerName",
        "ManagerUrl", "ConnectedSinceUSec", "Proxy", "PeerAddress", "TlsSession",
        "CertificateEndUSec", "FailedStep", "PauseMode", "JobProblem", "StoreProblem", "Problems",
        "CloudType", "InstanceId", "CloudProblem", NULL);
}

static int on_counts_timer(sd_event_source *source, uint64_t usec, void *userdata) {
    AgentObject *o = userdata;

    (void)sd_bus_emit_properties_changed(o->bus, AGENT_BUS_PATH, INTERFACE, "RequestCounts", NULL);
    return 0;
}

static int on_jobs_timer(sd_event_source *source, uint64_t usec, void *userdata) {
    AgentObject *o = userdata;

    (void)sd_bus_emit_signal(o->bus, AGENT_BUS_PATH, INTERFACE, "JobsChanged", NULL);
    return 0;
}

/* Several calls before the timer expires cause one expiry. */
static void arm(sd_event_source *timer) {
    if (!timer_is_armed(timer))
        (void)timer_arm_in(timer, SIGNAL_INTERVAL_USEC);
}

static void on_jobs(void *userdata) {
    AgentObject *o = userdata;

    arm(o->jobs_timer);
}

static void on_request(const Request *q, RequestState state, void *userdata) {
    _cleanup_free_ char *guid = NULL, *command = NULL;
    AgentObject *o = userdata;

    if (!q->quiet && bus_text_new(q->task.guid, &guid) >= 0 &&
        bus_text_new(q->task.command, &command) >= 0)
        (void)sd_bus_emit_signal(o->bus, AGENT_BUS_PATH, INTERFACE, "RequestChanged", "sss", guid,
                                 command, request_state_to_string(state));
    arm(o->counts_timer);
}

static void on_sample(const Stat *stat, const Series *series, void *userdata) {
    AgentObject *o = userdata;

    health_object_sampled(o->health, stat, series);
}

AgentObject *agent_object_free(AgentObject *o) {
    if (!o)
        return NULL;
    agent_set_observer(o->agent, &(const AgentObserver){});
    health_object_free(o->health);
    sd_event_source_disable_unref(o->counts_timer);
    sd_event_source_disable_unref(o->jobs_timer);
    sd_bus_slot_unref(o->slot);
    sd_bus_unref(o->bus);
    free(o);
    return NULL;
}
DEFINE_CLEANUP(AgentObject *, agent_object_free)

int agent_object_new(sd_bus *bus, Agent *agent, AgentObject **ret) {
    _cleanup_(agent_object_freep) AgentObject *o = calloc(1, sizeof(*o));

    if (!o)
        return -ENOMEM;
    o->bus = sd_bus_ref(bus);
    o->agent = agent;
    TRY(sd_bus_add_object_vtable(bus, &o->slot, AGENT_BUS_PATH, INTERFACE, vtable, o));
    TRY(health_object_new(bus, AGENT_BUS_PATH, agent, &o->health));
    TRY(timer_new(sd_bus_get_event(bus), 0, on_counts_timer, o, &o->counts_timer));
    TRY(timer_new(sd_bus_get_event(bus), 0, on_jobs_timer, o, &o->jobs_timer));
    agent_set_observer(agent, &(const AgentObserver){.on_status = on_status,
                                                     .on_request = on_request,
                                                     .on_jobs = on_jobs,
                                                     .on_sample = on_sample,
                                                     .userdata = o});
    *ret = TAKE_PTR(o);
    return 0;
}
