/* SPDX-License-Identifier: Apache-2.0 */
/* A Connection does the work; its progress is the report. While the agent runs there is no
 * handshake: a second one with its token could end its connection, and the agent itself retries. */
#include "dcm-doctor/examine.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

#include "basic/fd-util.h"
#include "basic/i18n.h"
#include "basic/time-util.h"
#include "basic/utf8.h"
#include "core/cloud.h"
#include "core/connection-options.h"
#include "core/local-files.h"
#include "core/offer.h"
#include "core/token.h"
#include "site/command-file.h"
#include "store/store.h"

#define RELEASE_TIME 1764547200 /* 2025-12-01: a clock before the release is wrong */
#define CERTIFICATE_WARNING_USEC (14 * 24 * 3600 * USEC_PER_SEC)
#define PATIENCE_USEC (90 * USEC_PER_SEC)

typedef struct Examination {
    const AgentPaths *options;
    const Surroundings *surroundings;
    Report *report;
    sd_event *event;
    Problems *problems;
    Config config;
    Platform platform;
    Cloud *cloud;
    ConnectionOptions *connection_options;
    Connection *connection;
    bool uses_tls;
    char *proxy; /* for people; may be NULL */
    char token[TOKEN_SIZE];
    char *agent_id, *injected_id; /* as stored by the agent */
    int identity_error;
    bool over;
} Examination;

/* connection_options_make() calls it without userdata */
static const Surroundings *asked;

static const char *get_environment(const char *name) {
    return surroundings_get(asked, name);
}

static void examination_done(Examination *x) {
    connection_free(x->connection);
    cloud_free(x->cloud);
    problems_free(x->problems);
    config_done(&x->config);
    platform_done(&x->platform);
    explicit_bzero(x->token, sizeof(x->token));
    free(x->agent_id);
    free(x->injected_id);
    free(x->proxy);
    sd_event_unref(x->event);
}

static void end(Examination *x) {
    x->over = true;
    (void)sd_event_exit(x->event, 0);
}

/* ntp_adjtime(3), read only */
static void check_clock(Examination *x) {
    struct timex timex = {};
    time_t now = time(NULL);
    char text[32] = "?";
    struct tm tm;
    int state;

    if (gmtime_r(&now, &tm))
        (void)strftime(text, sizeof(text), "%F %T UTC", &tm);
    state = adjtimex(&timex);
    if (now < RELEASE_TIME)
        report_add(x->report, CHECK_CLOCK, FINDING_FAILED,
                   _("it shows %s, which is in the past; set it (timedatectl), or certificates are "
                     "refused"),
                   text);
    else if (state == TIME_ERROR || (state >= 0 && timex.status & STA_UNSYNC))
        report_add(x->report, CHECK_CLOCK, FINDING_WARNING,
                   _("it shows %s and is not synchronised; see timedatectl"), text);
    else
        report_add(x->report, CHECK_CLOCK, FINDING_OK, _("it says %s"), text);
}

/* The source address that the kernel would choose (connect(2) on a datagram socket sends nothing).
 */
static int find_source(const char *address, char ret[static INET6_ADDRSTRLEN]) {
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(443)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(443)};
    bool is_v6 = inet_pton(AF_INET6, address, &v6.sin6_addr) == 1;
    const void *to = is_v6 ? (const void *)&v6 : (const void *)&v4;
    socklen_t size = is_v6 ? sizeof(v6) : sizeof(v4);
    _cleanup_close_ int fd = -1;

    if (!is_v6 && inet_pton(AF_INET, address, &v4.sin_addr) != 1)
        return -EINVAL;
    fd = socket(is_v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, to, size) < 0)
        return -errno;
    if (getsockname(fd, is_v6 ? (struct sockaddr *)&v6 : (struct sockaddr *)&v4, &size) < 0)
        return -errno;
    return inet_ntop(is_v6 ? AF_INET6 : AF_INET,
                     is_v6 ? (const void *)&v6.sin6_addr : (const void *)&v4.sin_addr, ret,
                     INET6_ADDRSTRLEN)
               ? 0
               : -errno;
}

