/* SPDX-License-Identifier: Apache-2.0 */
#include "core/agent.h"

#include <inttypes.h>
#include <stdio.h>
#include <systemd/sd-daemon.h>

#include "basic/bounds.h"
#include "basic/log-fields.h"
#include "basic/log.h"
#include "basic/time-util.h"
#include "core/command-table.h"
#include "core/config.h"
#include "core/retention.h"
#include "core/storage.h"
#include "core/token.h"
#include "system/addresses.h"
#include "system/memory.h"
#include "system/platform.h"

#define STATUS_SIZE 512
#define META_INJECTED_ID "injected_id"
#define ENVIRONMENT_INJECTED_ID "DCM_AGENT_INJECTED_ID"
#define LARGE_MESSAGE_SIZE ((size_t)256 * 1024)
#define TRIM_DELAY_USEC (2 * USEC_PER_SEC)
#define HEMLOCK_USEC USEC_PER_SEC

struct Agent {
    sd_event *event;
    AgentPaths paths;
    AgentObserver observer;
    Config config;
    Platform platform;
    char *database, *token_path;
    char token[TOKEN_SIZE];
    char *injected_id;
    Store *store;
    Connection *connection;
    Console *console;
    RequestFlow *flow;
    Dispatcher *dispatcher;
    Retention *retention;
    sd_event_source *trim_timer;
    ConnectionState state;
    char status[STATUS_SIZE];
    char *server_name;
    uint64_t connected_since_usec;
    unsigned n_failures; /* since the last success */
    bool was_connected;
    bool stopping; /* by HEMLOCK, or broken: nothing is taken any more */
};

static void set_status(Agent *a, const char *format, ...) _printf_(2, 3);
static void set_status(Agent *a, const char *format, ...) {
    va_list ap;

    va_start(ap, format);
    (void)vsnprintf(a->status, sizeof(a->status), format, ap);
    va_end(ap);
    (void)sd_notifyf(false, "STATUS=%s", a->status);
    if (a->observer.on_status)
        a->observer.on_status(a->observer.userdata);
}

static struct json_object *make_features(const Agent *a) {
    _cleanup_json_ struct json_object *features = NULL, *plugins = json_object_new_array();
    const Command *commands;
    size_t n;

    if (!plugins || json_object_deep_copy(a->config.features, &features, NULL) < 0)
        return NULL;
    commands = command_table(&n);
    for (size_t i = 0; i < n; i++) {
        struct json_object *name = json_object_new_string(commands[i].name);

        if (!name || json_object_array_add(plugins, name) < 0) {
            (void)json_object_put(name);
            return NULL;
        }
    }
    return json_add(features, "plugins", TAKE_PTR(plugins)) < 0 ? NULL : TAKE_PTR(features);
}

/* Built anew for each connection: addresses change. */
static int make_offer(char **ret, size_t *ret_size, void *userdata) {
    Agent *a = userdata;
    _cleanup_(addresses_done) Addresses addresses = {};
    _cleanup_json_ struct json_object *features = make_features(a);
    int r;

    if (!features)
        return -ENOMEM;
    r = addresses_read(&addresses);
    if (r < 0)
        return r;
    return handshake_offer_encode(
        &(const HandshakeOffer){
            .ipv4 = addresses.ipv4,
            .ipv6 = addresses.ipv6,
            .agent_id = request_flow_get_agent_id(a->flow),
            .token = a->token,
            .injected_id = a->injected_id,
            .version = PROJECT_VERSION,
            .platform = a->config.platform_name ?: a->platform.name,
            .platform_version = a->config.platform_version ?: a->platform.version,
            .features = features,
        },
        ret, ret_size);
}

static void on_token_stale(void *userdata) {
    Agent *a = userdata;
    int r;

    r = token_create(a->token_path, a->token);
    if (r < 0)
        (void)log_error_errno(r, "A new token cannot be written: %m");
    else
        (void)log_struct(LOG_NOTICE, 0, LOG_FIELDS(LOG_ID(DCM_MESSAGE_TOKEN_REPLACED)),
                         "The manager refused the token as another server's; made a new one");
}

