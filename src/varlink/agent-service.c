/* SPDX-License-Identifier: Apache-2.0 */
/* Callers do not name their job: the unit of the process that waits for the answer identifies
 * it. */
#include "varlink/agent-service.h"

#include <syslog.h>

#include "basic/bounds.h"
#include "basic/log.h"
#include "basic/time-util.h"
#include "basic/timer.h"
#include "varlink/caller.h"
#include "varlink/descriptions.h"
#include "varlink/server.h"

#define ERROR_PREFIX "org.varlink.service."
#define ERROR_NOT_A_JOB "org.dcmagent.Job.NotAJob"
#define ERROR_NOT_NOW "org.dcmagent.Job.NotNow"
#define UNIT_PREFIX "dcm-job-" /* guid_to_unit_name() */

/* a job may call before the agent knows that it runs */
#define UNKNOWN_USEC (5 * USEC_PER_SEC)
#define UNKNOWN_AGAIN_USEC (50 * USEC_PER_MSEC)

struct AgentService {
    sd_event *event;
    sd_bus *bus;
    Agent *agent;
    VarlinkServer *server;
};

/* A waiting call of a job: until systemd has named its unit, or until the next second. */
typedef struct JobCall {
    AgentService *service;
    VarlinkConnection *connection;
    Caller *caller;
    char *unit;
    uint64_t begin_usec;
    sd_event_source *timer;
    bool is_progress;
    int level;
    int64_t percent;
    char *text;
} JobCall;

static JobCall *job_call_free(JobCall *j) {
    if (!j)
        return NULL;
    caller_free(j->caller);
    sd_event_source_disable_unref(j->timer);
    free(j->unit);
    free(j->text);
    free(j);
    return NULL;
}
DEFINE_CLEANUP(JobCall *, job_call_free)

static void on_gone(VarlinkConnection *c, void *userdata) {
    job_call_free(varlink_connection_get_data(c));
    varlink_connection_set_data(c, NULL);
}

static void fail_parameter(VarlinkConnection *c, const char *name) {
    struct json_object *o = json_object_new_object();

    if (o)
        (void)json_add_string(o, "parameter", name);
    varlink_fail(c, ERROR_PREFIX "InvalidParameter", o);
}

static void fail_named(VarlinkConnection *c, const char *error, const char *key,
                       const char *value) {
    struct json_object *o = json_object_new_object();

    if (o)
        (void)json_add_string(o, key, value);
    varlink_fail(c, error, o);
}

static bool is_no_job(int error) {
    return error == -ENOENT || error == -ENXIO || error == -ESRCH;
}

/* Ends and frees the call. */
static void end_job_call(JobCall *call, int error) {
    _cleanup_(job_call_freep) JobCall *j = call;
    VarlinkConnection *c = j->connection;

    varlink_connection_set_data(c, NULL);
    if (error < 0)
        log_debug_errno(error, "A message of %s is refused: %m", strempty(j->unit));
    if (error >= 0)
        varlink_answer(c, NULL);
    else
        varlink_fail(c, is_no_job(error) ? ERROR_NOT_A_JOB : ERROR_NOT_NOW, NULL);
}

static void speak(JobCall *j);

static int on_turn(sd_event_source *source, uint64_t usec, void *userdata) {
    speak(userdata);
    return 0;
}

static void speak_later(JobCall *j, uint64_t wait_usec) {
    int r = 0;

    if (!j->timer)
        r = timer_new(j->service->event, UNKNOWN_AGAIN_USEC / 2, on_turn, j, &j->timer);
    if (r >= 0)
        r = timer_arm_in(j->timer, wait_usec);
    if (r < 0)
        end_job_call(j, r);
}

static bool may_become_known(const JobCall *j) {
    return strncmp(j->unit, UNIT_PREFIX, strlen(UNIT_PREFIX)) == 0 &&
           now_usec(CLOCK_BOOTTIME) - j->begin_usec < UNKNOWN_USEC;
}