/* For a list with commas. The connection also reports a missing route. */
static void check_route(Examination *x, const char *addresses) {
    char text[512] = "", source[INET6_ADDRSTRLEN];
    size_t used = 0;
    bool found = false;

    while (*addresses && used < sizeof(text)) {
        size_t size = strcspn(addresses, ",");
        char address[64];
        int r;

        (void)utf8_format(address, sizeof(address), "%.*s", (int)size, addresses);
        addresses += size;
        addresses += strspn(addresses, ", ");
        r = find_source(address, source);
        found = found || r >= 0;
        used += (size_t)utf8_format(text + used, sizeof(text) - used, "%s%s %s %s",
                                    used > 0 ? ", " : "", address, r < 0 ? "-" : _("from"),
                                    r < 0 ? strerror(-r) : source);
    }
    report_add(x->report, CHECK_ROUTE, found ? FINDING_OK : FINDING_FAILED, "%s%s", text,
               found ? "" : _("; check the network (ip route)"));
}

static void report_tls(Examination *x, const char *found) {
    uint64_t ends = connection_get_certificate_end_usec(x->connection);
    uint64_t now = now_usec(CLOCK_REALTIME);
    time_t t = (time_t)(ends / USEC_PER_SEC);
    char date[32] = "";
    struct tm tm;

    if (x->config.allow_unknown_certs && !x->config.pin)
        report_add(x->report, CHECK_TLS, FINDING_WARNING, "%s",
                   _("allow_unknown_certs is set: anyone who impersonates the manager can run "
                     "commands as root; remove it"));
    if (!x->uses_tls) {
        report_add(x->report, CHECK_TLS, FINDING_WARNING, "%s",
                   _("not used: anyone on the network path can send commands; use wss://"));
        return;
    }
    if (ends > 0 && gmtime_r(&t, &tm))
        (void)strftime(date, sizeof(date), "%F", &tm);
    if (ends > 0 && ends < now + CERTIFICATE_WARNING_USEC)
        report_add(x->report, CHECK_TLS, FINDING_WARNING,
                   _("%s; the manager's certificate ends %s, it needs a new one"), found, date);
    else
        report_add(x->report, CHECK_TLS, FINDING_OK, _("%s; the manager's certificate ends %s"),
                   found, date);
}

static void report_handshake_not_tried(Examination *x) {
    if (x->surroundings->is_running)
        report_add(x->report, CHECK_HANDSHAKE,
                   x->surroundings->is_connected ? FINDING_OK
                   : x->surroundings->is_refused ? FINDING_FAILED
                                                 : FINDING_SKIPPED,
                   _("not tested while the agent is running: %s"), x->surroundings->status);
    else if (x->identity_error == -ENOENT)
        report_add(x->report, CHECK_HANDSHAKE, FINDING_SKIPPED, "%s",
                   _("the agent creates its token at its first start: systemctl start dcm-agent"));
    else if (x->identity_error == -EPROTONOSUPPORT)
        report_add(x->report, CHECK_HANDSHAKE, FINDING_FAILED,
                   _("a newer version of dcm-agent created the database in %s; install that "
                     "version again"),
                   x->options->state_directory);
    else if (x->surroundings->was_root)
        report_add(x->report, CHECK_HANDSHAKE, FINDING_FAILED,
                   _("the identity in %s cannot be read: %s; run: chown -R dcm-agent: %s"),
                   x->options->state_directory, strerror(-x->identity_error),
                   x->options->state_directory);
    else
        report_add(x->report, CHECK_HANDSHAKE, FINDING_SKIPPED,
                   _("the identity in %s cannot be read: %s; try it as root"),
                   x->options->state_directory, strerror(-x->identity_error));
    end(x);
}

static void on_progress(ConnectionState state, const char *found, void *userdata) {
    Examination *x = userdata;

    switch (state) {
    case CONNECTION_RESOLVING:
        report_add(x->report, CHECK_NAME, FINDING_OK, "%s%s%s", x->proxy ? x->proxy : "",
                   x->proxy ? ": " : "", found);
        check_route(x, found);
        if (!x->proxy)
            report_add(x->report, CHECK_PROXY, FINDING_OK, "%s", _("none"));
        break;
    case CONNECTION_CONNECTING:
        report_add(x->report, CHECK_TCP, FINDING_OK, "%s", found);
        break;
    case CONNECTION_PROXYING:
        report_add(x->report, CHECK_PROXY, FINDING_OK, "%s", x->proxy);
        break;
    case CONNECTION_TLS:
        report_tls(x, found);
        break;
    case CONNECTION_UPGRADING:
        report_add(x->report, CHECK_HTTP, FINDING_OK, "%s", _("the server speaks WebSocket"));
        if (x->surroundings->is_running || x->identity_error < 0)
            report_handshake_not_tried(x);
        break;
    default:
        break;
    }
}