static void on_open(const HandshakeAnswer *answer, void *userdata) {
    Agent *a = userdata;
    const char *agent_id;

    a->n_failures = 0;
    a->connected_since_usec = now_usec(CLOCK_REALTIME);
    (void)free_and_strdup(&a->server_name, answer->server_name);
    console_log(a->console, a->was_connected ? LOG_INFO : LOG_CRIT, "The agent has %sconnected.",
                a->was_connected ? "re" : "");
    a->was_connected = true;
    request_flow_opened(a->flow, answer->agent_id);
    agent_id = agent_get_agent_id(a);
    (void)log_struct(LOG_NOTICE, 0,
                     LOG_FIELDS(LOG_ID(DCM_MESSAGE_CONNECTED), LOG_AGENT_ID(agent_id)),
                     "Connected to %s as %s", a->config.agentmanager_url, agent_id);
    set_status(a, "Connected to %s as %s%s%s%s", a->config.agentmanager_url, agent_id,
               a->server_name ? " (" : "", strempty(a->server_name), a->server_name ? ")" : "");
    memory_trim();
}

static int on_trim(sd_event_source *source, uint64_t usec, void *userdata) {
    memory_trim();
    return 0;
}

/* Freed memory stays with the process; after a large message that is worth giving back, once it and
 * what followed from it are gone. */
static void trim_later(Agent *a) {
    if (sd_event_source_set_time_relative(a->trim_timer, TRIM_DELAY_USEC) >= 0)
        (void)sd_event_source_set_enabled(a->trim_timer, SD_EVENT_ONESHOT);
}

static void on_message(const char *text, size_t size, bool is_text, void *userdata) {
    Agent *a = userdata;

    if (size >= LARGE_MESSAGE_SIZE)
        trim_later(a);
    if (!a->stopping)
        dispatcher_message(a->dispatcher, text, size, is_text);
}

/* The first failure and each doubling of their number are worth a line. */
static bool is_power_of_two(unsigned n) {
    return n > 0 && (n & (n - 1)) == 0;
}

static void on_failure(const char *error, bool was_open, uint64_t wait_usec, void *userdata) {
    Agent *a = userdata;
    double wait = (double)wait_usec / (double)USEC_PER_SEC;

    a->connected_since_usec = 0;
    if (was_open) {
        request_flow_closed(a->flow);
        (void)log_struct(LOG_NOTICE, 0, LOG_FIELDS(LOG_ID(DCM_MESSAGE_CONNECTION_LOST)),
                         "The connection to %s ended: %s", a->config.agentmanager_url, error);
    } else {
        a->n_failures++;
        (void)log_struct(is_power_of_two(a->n_failures) ? LOG_WARNING : LOG_DEBUG, 0,
                         LOG_FIELDS(LOG_ID(DCM_MESSAGE_CONNECTION_FAILED)),
                         "Cannot connect to %s: %s (attempt %u, next in %.1f s)",
                         a->config.agentmanager_url, error, a->n_failures, wait);
    }
    set_status(a, "Not connected to %s: %s; next attempt in %.0f s", a->config.agentmanager_url,
               error, wait);
}

static void on_state(ConnectionState state, void *userdata) {
    Agent *a = userdata;

    a->state = state;
    if (state == CONNECTION_RESOLVING && a->n_failures == 0)
        set_status(a, "Connecting to %s", a->config.agentmanager_url);
    else if (a->observer.on_status)
        a->observer.on_status(a->observer.userdata);
    if (state == CONNECTION_TLS && a->config.allow_unknown_certs)
        (void)log_struct(LOG_WARNING, 0, LOG_FIELDS(LOG_ID(DCM_MESSAGE_CERTIFICATE_CHECK_OFF)),
                         "allow_unknown_certs is set: whoever answers as %s is obeyed as root",
                         a->config.agentmanager_url);
}

static int on_hemlock_timer(sd_event_source *source, uint64_t usec, void *userdata) {
    Agent *a = userdata;

    return sd_event_exit(a->event, AGENT_EXIT_HEMLOCK);
}

/* The executor checks who asks, so this process must still be there when it is asked to stop jobs.
 */
static void on_hemlock(void *userdata) {
    Agent *a = userdata;

    (void)log_struct(LOG_CRIT, 0, LOG_FIELDS(LOG_ID(DCM_MESSAGE_HEMLOCK)),
                     "The manager ordered this agent to stop; its jobs are stopped too");
    a->stopping = true;
    request_flow_cancel_all(a->flow);
    if (sd_event_add_time_relative(a->event, NULL, CLOCK_BOOTTIME, HEMLOCK_USEC, 1,
                                   on_hemlock_timer, a) < 0)
        (void)sd_event_exit(a->event, AGENT_EXIT_HEMLOCK);
}

static void on_request_changed(const Request *q, RequestState state, void *userdata) {
    Agent *a = userdata;

    if (a->observer.on_request)
        a->observer.on_request(q, state, a->observer.userdata);
}

