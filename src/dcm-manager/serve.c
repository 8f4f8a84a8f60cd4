/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets (its own or systemd's), signals, certificate, readiness and watchdog. */
#include "dcm-manager/serve.h"

#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "basic/fd-util.h"
#include "basic/log-sink.h"
#include "basic/log.h"
#include "basic/time-util.h"
#include "basic/timer.h"
#include "basic/utf8.h"
#include "dcm-manager/control.h"
#include "dcm-manager/limits.h"
#include "dcm-manager/listener.h"
#include "dcm-manager/manager-config.h"

#define DAY_USEC (24 * 3600 * USEC_PER_SEC)

typedef struct Server {
    const Options *options;
    sd_event *event;
    Manager *manager;
    Control *control;
    char cert[256], key[256];
    sd_event_source *daily;    /* looks whether the certificate expires */
    char warning[128];         /* of the certificate, for the status */
    const char *bound_control; /* removed at the end */
    bool is_stopping;
    sd_event_source *tell;
    unsigned n_agents, n_told;
} Server;

static void server_done(Server *s) {
    sd_event_source_disable_unref(s->tell);
    control_free(s->control);
    manager_free(s->manager);
    log_sink_set_event(NULL);
    sd_event_source_disable_unref(s->daily);
    sd_event_unref(s->event);
    if (s->bound_control)
        (void)unlink(s->bound_control);
}

/* Returns how many connections it permits. */
static unsigned raise_limit(void) {
    struct rlimit limit = {.rlim_cur = 1024, .rlim_max = 1024}, wanted;

    (void)getrlimit(RLIMIT_NOFILE, &limit);
    wanted = limit;
    wanted.rlim_cur = MIN(limit.rlim_max, (rlim_t)SESSIONS_MAX + DESCRIPTORS_RESERVED);
    if (setrlimit(RLIMIT_NOFILE, &wanted) >= 0)
        limit = wanted;
    return (unsigned)(limit.rlim_cur - MIN(limit.rlim_cur / 4, (rlim_t)DESCRIPTORS_RESERVED));
}

static void tell_status(const Server *s) {
    (void)sd_notifyf(false, "STATUS=Connected agents: %u%s", s->n_agents, s->warning);
}

static void on_count(unsigned n_agents, void *userdata) {
    Server *s = userdata;

    if (s->is_stopping) {
        if (manager_is_idle(s->manager))
            (void)sd_event_exit(s->event, 0);
        return;
    }
    s->n_agents = n_agents;
    if (!timer_is_armed(s->tell))
        (void)timer_arm_in(s->tell, 0);
}

/* At most once a second, however many come and go. */
static int on_tell(sd_event_source *source, uint64_t usec, void *userdata) {
    Server *s = userdata;

    if (s->is_stopping || s->n_agents == s->n_told)
        return 0;
    tell_status(s);
    s->n_told = s->n_agents;
    (void)timer_arm_in(s->tell, USEC_PER_SEC);
    return 0;
}

static int on_stop(sd_event_source *source, const struct signalfd_siginfo *si, void *userdata) {
    Server *s = userdata;

    if (s->is_stopping)
        return 0;
    s->is_stopping = true;
    (void)sd_notify(false, "STOPPING=1\nSTATUS=Saying good-bye to all agents");
    log_info("Stopping");
    manager_stop(s->manager);
    return 0;
}

static void check_certificate(Server *s) {
    const TlsServer *tls = manager_get_tls(s->manager);
    uint64_t now = now_usec(CLOCK_REALTIME), expires = tls ? tls_server_expires_usec(tls) : 0;
    struct tm tm = {};
    char date[32] = "";
    time_t seconds;

    s->warning[0] = 0;
    if (!tls || !tls_server_is_expiring(tls, now))
        return;
    seconds = (time_t)(expires / USEC_PER_SEC);
    if (gmtime_r(&seconds, &tm))
        (void)strftime(date, sizeof(date), "%F", &tm);
    (void)snprintf(s->warning, sizeof(s->warning), "; the certificate %s on %s: renew it",
                   expires <= now ? "expired" : "expires", date);
    log_warning("The certificate %s on %s%s; renew it, with 'dcm-manager renew' if 'dcm-manager "
                "init' made it",
                expires <= now ? "expired" : "expires", date,
                expires <= now ? ", so that agents refuse it" : "");
}

static int on_daily(sd_event_source *source, uint64_t usec, void *userdata) {
    Server *s = userdata;

    check_certificate(s);
    if (!s->is_stopping)
        tell_status(s);
    (void)timer_arm_in(s->daily, DAY_USEC);
    return 0;
}

static int load_certificate(Server *s) {
    _cleanup_(tls_server_unrefp) TlsServer *tls = NULL;
    char error[640] = "";
    int r;

    if (s->options->no_tls)
        return 0;
    r = tls_server_new(s->cert, s->key, &tls, error, sizeof(error));
    if (r < 0) {
        log_error("The %s", error[0] ? error : strerror(-r));
        return r;
    }
    manager_set_tls(s->manager, tls);
    check_certificate(s);
    return 0;
}

static void on_problem(const char *file, unsigned line, const char *text, void *userdata) {
    _cleanup_free_ char *said = NULL;

    if (ini_problem_format(file, line, text, &said) >= 0)
        log_warning("%s", said);
}

/* An unreadable configuration opens nothing. */
static EnrolmentMode read_enrolment(const Options *o) {
    ManagerConfig config = {.enrolment = ENROLMENT_APPROVE};
    int r = manager_config_load(o->config, on_problem, NULL, &config);

    if (r < 0)
        (void)log_error_errno(r, "%s cannot be read: %m", o->config);
    return o->enrolment ? (EnrolmentMode)enrolment_mode_from_string(o->enrolment)
                        : config.enrolment;
}

static void set_enrolment(const Server *s) {
    EnrolmentMode mode = read_enrolment(s->options);

    manager_set_enrolment(s->manager, mode);
    log_info("Enrolment of new agents: %s%s", enrolment_mode_to_string(mode),
             mode == ENROLMENT_OPEN ? ", so that whoever reaches the port is one" : "");
}

static int on_reload(sd_event_source *source, const struct signalfd_siginfo *si, void *userdata) {
    Server *s = userdata;

    (void)sd_notify(false, "RELOADING=1");
    set_enrolment(s);
    if (s->options->no_tls)
        log_info("There is no certificate to reload");
    else if (load_certificate(s) < 0)
        log_error("The certificate in use stays");
    else
        log_info("New connections get the certificate read now");
    (void)sd_notify(false, "READY=1");
    tell_status(s);
    return 0;
}

/* Takes the option, else a systemd credential, else the file in /etc. */
static void find_file(const char *option, const char *name, char *ret, size_t size) {
    const char *directory = getenv("CREDENTIALS_DIRECTORY");

    if (option) {
        (void)utf8_format(ret, size, "%s", option);
        return;
    }
    (void)utf8_format(ret, size, "%s/%s", directory ?: MANAGER_CONFDIR, name);
    if (access(ret, F_OK) < 0)
        (void)utf8_format(ret, size, "%s/%s", MANAGER_CONFDIR, name);
}

static int check_files(Server *s) {
    const char *missing;
    char text[1024];
    int why;

    if (s->options->no_tls)
        return 0;
    find_file(s->options->cert, "cert.pem", s->cert, sizeof(s->cert));
    find_file(s->options->key, "key.pem", s->key, sizeof(s->key));
    if (access(s->cert, R_OK) < 0)
        missing = s->cert;
    else if (access(s->key, R_OK) < 0)
        missing = s->key;
    else
        return 0;
    why = errno;
    (void)utf8_format(
        text, sizeof(text),
        "No certificate: %s cannot be read (%s). Make %s and %s, readable for the user "
        "dcm-manager, by 'dcm-manager init' or as dcm-manager(8) shows, or give --cert and --key, "
        "or "
        "--no-tls for a test on this machine",
        missing, strerror(why), s->cert, s->key);
    log_error("%s", text);
    (void)sd_notifyf(false, "STATUS=%s", text);
    return -ENOENT;
}

static int open_store(const Options *o, Ledger **ret) {
    const char *directory = getenv("STATE_DIRECTORY") ?: STATE_DIRECTORY_DEFAULT;
    char path[512];
    int r;

    if (o->database)
        (void)snprintf(path, sizeof(path), "%s", o->database);
    else {
        (void)mkdir(directory, 0700);
        (void)snprintf(path, sizeof(path), "%s/manager.db", directory);
    }
    r = ledger_open(path, ret);
    if (r == -EUCLEAN)
        log_error("Database %s is damaged; move it away (agents then register anew)", path);
    else if (r == -EPROTONOSUPPORT)
        log_error(
            "A newer version of dcm-manager made the database %s, which this one, " PROJECT_VERSION
            ", does not understand and leaves as it is. Install that version "
            "again. Or move the database away and start dcm-manager: agents then register "
            "anew",
            path);
    else if (r < 0)
        (void)log_error_errno(r, "Database %s cannot be opened: %m", path);
    return r;
}

static int listen_here(Server *s, int fd) {
    char address[80];
    int r;

    r = manager_listen(s->manager, fd, address, sizeof(address));
    if (r < 0)
        return log_error_errno(r, "A socket cannot be used: %m");
    log_info("Listening on %s://%s", s->options->no_tls ? "ws" : "wss", address);
    return 0;
}

static int control_here(Server *s, int fd) {
    int r;

    if (s->control) {
        safe_close(fd);
        log_error("There is more than one control socket");
        return -EINVAL;
    }
    r = control_new(s->event, fd, s->manager, on_count, s, &s->control);
    return r < 0 ? log_error_errno(r, "The control socket cannot be used: %m") : 0;
}

/* Distinguishes the sockets by their family; the names in dcm-manager.socket are for people. */
static int take_sockets(Server *s, unsigned *ret_agents) {
    int n = sd_listen_fds(true), r = 0;

    *ret_agents = 0;
    for (int fd = SD_LISTEN_FDS_START; fd < SD_LISTEN_FDS_START + n && r >= 0; fd++) {
        if (sd_is_socket_unix(fd, SOCK_STREAM, 1, NULL, 0) > 0)
            r = control_here(s, fd);
        else if (sd_is_socket(fd, AF_UNSPEC, SOCK_STREAM, 1) > 0) {
            r = listen_here(s, fd);
            (*ret_agents)++;
        } else {
            log_error("systemd gave something else than a listening stream socket");
            r = -EINVAL;
        }
    }
    return r;
}

static int bind_agents(Server *s) {
    static const char *const fallback[] = {LISTEN_DEFAULT};
    const char *const *list = s->options->n_listen > 0 ? s->options->listen : fallback;
    size_t n = MAX(s->options->n_listen, (size_t)1);
    int fd, r;

    for (size_t i = 0; i < n; i++) {
        r = listener_bind_tcp(list[i], &fd);
        if (r < 0)
            return log_error_errno(r, "Cannot listen on %s: %m", list[i]);
        TRY(listen_here(s, fd));
    }
    return 0;
}

static int bind_control(Server *s) {
    const char *path = s->options->control;
    int fd, r;

    if (streq(path, CONTROL_DEFAULT))
        (void)mkdir("/run/dcm-manager", 0755);
    r = listener_bind_unix(path, &fd);
    if (r < 0)
        return log_error_errno(
            r, r == -EADDRINUSE ? "Another dcm-manager serves %s" : "Control socket %s: %m", path);
    s->bound_control = path;
    return control_here(s, fd);
}

static int set_up_sockets(Server *s) {
    unsigned n_agents;
    int r;

    r = take_sockets(s, &n_agents);
    if (r >= 0 && n_agents == 0)
        r = bind_agents(s);
    if (r >= 0 && !s->control)
        r = bind_control(s);
    return r;
}

static int set_up_loop(Server *s) {
    sigset_t mask;
    int r;

    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN); /* SQLite then reports an error */
    (void)sigemptyset(&mask);
    (void)sigaddset(&mask, SIGTERM);
    (void)sigaddset(&mask, SIGINT);
    (void)sigaddset(&mask, SIGHUP);
    (void)sigprocmask(SIG_BLOCK, &mask, NULL);
    r = sd_event_new(&s->event);
    if (r >= 0)
        r = sd_event_add_signal(s->event, NULL, SIGTERM, on_stop, s);
    if (r >= 0)
        r = sd_event_add_signal(s->event, NULL, SIGINT, on_stop, s);
    if (r >= 0)
        r = sd_event_add_signal(s->event, NULL, SIGHUP, on_reload, s);
    if (r >= 0)
        r = timer_new(s->event, 0, on_tell, s, &s->tell);
    if (r >= 0)
        r = sd_event_set_watchdog(s->event, true);
    if (r >= 0)
        log_sink_set_event(s->event);
    return r < 0 ? log_error_errno(r, "The event loop cannot be set up: %m") : 0;
}