static int make_offer(char **ret, size_t *ret_size, void *userdata) {
    char address[INET6_ADDRSTRLEN];
    Examination *x = userdata;

    if (x->over)
        return -ECANCELED;
    connection_get_local_address(x->connection, address);
    return offer_make(
        &(const OfferFacts){
            .config = &x->config,
            .platform = &x->platform,
            .token = x->token,
            .agent_id = x->agent_id,
            .injected_id = x->injected_id,
            .cloud = cloud_get_identity(x->cloud),
            .local_address = address,
        },
        ret, ret_size);
}

static void on_open(const HandshakeAnswer *answer, void *userdata) {
    Examination *x = userdata;

    report_add(x->report, CHECK_HANDSHAKE, FINDING_OK, _("accepted as %s%s%s%s"),
               strempty(answer->agent_id), answer->server_name ? " (" : "",
               strempty(answer->server_name), answer->server_name ? ")" : "");
    end(x);
}

static void on_failure(const ConnectionFailure *f, void *userdata) {
    static const Check checks[_CONNECTION_FAULT_MAX] = {
        [CONNECTION_FAULT_NAME] = CHECK_NAME,
        [CONNECTION_FAULT_ROUTE] = CHECK_ROUTE,
        [CONNECTION_FAULT_TCP] = CHECK_TCP,
        [CONNECTION_FAULT_PROXY] = CHECK_PROXY,
        [CONNECTION_FAULT_TLS] = CHECK_TLS,
        [CONNECTION_FAULT_HTTP] = CHECK_HTTP,
        [CONNECTION_FAULT_HANDSHAKE] = CHECK_HANDSHAKE,
        [CONNECTION_FAULT_LINK] = CHECK_HANDSHAKE,
    };
    Examination *x = userdata;
    const char *text = strchr(f->text, ' '); /* the line names the step already */

    if (x->over)
        return;
    if (!(f->fault == CONNECTION_FAULT_ROUTE && x->report->failed))
        report_add(x->report, checks[f->fault], FINDING_FAILED, "%s", text ? text + 1 : f->text);
    end(x);
}

static int on_impatient(sd_event_source *source, uint64_t usec, void *userdata) {
    Examination *x = userdata;

    report_add(x->report, CHECK_HANDSHAKE, FINDING_FAILED, "%s", _("it timed out"));
    end(x);
    return 0;
}

static void report_problem(const Problem *p, Report *report) {
    static const char *const effects[] = {
        [PROBLEM_CONFIG] = "",
        [PROBLEM_ALERTS] = "",
        [PROBLEM_COMMANDS] = N_("; the file defines no command"),
        [PROBLEM_COMMAND_JOBS] = "",
        [PROBLEM_POLICY_NAMES] = "",
        [PROBLEM_POLICY] = N_("; the policy is not valid, so no job is allowed"),
    };
    const char *effect = effects[p->source];
    _cleanup_free_ char *whole = NULL;

    if (ini_problem_format(p->file, p->line, p->text, &whole) >= 0)
        report_add(report, CHECK_CONFIGURATION,
                   p->source == PROBLEM_POLICY ? FINDING_FAILED : FINDING_WARNING, "%s%s", whole,
                   *effect ? _(effect) : "");
}

/* The commands are loaded since the manager is told their names. */
static int read_files(Examination *x) {
    const Problem *list;
    size_t n;

    TRY(local_files_load_config(x->options, x->problems, &x->config));
    TRY(local_files_check_rules(x->options, x->problems));
    TRY(local_files_load_commands(x->options, x->problems));
    TRY(local_files_check_policy(x->options, x->problems));
    list = problems_list(x->problems, &n);
    for (size_t i = 0; i < n; i++)
        report_problem(&list[i], x->report);
    if (problems_count(x->problems) > n)
        report_add(x->report, CHECK_CONFIGURATION, FINDING_WARNING, _("and %zu more"),
                   problems_count(x->problems) - n);
    return 0;
}