/* What is open is in the store and in systemd: a new process takes it up. */
static void on_broken(int error, void *userdata) {
    Agent *a = userdata;

    if (a->stopping)
        return;
    a->stopping = true;
    (void)log_error_errno(error, "The agent cannot go on and starts anew: %m");
    (void)sd_event_exit(a->event, EXIT_FAILURE);
}

static void on_damaged(void *userdata) {
    Agent *a = userdata;

    storage_note_damage(a->database);
    on_broken(-EUCLEAN, a);
}

static void on_config_problem(const char *file, const char *text, void *userdata) {
    (void)log_struct(LOG_WARNING, 0, LOG_FIELDS(LOG_ID(DCM_MESSAGE_CONFIGURATION_INVALID)),
                     "%s: %s", file, text);
}

static void apply_log_level(Agent *a) {
    int level = log_level_from_string(strempty(a->config.log_level));

    if (level < 0)
        on_config_problem(a->paths.config_file, "[logging] level is not a log level", NULL);
    else
        log_set_level(level);
}

static void not_configured(Agent *a, const char *why) {
    connection_stop(a->connection);
    (void)log_struct(LOG_NOTICE, 0, LOG_FIELDS(LOG_ID(DCM_MESSAGE_NOT_CONFIGURED)), "%s", why);
    set_status(a, "%s", why);
}

static int connect_to_manager(Agent *a) {
    _cleanup_(connection_options_done) ConnectionOptions options = {};
    const char *reason = NULL;
    char text[STATUS_SIZE];
    int r;

    if (!a->config.agentmanager_url) {
        (void)snprintf(text, sizeof(text),
                       "Not configured: set agentmanager_url in %s, then reload",
                       a->paths.config_file);
        not_configured(a, text);
        return 0;
    }
    r = url_parse(a->config.agentmanager_url, &options.url, &reason);
    if (r == -ENOMEM)
        return r;
    if (r < 0) {
        (void)snprintf(text, sizeof(text), "agentmanager_url in %s is not usable: %s",
                       a->paths.config_file, strempty(reason));
        not_configured(a, text);
        return 0;
    }
    options.tls.allow_unknown_certs = a->config.allow_unknown_certs;
    options.backoff_usec = a->config.backoff_usec;
    options.max_backoff_usec = a->config.max_backoff_usec;
    options.ping_usec = a->config.ping_usec;
    r = free_and_strdup(&options.tls.ca_cert, a->config.ca_cert);
    return r < 0 ? r : connection_start(a->connection, &options);
}

static void apply(Agent *a) {
    request_flow_configure(a->flow, &(const RequestFlowOptions){
                                        .retransmission_usec = a->config.retransmission_usec,
                                        .workers = (unsigned)a->config.workers,
                                    });
    retention_configure(a->retention, a->config.db_timeout_usec);
    dispatcher_set_max_at_once(a->dispatcher, a->config.max_at_once);
    if (console_set_level(a->console, a->config.console_level) < 0)
        on_config_problem(a->paths.config_file, "[logging] console_level is not a level", NULL);
    apply_log_level(a);
}

static bool same_connection(const Config *a, const Config *b) {
    return streq_ptr(a->agentmanager_url, b->agentmanager_url) &&
           streq_ptr(a->ca_cert, b->ca_cert) && a->allow_unknown_certs == b->allow_unknown_certs &&
           a->backoff_usec == b->backoff_usec && a->max_backoff_usec == b->max_backoff_usec &&
           a->ping_usec == b->ping_usec;
}

int agent_reload(Agent *a) {
    Config fresh = {};
    bool same;
    int r;

    r = config_load(a->paths.config_file, a->paths.config_directory, on_config_problem, a, &fresh);
    if (r < 0)
        return log_error_errno(r, "The configuration cannot be read: %m");
    same = same_connection(&a->config, &fresh);
    config_done(&a->config);
    a->config = fresh;
    apply(a);
    log_info("The configuration was read again");
    return same ? 0 : connect_to_manager(a);
}

/* From the environment once, then remembered. */
static int load_injected_id(Agent *a) {
    const char *given = getenv(ENVIRONMENT_INJECTED_ID);
    int r;

    if (isempty(given))
        return store_get_meta(a->store, META_INJECTED_ID, &a->injected_id);
    r = store_begin(a->store);
    if (r >= 0)
        r = store_set_meta(a->store, META_INJECTED_ID, given);
    if (r >= 0)
        r = store_commit(a->store);
    else
        store_rollback(a->store);
    return r < 0 ? r : free_and_strdup(&a->injected_id, given);
}