static void speak(JobCall *j) {
    Voices *v = agent_get_voices(j->service->agent);
    uint64_t wait_usec = UNKNOWN_AGAIN_USEC;
    int r;

    if (j->is_progress)
        r = voices_progress(v, j->unit, (unsigned)j->percent, j->text);
    else
        r = voices_log(v, j->unit, j->level, j->text, &wait_usec);
    if (r == -EAGAIN || (r == -ENOENT && may_become_known(j)))
        speak_later(j, wait_usec);
    else
        end_job_call(j, r);
}

static void on_caller(int error, const char *unit, void *userdata) {
    JobCall *j = userdata;

    if (error >= 0)
        error = unit ? free_and_strdup(&j->unit, unit) : -ENXIO;
    if (error >= 0)
        speak(j);
    else
        end_job_call(j, error);
}

static void ask_for_caller(AgentService *s, VarlinkConnection *c, JobCall *call) {
    _cleanup_(job_call_freep) JobCall *j = call;
    int pid_fd, r;
    pid_t pid = varlink_connection_get_peer(c, &pid_fd);

    j->service = s;
    j->connection = c;
    j->begin_usec = now_usec(CLOCK_BOOTTIME);
    r = caller_new(s->bus, pid, pid_fd, on_caller, j, &j->caller);
    if (r < 0)
        end_job_call(TAKE_PTR(j), r);
    else
        varlink_connection_set_data(c, TAKE_PTR(j));
}

static int read_level(const char *s) {
    static const struct {
        const char *name;
        int level;
    } levels[] = {
        {"debug", LOG_DEBUG}, {"info", LOG_INFO}, {"warning", LOG_WARNING}, {"error", LOG_ERR}};

    for (size_t i = 0; s && i < ELEMENTSOF(levels); i++)
        if (strcasecmp(s, levels[i].name) == 0)
            return levels[i].level;
    return -EINVAL;
}

static void method_log(AgentService *s, VarlinkConnection *c, struct json_object *parameters) {
    _cleanup_(job_call_freep) JobCall *j = calloc(1, sizeof(*j));
    const char *line = json_get_string(parameters, "line");

    if (j)
        j->text = strdup(strempty(line));
    if (!j || !j->text) {
        fail_parameter(c, "line");
        return;
    }
    j->level = read_level(json_get_string(parameters, "level"));
    if (j->level < 0)
        fail_parameter(c, "level");
    else if (!line)
        fail_parameter(c, "line");
    else
        ask_for_caller(s, c, TAKE_PTR(j));
}

static void method_progress(AgentService *s, VarlinkConnection *c, struct json_object *parameters) {
    _cleanup_(job_call_freep) JobCall *j = calloc(1, sizeof(*j));
    const char *text = json_get_string(parameters, "text");

    if (j)
        j->text = strdup(strempty(text));
    if (!j || !j->text || (json_get(parameters, "text") && !text)) {
        fail_parameter(c, "text");
        return;
    }
    j->is_progress = true;
    if (json_to_integer(json_get(parameters, "percent"), &j->percent) < 0 || j->percent < 0 ||
        j->percent > 100)
        fail_parameter(c, "percent");
    else
        ask_for_caller(s, c, TAKE_PTR(j));
}

static int add_counts(Agent *a, struct json_object *o) {
    _cleanup_json_ struct json_object *counts = json_object_new_object();
    unsigned n[_REQUEST_STATE_MAX] = {};

    if (!counts)
        return -ENOMEM;
    TRY(store_count_requests(agent_get_store(a), n));
    for (RequestState i = REQUEST_STATE_ACKED; i < _REQUEST_STATE_MAX; i++)
        TRY(json_add_int(counts, request_state_to_string(i), n[i]));
    return json_add(o, "requests", TAKE_PTR(counts));
}

static int make_status(Agent *a, struct json_object *o) {
    const UplinkView u = uplink_view(agent_get_uplink(a));
    const AgentView v = agent_view(a);

    if (!o)
        return -ENOMEM;
    TRY(json_add_string(o, "version", PROJECT_VERSION));
    TRY(json_add_string(o, "state", u.state));
    TRY(json_add_string(o, "status_text", u.status));
    TRY(json_add_string(o, "manager_url", u.url));
    TRY(json_add_string(o, "agent_id", v.agent_id));
    TRY(json_add_string(o, "server_name", v.server_name));
    TRY(json_add_string(o, "pause", v.pause));
    return add_counts(a, o);
}