/* False: the test cannot continue. */
static int read_configuration(Examination *x, ConnectionOptions *ret) {
    char error[OPTIONS_ERROR_SIZE];
    int r;

    r = problems_new(NULL, &x->problems);
    if (r >= 0)
        r = read_files(x);
    if (r >= 0)
        r = connection_options_make(&x->config, x->options->config_directory, get_environment, ret,
                                    error);
    if (r == -EINVAL || r == -ENODATA) {
        report_add(x->report, CHECK_CONFIGURATION, FINDING_FAILED, "%s", error);
        return 0;
    }
    if (r < 0)
        return r;
    report_add(x->report, CHECK_CONFIGURATION, FINDING_OK, "%s", x->config.agentmanager_url);
    x->uses_tls = ret->url.tls;
    TRY(free_and_strdup(&x->proxy, ret->proxy.host ? proxy_show(&ret->proxy) : NULL));
    return 1;
}

/* Uses the stored identity, because the manager would take another one for a change. Creates
 * nothing. */
static int read_stored(Examination *x, const char *database) {
    _cleanup_(store_closep) Store *store = NULL;
    const char *given = surroundings_get(x->surroundings, ENVIRONMENT_INJECTED_ID);
    int r = 0;

    if (access(database, F_OK) >= 0)
        r = store_open(database, &store);
    else if (errno != ENOENT)
        return -errno;
    if (r >= 0 && !store)
        return free_and_strdup(&x->injected_id, isempty(given) ? NULL : given);
    if (r >= 0)
        r = store_get_meta(store, STORE_META_AGENT_ID, &x->agent_id);
    if (r >= 0)
        r = isempty(given) ? store_get_meta(store, STORE_META_INJECTED_ID, &x->injected_id)
                           : free_and_strdup(&x->injected_id, given);
    return r;
}

static int read_identity(Examination *x) {
    _cleanup_free_ char *token = NULL, *database = NULL;

    if (asprintf(&token, "%s/token", x->options->state_directory) < 0 ||
        asprintf(&database, "%s/requests.db", x->options->state_directory) < 0)
        return -ENOMEM;
    if (!x->surroundings->is_running)
        x->identity_error = token_load(token, x->token) ?: read_stored(x, database);
    return platform_read(&x->platform);
}

static void report_cloud(Examination *x) {
    const CloudIdentity *i = cloud_get_identity(x->cloud);

    if (!i->type)
        report_add(x->report, CHECK_CLOUD, FINDING_WARNING, "%s",
                   _("dcm-cloud does not answer: systemctl start dcm-cloud.socket"));
    else if (i->problem)
        report_add(x->report, CHECK_CLOUD, FINDING_WARNING, "%s", i->problem);
    else if (streq(i->type, "UNKNOWN"))
        report_add(x->report, CHECK_CLOUD, FINDING_OK, "%s", _("none"));
    else
        report_add(x->report, CHECK_CLOUD, FINDING_OK, "%s %s", i->type, strempty(i->instance_id));
}

/* The handshake contains the answer: the first one, even if more follow because of a problem. */
static void on_cloud(int answer, void *userdata) {
    Examination *x = userdata;
    ConnectionOptions *options = TAKE_PTR(x->connection_options);

    if (!options)
        return;
    report_cloud(x);
    if (connection_start(x->connection, options) < 0)
        end(x);
}

static int walk(Examination *x, ConnectionOptions *connection_options) {
    static const ConnectionCallbacks callbacks = {
        .make_offer = make_offer,
        .on_open = on_open,
        .on_failure = on_failure,
        .on_progress = on_progress,
    };
    int r;

    r = sd_event_new(&x->event);
    if (r >= 0)
        r = sd_event_add_time_relative(x->event, NULL, CLOCK_BOOTTIME, PATIENCE_USEC, 0,
                                       on_impatient, x);
    if (r >= 0)
        r = connection_new(x->event, &callbacks, x, &x->connection);
    x->connection_options = connection_options;
    if (r >= 0)
        r = cloud_new(x->event, x->options->cloud_socket, on_cloud, x, &x->cloud);
    if (r >= 0)
        r = cloud_ask(x->cloud);
    return r < 0 ? r : sd_event_loop(x->event);
}

int examine(const AgentPaths *options, const Surroundings *surroundings, Report *report) {
    _cleanup_(connection_options_done) ConnectionOptions connection_options = {};
    _cleanup_(examination_done) Examination x = {
        .options = options,
        .surroundings = surroundings,
        .report = report,
    };
    int r;

    asked = surroundings;
    r = read_configuration(&x, &connection_options);
    if (r < 0)
        return r;
    check_clock(&x);
    if (r == 0)
        return 0;
    TRY(read_identity(&x));
    return walk(&x, &connection_options);
}