static int load_identity(Agent *a) {
    int r;

    r = token_load_or_create(a->token_path, a->token);
    if (r < 0)
        return log_error_errno(r, "The token %s can be neither read nor made: %m", a->token_path);
    r = platform_read(&a->platform);
    if (r < 0)
        return log_error_errno(r, "os-release cannot be read: %m");
    r = load_injected_id(a);
    return r < 0 ? log_error_errno(r, "The injected id cannot be stored: %m") : 0;
}

static int build_requests(Agent *a) {
    static const RequestFlowCallbacks callbacks = {
        .on_changed = on_request_changed,
        .on_broken = on_broken,
    };
    int r;

    r = request_flow_new(a->event, a->store, a->connection, a->console, a->paths.jobs_directory,
                         &callbacks, a, &a->flow);
    if (r >= 0)
        r = dispatcher_new(a->flow, a->console, on_hemlock, a, &a->dispatcher);
    if (r >= 0)
        r = retention_new(a->event, a->store, a->flow, a->paths.jobs_directory, &a->retention);
    return r;
}

static int build(Agent *a) {
    static const ConnectionCallbacks connection_callbacks = {
        .make_offer = make_offer,
        .on_token_stale = on_token_stale,
        .on_open = on_open,
        .on_message = on_message,
        .on_failure = on_failure,
        .on_state = on_state,
    };
    int r;

    r = connection_new(a->event, &connection_callbacks, a, &a->connection);
    if (r >= 0)
        r = console_new(a->connection, a->config.console_level, &a->console);
    if (r >= 0)
        r = build_requests(a);
    if (r >= 0)
        r = sd_event_add_time_relative(a->event, &a->trim_timer, CLOCK_BOOTTIME, 0, 0, on_trim, a);
    if (r >= 0)
        r = sd_event_source_set_enabled(a->trim_timer, SD_EVENT_OFF);
    return r < 0 ? log_error_errno(r, "The agent cannot be set up: %m") : 0;
}

int agent_new(sd_event *event, const AgentPaths *paths, Agent **ret) {
    _cleanup_(agent_freep) Agent *a = calloc(1, sizeof(*a));
    int r;

    if (!a)
        return log_oom();
    a->event = sd_event_ref(event);
    a->paths = *paths;
    if (asprintf(&a->database, "%s/requests.db", paths->state_directory) < 0 ||
        asprintf(&a->token_path, "%s/token", paths->state_directory) < 0)
        return log_oom();
    r = config_load(paths->config_file, paths->config_directory, on_config_problem, a, &a->config);
    if (r < 0)
        return log_error_errno(r, "The configuration cannot be read: %m");
    r = storage_open(a->database, &a->store) ?: load_identity(a) ?: build(a);
    if (r < 0)
        return r;
    store_set_on_damaged(a->store, on_damaged, a);
    apply(a);
    *ret = TAKE_PTR(a);
    return 0;
}

Agent *agent_free(Agent *a) {
    if (!a)
        return NULL;
    if (a->console)
        console_log(a->console, LOG_CRIT, "The agent is shutting down.");
    sd_event_source_disable_unref(a->trim_timer);
    retention_free(a->retention);
    dispatcher_free(a->dispatcher);
    request_flow_free(a->flow);
    console_free(a->console);
    connection_free(a->connection);
    store_close(a->store);
    config_done(&a->config);
    platform_done(&a->platform);
    explicit_bzero(a->token, sizeof(a->token));
    free(a->database);
    free(a->token_path);
    free(a->injected_id);
    free(a->server_name);
    sd_event_unref(a->event);
    free(a);
    return NULL;
}

void agent_set_observer(Agent *a, const AgentObserver *observer) {
    a->observer = *observer;
}

int agent_start(Agent *a) {
    console_log(a->console, LOG_CRIT, "The agent has started.");
    return connect_to_manager(a);
}

int agent_set_bus(Agent *a, sd_bus *bus) {
    retention_set_bus(a->retention, bus);
    return request_flow_set_bus(a->flow, bus);
}

const char *agent_get_state(const Agent *a) {
    return connection_state_to_string(a->state);
}

const char *agent_get_status_text(const Agent *a) {
    return a->status;
}

const char *agent_get_agent_id(const Agent *a) {
    return strempty(request_flow_get_agent_id(a->flow));
}

const char *agent_get_server_name(const Agent *a) {
    return strempty(a->server_name);
}

const char *agent_get_manager_url(const Agent *a) {
    return strempty(a->config.agentmanager_url);
}

uint64_t agent_get_connected_since_usec(const Agent *a) {
    return a->connected_since_usec;
}

Store *agent_get_store(const Agent *a) {
    (void)request_flow_commit(a->flow);
    return a->store;
}
