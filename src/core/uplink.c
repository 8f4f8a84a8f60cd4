/* SPDX-License-Identifier: Apache-2.0 */
#include "core/uplink.h"

#include <stdarg.h>
#include <stdio.h>
#include <systemd/sd-daemon.h>

#include "basic/log-fields.h"
#include "basic/log.h"
#include "basic/terminal.h"
#include "basic/time-util.h"
#include "basic/utf8.h"
#include "core/connection-options.h"
#include "net/wakeup.h"
#include "system/memory.h"

#define STATUS_SIZE 1024

struct Uplink {
    UplinkCallbacks callbacks;
    void *userdata;
    Connection *connection;
    Wakeup *wakeup;
    char fingerprint[SHA256_HEX_SIZE]; /* of the settings in use */
    char *url, *proxy;
    bool is_unusable;    /* the configuration is */
    bool checks_nothing; /* allow_unknown_certs without a pin */
    char status[STATUS_SIZE], notes[UPLINK_NOTES_SIZE];
    char shown[STATUS_SIZE + UPLINK_NOTES_SIZE]; /* both */
    ConnectionFault fault;
    unsigned n_failures, n_short; /* in a row */
    uint64_t connected_since_usec;
};

static void show(Uplink *u) {
    (void)utf8_format(u->shown, sizeof(u->shown), "%s%s", u->status, u->notes);
    (void)sd_notifyf(false, "STATUS=%s", u->shown);
    u->callbacks.on_status(u->userdata);
}

/* Makes the text safe, which may quote a peer or a file: a line break would end STATUS= and begin
 * another assignment (sd_notify(3)), systemctl prints the text unchanged, and the bus accepts only
 * UTF-8. */
static void set_status(Uplink *u, const char *format, ...) _printf_(2, 3);
static void set_status(Uplink *u, const char *format, ...) {
    _cleanup_free_ char *clean = NULL;
    char text[STATUS_SIZE];
    va_list ap;

    va_start(ap, format);
    (void)utf8_format_list(text, sizeof(text), format, ap);
    va_end(ap);
    clean = terminal_clean(text, strlen(text), 0);
    (void)utf8_format(u->status, sizeof(u->status), "%s", strempty(clean));
    show(u);
}

void uplink_set_notes(Uplink *u, const char *notes) {
    if (streq(u->notes, notes))
        return;
    (void)utf8_format(u->notes, sizeof(u->notes), "%s", notes);
    show(u);
}

/* For repeated failures: the first one and each doubling of their number get a line. */
static int level_of(unsigned n, int level) {
    return (n & (n - 1)) == 0 ? level : LOG_DEBUG;
}

static int make_offer(char **ret, size_t *ret_size, void *userdata) {
    Uplink *u = userdata;

    return u->callbacks.make_offer(ret, ret_size, u->userdata);
}

static void on_token_stale(void *userdata) {
    Uplink *u = userdata;

    u->callbacks.on_token_stale(u->userdata);
}

static void on_open(const HandshakeAnswer *answer, void *userdata) {
    Uplink *u = userdata;

    wakeup_disable(u->wakeup);
    u->fault = CONNECTION_FAULT_NONE;
    u->connected_since_usec = now_usec(CLOCK_REALTIME);
    if (u->checks_nothing)
        (void)log_struct(
            level_of(u->n_short, LOG_WARNING), 0,
            LOG_FIELDS(LOG_ID(DCM_MESSAGE_CERTIFICATE_CHECK_OFF)),
            "allow_unknown_certs is set: anyone who impersonates %s can run commands as root here",
            u->url);
    u->callbacks.on_open(answer, u->userdata);
    memory_trim();
}

void uplink_set_identity(Uplink *u, const char *agent_id, const char *server_name) {
    const char *via = u->proxy ? " through " : "";

    (void)log_struct(level_of(u->n_short, LOG_NOTICE), 0,
                     LOG_FIELDS(LOG_ID(DCM_MESSAGE_CONNECTED), LOG_AGENT_ID(agent_id)),
                     "Connected to %s%s%s as %s", u->url, via, strempty(u->proxy), agent_id);
    set_status(u, "Connected to %s%s%s as %s%s%s%s", u->url, via, strempty(u->proxy), agent_id,
               server_name ? " (" : "", strempty(server_name), server_name ? ")" : "");
}