static int set_up_manager(Server *s) {
    const Options *o = s->options;
    ManagerOptions options = {
        .session.handshake_usec = (uint64_t)(o->handshake_sec * (double)USEC_PER_SEC),
        .session.ping_usec = (uint64_t)(o->ping_sec * (double)USEC_PER_SEC),
        .session.return_usec = (uint64_t)(o->return_sec * (double)USEC_PER_SEC),
        .proxies = o->proxies,
        .n_proxies = o->n_proxies,
        .handshakes_per_sec = o->handshakes_per_sec,
        .new_agents_per_sec = o->new_agents_per_sec,
        .retransmit_usec = (uint64_t)(o->retransmit_sec * (double)USEC_PER_SEC),
        .sessions_max = raise_limit(),
    };
    Ledger *store = NULL;
    int r;

    TRY(open_store(o, &store));
    r = manager_new(s->event, store, &options, &s->manager);
    if (r < 0)
        return log_error_errno(r, "The manager cannot be set up: %m");
    log_info(
        "At most %u agents can be connected; for more raise LimitNOFILE= of dcm-manager.service",
        manager_get_room(s->manager));
    set_enrolment(s);
    return 0;
}

int serve(const Options *o) {
    _cleanup_(server_done) Server s = {.options = o};
    int r;

    if (o->debug)
        log_set_level(LOG_DEBUG);
    TRY(check_files(&s));
    TRY(set_up_loop(&s));
    TRY(set_up_manager(&s));
    TRY(load_certificate(&s));
    TRY(timer_new(s.event, DAY_USEC / 24, on_daily, &s, &s.daily));
    (void)timer_arm_in(s.daily, DAY_USEC);
    TRY(set_up_sockets(&s));
    (void)sd_notifyf(false, "READY=1\nSTATUS=Waiting for agents%s", s.warning);
    r = sd_event_loop(s.event);
    return r < 0 ? log_error_errno(r, "The event loop failed: %m") : 0;
}