static void method_get_status(AgentService *s, VarlinkConnection *c,
                              struct json_object *parameters) {
    struct json_object *o = json_object_new_object();
    int r;

    r = make_status(s->agent, o);
    if (r < 0)
        log_warning_errno(r, "The state cannot be sent: %m");
    varlink_answer(c, o);
}

static int make_info(struct json_object *o) {
    _cleanup_json_ struct json_object *list = json_object_new_array();

    if (!o || !list)
        return -ENOMEM;
    for (size_t i = 0; i < varlink_n_descriptions; i++)
        if (json_object_array_add(list, json_object_new_string(varlink_descriptions[i].name)) < 0)
            return -ENOMEM;
    TRY(json_add_string(o, "vendor", "dcm-agent"));
    TRY(json_add_string(o, "product", "dcm-agent"));
    TRY(json_add_string(o, "version", PROJECT_VERSION));
    TRY(json_add_string(o, "url", "man:dcm-agentd(8)"));
    return json_add(o, "interfaces", TAKE_PTR(list));
}

static void method_get_info(AgentService *s, VarlinkConnection *c, struct json_object *parameters) {
    struct json_object *o = json_object_new_object();
    int r;

    r = make_info(o);
    if (r < 0)
        log_warning_errno(r, "The description of the service cannot be sent: %m");
    varlink_answer(c, o);
}

static void method_get_description(AgentService *s, VarlinkConnection *c,
                                   struct json_object *parameters) {
    const char *name = json_get_string(parameters, "interface");
    struct json_object *o;

    for (size_t i = 0; name && i < varlink_n_descriptions; i++) {
        if (!streq(varlink_descriptions[i].name, name))
            continue;
        o = json_object_new_object();
        if (o)
            (void)json_add_string(o, "description", varlink_descriptions[i].text);
        varlink_answer(c, o);
        return;
    }
    if (!name)
        fail_parameter(c, "interface");
    else
        fail_named(c, ERROR_PREFIX "InterfaceNotFound", "interface", name);
}

static const struct {
    const char *name;
    void (*call)(AgentService *s, VarlinkConnection *c, struct json_object *parameters);
} methods[] = {
    {"org.varlink.service.GetInfo", method_get_info},
    {"org.varlink.service.GetInterfaceDescription", method_get_description},
    {"org.dcmagent.Job.Log", method_log},
    {"org.dcmagent.Job.Progress", method_progress},
    {"org.dcmagent.Agent.GetStatus", method_get_status},
};

/* Distinguishes an unknown interface from an unknown method. */
static void fail_unknown(VarlinkConnection *c, const char *method) {
    size_t size = (size_t)(strrchr(method, '.') - method);
    _cleanup_free_ char *interface = strndup(method, size);

    for (size_t i = 0; interface && i < varlink_n_descriptions; i++)
        if (streq(varlink_descriptions[i].name, interface)) {
            fail_named(c, ERROR_PREFIX "MethodNotFound", "method", method);
            return;
        }
    fail_named(c, ERROR_PREFIX "InterfaceNotFound", "interface", strempty(interface));
}

static void on_call(VarlinkConnection *c, const VarlinkCall *call, void *userdata) {
    for (size_t i = 0; i < ELEMENTSOF(methods); i++)
        if (streq(methods[i].name, call->method)) {
            methods[i].call(userdata, c, call->parameters);
            return;
        }
    fail_unknown(c, call->method);
}

int agent_service_new(sd_event *event, sd_bus *bus, Agent *agent, int listen_fd,
                      AgentService **ret) {
    static const VarlinkCallbacks callbacks = {.on_call = on_call, .on_gone = on_gone};
    _cleanup_(agent_service_freep) AgentService *s = calloc(1, sizeof(*s));

    if (!s)
        return -ENOMEM;
    s->event = event;
    s->bus = sd_bus_ref(bus);
    s->agent = agent;
    TRY(varlink_server_new(event, listen_fd, &callbacks, s, &s->server));
    *ret = TAKE_PTR(s);
    return 0;
}

AgentService *agent_service_free(AgentService *s) {
    if (!s)
        return NULL;
    varlink_server_free(s->server);
    sd_bus_unref(s->bus);
    free(s);
    return NULL;
}
