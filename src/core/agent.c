/* SPDX-License-Identifier: Apache-2.0 */
#include "core/agent.h"

#include <stdio.h>

#include "basic/bounds.h"
#include "basic/log-fields.h"
#include "basic/log.h"
#include "basic/service.h"
#include "basic/timer.h"
#include "basic/utf8.h"
#include "commands/command-list.h"
#include "commands/facts.h"
#include "commands/stat-commands.h"
#include "core/alerting.h"
#include "core/config-render.h"
#include "core/connection-options.h"
#include "core/farewell.h"
#include "core/halt.h"
#include "core/identity.h"
#include "core/local-files.h"
#include "core/notes.h"
#include "core/output-retention.h"
#include "core/overview.h"
#include "core/policy-watch.h"
#include "core/retention.h"
#include "core/sealing.h"
#include "core/storage.h"
#include "core/termination.h"
#include "job/job-result.h"
#include "request/job-list.h"
#include "site/command-file.h"
#include "system/memory.h"

#define LARGE_MESSAGE_SIZE ((size_t)256 * 1024)

struct Agent {
    sd_event *event;
    AgentPaths paths;
    AgentObserver observer;
    Problems *problems;
    PolicyWatch *policy_watch;
    Config config;
    CommandFacts facts;
    char *database;
    Store *store;
    Identity *identity;
    Health *health;
    Uplink *uplink;
    Cloud *cloud;
    Console *console;
    Voices *voices;
    Trouble *trouble;
    RequestFlow *flow;
    Dispatcher *dispatcher;
    Alerting *alerting;
    Retention *retention;
    Termination *termination;
    Farewell *farewell;
    OutputRetention *output_retention;
    sd_event_source *trim_timer;
    bool was_connected;
    AgentPause pause;
    char *reload_error; /* NULL: the last reload succeeded */
    const char *ending; /* why it ends for good, for people; NULL: it does not */
    int store_error;    /* negative errno: the database cannot be written */
    bool stopping;      /* by HEMLOCK, or broken: further messages are ignored */
};

static int make_offer(char **ret, size_t *ret_size, void *userdata) {
    char address[INET6_ADDRSTRLEN];
    Agent *a = userdata;

    connection_get_local_address(uplink_get_connection(a->uplink), address);
    return identity_make_offer(a->identity, request_flow_get_agent_id(a->flow),
                               cloud_get_identity(a->cloud), address, ret, ret_size);
}

static void on_token_stale(void *userdata) {
    Agent *a = userdata;

    identity_replace_token(a->identity);
}

static void on_open(const HandshakeAnswer *answer, void *userdata) {
    Agent *a = userdata;

    identity_accepted(a->identity);
    command_facts_opened(&a->facts, answer);
    console_log(a->console, a->was_connected ? LOG_INFO : LOG_CRIT, "The agent has %sconnected.",
                a->was_connected ? "re" : "");
    if (!a->was_connected)
        agent_pause_remind(a->pause, a->console);
    a->was_connected = true;
    request_flow_opened(a->flow, answer->agent_id, answer->customer_id);
    alerts_opened(alerting_get_alerts(a->alerting));
    uplink_set_identity(a->uplink, agent_view(a).agent_id, a->facts.server_name);
    cloud_network_is_up(a->cloud);
}

static void on_closed(void *userdata) {
    Agent *a = userdata;

    request_flow_closed(a->flow);
    alerts_closed(alerting_get_alerts(a->alerting));
}

static void on_status(void *userdata) {
    Agent *a = userdata;

    if (a->observer.on_status)
        a->observer.on_status(a->observer.userdata);
}

static void on_message(const char *text, size_t size, bool is_text, void *userdata) {
    Agent *a = userdata;

    if (size >= LARGE_MESSAGE_SIZE)
        memory_trim_later(a->trim_timer); /* of it and its consequences */
    if (!a->stopping)
        dispatcher_message(a->dispatcher, text, size, is_text);
}

void agent_stop_for_good(Agent *a, const char *why) {
    a->ending = why;
    a->stopping = true;
    agent_halt(a->event, a->flow, a->pause);
}