static void on_message(const char *text, size_t size, bool is_text, void *userdata) {
    Uplink *u = userdata;

    u->callbacks.on_message(text, size, is_text, u->userdata);
}

static void log_failure(const Uplink *u, const ConnectionFailure *f) {
    double wait = (double)f->wait_usec / (double)USEC_PER_SEC;
    const char *step = connection_fault_to_string(f->fault);

    if (f->was_open)
        (void)log_struct(level_of(f->n_short, LOG_NOTICE), 0,
                         LOG_FIELDS(LOG_ID(DCM_MESSAGE_CONNECTION_LOST), LOG_STEP(step)),
                         "The connection to %s ended: %s", u->url, f->text);
    else
        (void)log_struct(level_of(f->n, LOG_WARNING), 0,
                         LOG_FIELDS(LOG_ID(DCM_MESSAGE_CONNECTION_FAILED), LOG_STEP(step)),
                         "Cannot connect to %s: %s (attempt %u, next in %.1f s)", u->url, f->text,
                         f->n, wait);
}

static void on_failure(const ConnectionFailure *f, void *userdata) {
    Uplink *u = userdata;

    u->connected_since_usec = 0;
    u->fault = f->fault;
    u->n_failures = f->n;
    u->n_short = f->n_short;
    log_failure(u, f);
    if (f->was_open)
        u->callbacks.on_closed(u->userdata);
    if (f->was_open && f->n_short == 0) /* it was stable */
        wakeup_reset(u->wakeup);
    wakeup_enable(u->wakeup);
    set_status(u, "Not connected to %s: %s; next attempt in %.0f s", u->url, f->text,
               (double)f->wait_usec / (double)USEC_PER_SEC);
}

static void on_state(ConnectionState state, void *userdata) {
    Uplink *u = userdata;

    if (state == CONNECTION_RESOLVING && u->n_failures == 0)
        set_status(u, "Connecting to %s%s%s", u->url, u->proxy ? " through " : "",
                   strempty(u->proxy));
    else if (state != CONNECTION_WAITING) /* then on_failure() reports it, with the reason */
        u->callbacks.on_status(u->userdata);
}

static void on_progress(ConnectionState state, const char *found, void *userdata) {
    log_debug("%s: %s", connection_state_to_string(state), strempty(found));
}

static void on_network(void *userdata) {
    Uplink *u = userdata;

    log_debug("The network has changed");
    connection_wake(u->connection, CONNECTION_WAKE_NETWORK);
}

static void on_clock(void *userdata) {
    Uplink *u = userdata;

    log_debug("The clock was changed, or the machine resumed from suspend");
    connection_wake(u->connection, CONNECTION_WAKE_CLOCK);
}

int uplink_new(sd_event *event, const UplinkCallbacks *callbacks, void *userdata, Uplink **ret) {
    static const ConnectionCallbacks connection_callbacks = {
        .make_offer = make_offer,
        .on_token_stale = on_token_stale,
        .on_open = on_open,
        .on_message = on_message,
        .on_failure = on_failure,
        .on_state = on_state,
        .on_progress = on_progress,
    };
    static const WakeupCallbacks wakeup_callbacks = {
        .on_network = on_network,
        .on_clock = on_clock,
    };
    Uplink *u = calloc(1, sizeof(*u));
    int r;

    if (!u)
        return -ENOMEM;
    u->callbacks = *callbacks;
    u->userdata = userdata;
    (void)stpcpy(u->status, "Asking the cloud for the identity of this server");
    (void)stpcpy(u->shown, u->status);
    r = connection_new(event, &connection_callbacks, u, &u->connection);
    if (r >= 0)
        r = wakeup_new(event, &wakeup_callbacks, u, &u->wakeup);
    if (r < 0) {
        uplink_free(u);
        return r;
    }
    *ret = u;
    return 0;
}