static void on_hemlock(void *userdata) {
    (void)log_struct(LOG_CRIT, 0, LOG_FIELDS(LOG_ID(DCM_MESSAGE_HEMLOCK)),
                     "The manager ordered this agent to stop; its jobs are stopped too");
    agent_stop_for_good(userdata, ENDING_ORDERED);
}

static int on_sealing(sd_event_source *source, void *userdata) {
    Agent *a = userdata;

    log_notice("This server is ready to become an image: the agent ends, and its identity goes");
    agent_stop_for_good(a, a->ending);
    return 0;
}

/* What people should know besides the connection. */
static void apply_notes(Agent *a) {
    char notes[UPLINK_NOTES_SIZE];

    notes_format(
        &(const Notes){
            .reload_error = uplink_is_usable(a->uplink) ? a->reload_error : NULL,
            .pause = agent_pause_to_string(a->pause),
            .store_error = a->store_error,
            .trouble = trouble_get(a->trouble),
            .is_terminating = termination_is_ordered(a->termination),
            .problems = a->problems,
        },
        notes, sizeof(notes));
    uplink_set_notes(a->uplink, notes);
}

static void on_request_changed(const Request *q, RequestState state, void *userdata) {
    Agent *a = userdata;

    termination_request_changed(a->termination, q, state);
    if (!a->ending && sealing_is_due(a->paths.seal_order, a->store, q, state) &&
        sd_event_add_defer(a->event, NULL, on_sealing, a) >= 0)
        a->ending = ENDING_SEALED;
    apply_notes(a);
    if (a->observer.on_request)
        a->observer.on_request(q, state, a->observer.userdata);
}

static void on_jobs_changed(void *userdata) {
    Agent *a = userdata;

    if (a->observer.on_jobs)
        a->observer.on_jobs(a->observer.userdata);
}

static void on_store(int error, void *userdata) {
    Agent *a = userdata;

    a->store_error = error;
    apply_notes(a);
    on_status(a);
}

static void on_trouble(const char *text, void *userdata) {
    Agent *a = userdata;

    if (a->stopping)
        return;
    console_log(a->console, LOG_WARNING, "%s%s",
                text ? "Jobs do not start: " : "No job is held up any more.", strempty(text));
    apply_notes(a);
    on_status(a);
}

/* All open work is in the store and in systemd: a new process resumes it. */
static void on_broken(int error, void *userdata) {
    Agent *a = userdata;

    if (a->stopping)
        return;
    a->stopping = true;
    (void)log_error_errno(error, "The agent cannot continue and restarts: %m");
    (void)sd_event_exit(a->event, EXIT_FAILURE);
}

static void on_damaged(void *userdata) {
    Agent *a = userdata;

    storage_note_damage(a->database);
    on_broken(-EUCLEAN, a);
}

static void apply_alert_rules(Agent *a) {
    _cleanup_(alert_rules_done) AlertRules rules = {};
    int r;

    r = local_files_load_rules(&a->paths, a->problems, &rules);
    if (r >= 0)
        r = alerting_set_rules(a->alerting, &rules);
    if (r < 0)
        (void)log_error_errno(r, "The alert rules cannot be applied: %m");
}

static void on_policy_changed(void *userdata) {
    Agent *a = userdata;

    (void)local_files_check_policy(&a->paths, a->problems);
    apply_notes(a);
    on_status(a);
}

/* 1: the set of commands has changed. */
static int load_commands(Agent *a) {
    int r = local_files_load_commands(&a->paths, a->problems);

    return r < 0 ? log_error_errno(r, "The commands of this machine cannot be read: %m") : r;
}