Uplink *uplink_free(Uplink *u) {
    if (!u)
        return NULL;
    connection_free(u->connection);
    wakeup_free(u->wakeup);
    free(u->url);
    free(u->proxy);
    free(u);
    return NULL;
}

static void not_configured(Uplink *u, const char *why) {
    connection_forget(u->connection);
    wakeup_disable(u->wakeup);
    (void)free_and_strdup(&u->proxy, NULL);
    u->connected_since_usec = 0;
    u->fault = CONNECTION_FAULT_NONE;
    (void)log_struct(LOG_NOTICE, 0, LOG_FIELDS(LOG_ID(DCM_MESSAGE_NOT_CONFIGURED)), "%s", why);
    set_status(u, "%s", why);
}

static const char *get_environment(const char *name) {
    return secure_getenv(name);
}

static void begin(Uplink *u) {
    u->connected_since_usec = 0;
    u->n_failures = u->n_short = 0;
    u->fault = CONNECTION_FAULT_NONE;
    wakeup_reset(u->wakeup);
    wakeup_enable(u->wakeup);
}

int uplink_check(const Config *config, const char *config_directory,
                 char error[static OPTIONS_ERROR_SIZE]) {
    _cleanup_(connection_options_done) ConnectionOptions options = {};
    int r;

    r = connection_options_make(config, config_directory, get_environment, &options, error);
    return r < 0 ? r : connection_files_check(config, error);
}

bool uplink_is_usable(const Uplink *u) {
    return !u->is_unusable;
}

int uplink_configure(Uplink *u, const Config *config, const char *config_directory) {
    _cleanup_(connection_options_done) ConnectionOptions options = {};
    char fingerprint[SHA256_HEX_SIZE], error[OPTIONS_ERROR_SIZE];
    bool was_open = connection_get_state(u->connection) == CONNECTION_OPEN;
    int r;

    connection_fingerprint(config, fingerprint);
    if (streq(fingerprint, u->fingerprint))
        return 0;
    r = connection_options_make(config, config_directory, get_environment, &options, error);
    if (r >= 0)
        r = free_and_strdup(&u->proxy, options.proxy.label)
                ?: free_and_strdup(&u->url, config->agentmanager_url);
    else if (r == -EINVAL || r == -ENODATA) {
        memcpy(u->fingerprint, fingerprint, sizeof(fingerprint));
        u->is_unusable = r == -EINVAL;
        /* everybody may read it, and a refused URL may contain a password */
        r = free_and_strdup(&u->url, strchr(strempty(config->agentmanager_url), '@')
                                         ? NULL
                                         : config->agentmanager_url);
        not_configured(u, error);
        if (was_open)
            u->callbacks.on_closed(u->userdata);
        return r;
    }
    if (r < 0)
        return r;
    memcpy(u->fingerprint, fingerprint, sizeof(fingerprint));
    u->is_unusable = false;
    u->checks_nothing = options.url.tls && config->allow_unknown_certs && options.tls.n_pins == 0;
    begin(u);
    r = connection_start(u->connection, &options);
    if (was_open)
        u->callbacks.on_closed(u->userdata);
    return r;
}

void uplink_reconnect(Uplink *u) {
    bool was_open = connection_get_state(u->connection) == CONNECTION_OPEN;

    if (connection_get_state(u->connection) == CONNECTION_IDLE)
        return;
    begin(u);
    connection_restart(u->connection);
    if (was_open)
        u->callbacks.on_closed(u->userdata);
}

Connection *uplink_get_connection(const Uplink *u) {
    return u->connection;
}

UplinkView uplink_view(const Uplink *u) {
    return (UplinkView){
        .state = connection_state_to_string(connection_get_state(u->connection)),
        .status = u->shown,
        .url = strempty(u->url),
        .proxy = strempty(u->proxy),
        .peer = connection_get_peer(u->connection),
        .tls = connection_get_tls(u->connection),
        .failed_step = connection_fault_to_string(u->fault),
        .connected_since_usec = u->connected_since_usec,
        .certificate_end_usec = connection_get_certificate_end_usec(u->connection),
    };
}