static void apply(Agent *a) {
    request_flow_configure(a->flow, &(const RequestFlowOptions){
                                        .retransmission_usec = a->config.retransmission_usec,
                                        .workers = (unsigned)a->config.workers,
                                        .long_workers = (unsigned)a->config.long_workers,
                                        .jobs = {.keep_processes = a->config.keep_processes,
                                                 .reply_output_max = a->config.reply_output_max},
                                    });
    retention_configure(a->retention, a->config.db_timeout_usec, a->config.retain_job_usec);
    output_retention_configure(a->output_retention, a->config.retain_job_usec,
                               a->config.output_budget);
    dispatcher_set_max_at_once(a->dispatcher, a->config.max_at_once);
    if (alerting_configure(a->alerting, &a->config) < 0)
        log_oom();
    (void)console_set_level(a->console, a->config.console_level);
    if (overview_configure(a->health, a->config.health_interval_usec, a->config.health_history) < 0)
        local_files_note_value(a->problems, &a->config, "health", "history",
                               "[health] interval and history need more memory than samples may "
                               "use");
    apply_alert_rules(a);
    (void)local_files_check_policy(&a->paths, a->problems);
    log_set_level(log_level_from_string(a->config.log_level));
    apply_notes(a);
}

static int connect_as_configured(Agent *a) {
    return uplink_configure(a->uplink, &a->config, a->paths.config_directory);
}

/* The first handshake waits for the cloud's answer. A later answer needs another handshake. */
static void on_cloud(int answer, void *userdata) {
    Agent *a = userdata;

    cloud_log(a->cloud, answer);
    if (answer == CLOUD_CHANGE_OFFER)
        uplink_reconnect(a->uplink);
    if (connect_as_configured(a) < 0)
        log_oom();
    on_status(a);
}

/* -EINVAL: the agent could not connect. Not to be configured is no mistake. */
static int check_usable(Agent *a, const Config *fresh) {
    char error[OPTIONS_ERROR_SIZE];
    int r;

    r = uplink_check(fresh, a->paths.config_directory, error);
    if (r != -EINVAL)
        return free_and_strdup(&a->reload_error, NULL) ?: r == -ENODATA ? 0 : MIN(r, 0);
    TRY(free_and_strdup(&a->reload_error, error));
    (void)log_struct(LOG_ERR, 0, LOG_FIELDS(LOG_ID(DCM_MESSAGE_RELOAD_FAILED)),
                     "The reload failed: %s", error);
    return -EINVAL;
}

static int apply_files(Agent *a) {
    int r;

    r = load_commands(a);
    apply(a);
    if (r > 0) {
        log_info("The set of commands changed: reconnecting to announce it to the manager");
        uplink_reconnect(a->uplink);
    }
    if (!cloud_is_settled(a->cloud)) /* the first handshake waits for that answer */
        return 0;
    r = connect_as_configured(a);
    (void)cloud_ask(a->cloud);
    return r;
}

int agent_reload(Agent *a) {
    _cleanup_(config_done) Config fresh = {};
    bool is_usable;
    int r;

    r = local_files_load_config(&a->paths, a->problems, &fresh);
    if (r < 0)
        return log_error_errno(r, "The configuration cannot be read: %m");
    r = check_usable(a, &fresh);
    is_usable = r >= 0;
    if (!is_usable && (r != -EINVAL || uplink_is_usable(a->uplink))) {
        apply_notes(a);
        on_status(a);
        return r;
    }
    config_done(&a->config);
    a->config = fresh;
    fresh = (Config){};
    r = apply_files(a);
    if (is_usable)
        log_info("Configuration reloaded");
    return is_usable ? r : -EINVAL;
}

void agent_reconnect(Agent *a) {
    log_info("Reconnecting, as ordered on this machine");
    uplink_reconnect(a->uplink);
}

static void apply_pause(Agent *a, AgentPause pause) {
    a->pause = pause;
    request_flow_set_paused(a->flow, pause != AGENT_RUNS, agent_pause_to_string(pause));
    dispatcher_set_refusing(a->dispatcher, pause == AGENT_REFUSING);
}

/* Commits the open transaction first. */
static int store_fact(Agent *a, const char *key, const char *value) {
    TRY(a->flow ? request_flow_commit(a->flow) : 0);
    return store_set_fact(a->store, key, value);
}

int agent_set_pause(Agent *a, AgentPause pause) {
    TRY(store_fact(a, STORE_META_PAUSE, agent_pause_to_string(pause)));
    apply_pause(a, pause);
    agent_pause_announce(pause, a->console);
    apply_notes(a);
    on_status(a);
    return 0;
}

int agent_cancel(Agent *a, const char *guid) {
    return job_list_cancel(a->flow, guid);
}

/* systemd does not start it again. */
static void on_leave(void *userdata) {
    Agent *a = userdata;

    (void)sd_event_exit(a->event, EXIT_HEMLOCK);
}

static int build_requests(Agent *a) {
    static const RequestFlowCallbacks callbacks = {
        .on_changed = on_request_changed,
        .on_store = on_store,
        .on_broken = on_broken,
    };
    _cleanup_free_ char *agent_id = NULL;
    RequestFlowParts parts = {
        .connection = uplink_get_connection(a->uplink),
        .console = a->console,
        .runner =
            {
                .store = a->store,
                .voices = a->voices,
                .jobs_root = a->paths.jobs_directory,
                .facts = &a->facts,
            },
    };
    int r;

    TRY(trouble_new(on_trouble, a, &a->trouble));
    parts.runner.trouble = a->trouble;
    TRY(termination_new(a->event, a->store, a->paths.jobs_directory, on_leave, a, &a->termination));
    TRY(identity_load_agent_id(a->store, &agent_id));
    parts.agent_id = agent_id;
    r = request_flow_new(a->event, &parts, &callbacks, a, &a->flow);
    if (r >= 0) {
        job_list_observe(a->flow, on_jobs_changed, a);
        voices_set_observer(a->voices, on_jobs_changed, a);
    }
    if (r >= 0)
        r = alerting_new(a->event, a->store, a->health, a->flow, parts.connection, &a->alerting);
    if (r >= 0)
        r = dispatcher_new(a->flow, alerting_get_alerts(a->alerting), a->console, on_hemlock, a,
                           &a->dispatcher);
    if (r >= 0)
        r = farewell_new(a->event, parts.connection, a->store, a->flow, a->dispatcher, a->identity,
                         &a->farewell);
    if (r >= 0)
        r = retention_new(a->event, a->store, a->flow, a->paths.jobs_directory, &a->retention);
    if (r >= 0)
        r = output_retention_new(a->event, a->store, a->flow, a->paths.jobs_directory,
                                 &a->output_retention);
    return r;
}

static void on_sample(const Stat *stat, const Series *series, void *userdata) {
    Agent *a = userdata;

    alerting_sampled(a->alerting, stat, series);
    if (a->observer.on_sample)
        a->observer.on_sample(stat, series, a->observer.userdata);
}

static int build_facts(Agent *a) {
    int r;

    r = health_new(a->event, "/", &a->health);
    if (r >= 0)
        health_set_observer(a->health, on_sample, a);
    if (r >= 0)
        r = stat_definitions_load(a->store, a->health);
    a->facts.health = a->health;
    a->facts.connection = uplink_get_connection(a->uplink);
    return r;
}

static int build(Agent *a) {
    static const UplinkCallbacks callbacks = {
        .make_offer = make_offer,
        .on_token_stale = on_token_stale,
        .on_open = on_open,
        .on_closed = on_closed,
        .on_message = on_message,
        .on_status = on_status,
    };
    int r;

    r = uplink_new(a->event, &callbacks, a, &a->uplink);
    if (r >= 0)
        r = cloud_new(a->event, a->paths.cloud_socket, on_cloud, a, &a->cloud);
    if (r >= 0)
        r = build_facts(a);
    if (r >= 0)
        r = console_new(uplink_get_connection(a->uplink), a->config.console_level, &a->console);
    if (r >= 0)
        r = voices_new(a->event, a->console, a->paths.voices_directory, &a->voices);
    if (r >= 0)
        r = build_requests(a);
    if (r >= 0)
        r = memory_trimmer_new(a->event, &a->trim_timer);
    if (r >= 0)
        r = policy_watch_new(a->event, a->paths.policy_file, a->paths.policy_directory,
                             on_policy_changed, a, &a->policy_watch);
    return r < 0 ? log_error_errno(r, "The agent cannot be set up: %m") : 0;
}

static int render_config(char **ret, void *userdata) {
    return config_render(&((const Agent *)userdata)->config, ret);
}

int agent_new(sd_event *event, const AgentPaths *paths, Agent **ret) {
    _cleanup_(agent_freep) Agent *a = calloc(1, sizeof(*a));
    AgentPause pause = AGENT_RUNS;
    int r;

    if (!a)
        return log_oom();
    a->event = sd_event_ref(event);
    a->paths = *paths;
    a->facts = (CommandFacts){.runtime_directory = paths->runtime_directory,
                              .render_config = render_config,
                              .userdata = a};
    if (asprintf(&a->database, "%s/requests.db", paths->state_directory) < 0)
        return log_oom();
    if (problems_new(local_files_log_problem, &a->problems) < 0)
        return log_oom();
    r = local_files_load_config(&a->paths, a->problems, &a->config);
    if (r < 0)
        return log_error_errno(r, "The configuration cannot be read: %m");
    TRY(load_commands(a));
    TRY(storage_open(a->database, &a->store));
    store_set_on_damaged(a->store, on_damaged, a); /* the next step reads it */
    TRY(identity_new(&a->config, a->store, paths->state_directory, &a->identity));
    TRY(build(a));
    TRY(agent_pause_load(a->store, &pause));
    apply_pause(a, pause);
    apply(a);
    *ret = TAKE_PTR(a);
    return 0;
}

Agent *agent_free(Agent *a) {
    if (!a)
        return NULL;
    a->stopping = true; /* what is freed is no news */
    if (a->console)
        console_log(a->console, LOG_CRIT, "The agent is shutting down.");
    if (a->flow) /* while everything is there that a change of a request concerns */
        (void)request_flow_commit(a->flow);
    sd_event_source_disable_unref(a->trim_timer);
    termination_free(a->termination);
    retention_free(a->retention);
    output_retention_free(a->output_retention);
    farewell_free(a->farewell);
    dispatcher_free(a->dispatcher);
    alerting_free(a->alerting);
    request_flow_free(a->flow);
    voices_free(a->voices);
    trouble_free(a->trouble);
    console_free(a->console);
    uplink_free(a->uplink);
    cloud_free(a->cloud);
    health_free(a->health);
    identity_free(a->identity);
    store_close(a->store);
    policy_watch_free(a->policy_watch);
    problems_free(a->problems);
    config_done(&a->config);
    free(a->database);
    command_facts_done(&a->facts);
    free(a->reload_error);
    command_list_clear();
    sd_event_unref(a->event);
    free(a);
    return NULL;
}

Voices *agent_get_voices(const Agent *a) {
    return a->voices;
}

void agent_set_observer(Agent *a, const AgentObserver *observer) {
    a->observer = *observer;
}

int agent_start(Agent *a) {
    console_log(a->console, LOG_CRIT, "The agent has started.");
    return cloud_ask(a->cloud);
}

int agent_set_bus(Agent *a, sd_bus *bus) {
    health_set_bus(a->health, bus);
    retention_set_bus(a->retention, bus);
    (void)termination_set_bus(a->termination, bus);
    output_retention_set_bus(a->output_retention, bus);
    return request_flow_set_bus(a->flow, bus);
}

Farewell *agent_get_farewell(const Agent *a) {
    return a->farewell;
}

const Uplink *agent_get_uplink(const Agent *a) {
    return a->uplink;
}

Health *agent_get_health(const Agent *a) {
    return a->health;
}

AgentView agent_view(const Agent *a) {
    return (AgentView){
        .agent_id = strempty(request_flow_get_agent_id(a->flow)),
        .server_name = strempty(a->facts.server_name),
        .pause = agent_pause_to_string(a->pause),
        .cloud = cloud_get_identity(a->cloud),
        .trouble = strempty(trouble_get(a->trouble)),
        .store_problem = a->store_error < 0 ? strerror(-a->store_error) : "",
        .is_terminating = termination_is_ordered(a->termination),
        .ending = a->ending,
        .reload_error = a->reload_error,
        .problems = a->problems,
    };
}

const RequestFlow *agent_get_flow(const Agent *a) {
    return a->flow;
}

Store *agent_get_store(const Agent *a) {
    (void)request_flow_commit(a->flow);
    return a->store;
}
