/* SPDX-License-Identifier: Apache-2.0 */
/* dcm-agentd: sets up the loop and runs it. It sends READY=1 when it owns the bus name and the
 * store is open; a manager that is down must not fail the boot. */
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>

#include "basic/log-fields.h"
#include "basic/log-sink.h"
#include "basic/log.h"
#include "basic/option-table.h"
#include "basic/service.h"
#include "basic/time-util.h"
#include "bus/agent-object.h"
#include "bus/log-control.h"
#include "core/agent.h"
#include "site/command-file.h"
#include "varlink/agent-service.h"

#define IDENTIFIER "dcm-agent"
#define NAME_PRIMARY_OWNER 1 /* D-Bus Specification, RequestName */

typedef struct Daemon {
    sd_event *event;
    sd_bus *bus;
    Agent *agent;
    AgentObject *object;
    AgentService *service; /* NULL: no socket */
} Daemon;

static void daemon_done(Daemon *d) {
    agent_service_free(d->service);
    agent_object_free(d->object);
    agent_free(d->agent);
    sd_bus_flush_close_unref(d->bus);
    log_sink_set_event(NULL);
    sd_event_unref(d->event);
}

static const Option options[] = {
    {"config", "FILE", offsetof(AgentPaths, config_file), option_take_text, "configuration",
     CONFDIR "/agent.conf"},
    {"config-directory", "DIR", offsetof(AgentPaths, config_directory), option_take_text,
     "drop-ins", CONFDIR "/agent.conf.d"},
    {"state-directory", "DIR", offsetof(AgentPaths, state_directory), option_take_text,
     "database and token", "$STATE_DIRECTORY"},
    {"jobs-directory", "DIR", offsetof(AgentPaths, jobs_directory), option_take_text,
     "the executor's directory", JOBSDIR},
    {"commands-directory", "DIR", offsetof(AgentPaths, commands_directory), option_take_text,
     "commands of the administrator", COMMANDS_DIRECTORY},
    {"shipped-commands-directory", "DIR", offsetof(AgentPaths, shipped_commands_directory),
     option_take_text, "commands of packages", SHIPPED_COMMANDS_DIRECTORY},
    {"seal-order", "FILE", offsetof(AgentPaths, seal_order), option_take_text,
     "what clean_image leaves behind", SEAL_ORDER},
    {"cloud-socket", "PATH", offsetof(AgentPaths, cloud_socket), option_take_text,
     "socket of dcm-cloud", CLOUD_SOCKET},
    {"alerts", "FILE", offsetof(AgentPaths, alerts_file), option_take_text, "alert rules",
     CONFDIR "/alerts.conf"},
    {"alerts-directory", "DIR", offsetof(AgentPaths, alerts_directory), option_take_text,
     "drop-ins", CONFDIR "/alerts.conf.d"},
    {"policy", "FILE", offsetof(AgentPaths, policy_file), option_take_text,
     "policy, whose mistakes are shown", CONFDIR "/policy.conf"},
    {"policy-directory", "DIR", offsetof(AgentPaths, policy_directory), option_take_text,
     "drop-ins", CONFDIR "/policy.conf.d"},
    OPTION_VERSION,
    OPTION_HELP,
};

static const OptionTable option_table = {
    .program = "dcm-agentd",
    .about = "The cloud server agent. systemd starts it as dcm-agent.service.",
    .options = options,
    .n_options = ELEMENTSOF(options),
};

static int on_reload_signal(sd_event_source *source, const struct signalfd_siginfo *si,
                            void *userdata) {
    Daemon *d = userdata;

    (void)sd_notifyf(false, "RELOADING=1\nMONOTONIC_USEC=%llu",
                     (unsigned long long)now_usec(CLOCK_MONOTONIC));
    (void)agent_reload(d->agent);
    (void)sd_notify(false, "READY=1");
    return 0;
}

static const char *explain_refusal(const sd_bus_error *e) {
    if (!e)
        return "another agent owns it";
    if (sd_bus_error_has_name(e, SD_BUS_ERROR_ACCESS_DENIED))
        return "the system bus does not allow it; after an installation: systemctl reload dbus";
    return strempty(e->message);
}

static int on_name_answer(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    Daemon *d = userdata;
    const sd_bus_error *e = sd_bus_message_get_error(m);
    uint32_t answer = 0;

    if (e || sd_bus_message_read(m, "u", &answer) < 0 || answer != NAME_PRIMARY_OWNER) {
        log_error("The bus name " AGENT_BUS_NAME " cannot be acquired: %s", explain_refusal(e));
        return sd_event_exit(d->event, EXIT_FAILURE);
    }
    (void)sd_notifyf(false, "READY=1\nSTATUS=%s", uplink_view(agent_get_uplink(d->agent)).status);
    (void)log_struct(LOG_INFO, 0, LOG_FIELDS(LOG_ID(DCM_MESSAGE_STARTED)),
                     "dcm-agent " PROJECT_VERSION " has started");
    return 0;
}

/* The service manager restarts the agent; the next process adopts the jobs. */
static int on_bus_disconnected(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    Daemon *d = userdata;

    log_error("The connection to the system bus was lost");
    return sd_event_exit(d->event, EXIT_FAILURE);
}

static int setup_loop(Daemon *d) {
    int r;

    r = sd_event_default(&d->event);
    if (r >= 0)
        r = sd_event_add_signal(d->event, NULL, SIGTERM | SD_EVENT_SIGNAL_PROCMASK, NULL, NULL);
    if (r >= 0)
        r = sd_event_add_signal(d->event, NULL, SIGINT | SD_EVENT_SIGNAL_PROCMASK, NULL, NULL);
    if (r >= 0)
        r = sd_event_add_signal(d->event, NULL, SIGHUP | SD_EVENT_SIGNAL_PROCMASK, on_reload_signal,
                                d);
    if (r >= 0)
        r = sd_event_set_watchdog(d->event, true);
    if (r >= 0)
        log_sink_set_event(d->event);
    return r < 0 ? log_error_errno(r, "The event loop cannot be set up: %m") : 0;
}

static int setup_bus(Daemon *d) {
    int r;

    r = sd_bus_open_system_with_description(&d->bus, IDENTIFIER);
    if (r >= 0)
        r = sd_bus_attach_event(d->bus, d->event, SD_EVENT_PRIORITY_NORMAL);
    if (r >= 0)
        r = agent_object_new(d->bus, d->agent, &d->object);
    if (r >= 0)
        r = log_control_add(d->bus, IDENTIFIER);
    if (r >= 0)
        r = sd_bus_match_signal_async(d->bus, NULL, "org.freedesktop.DBus.Local",
                                      "/org/freedesktop/DBus/Local", "org.freedesktop.DBus.Local",
                                      "Disconnected", on_bus_disconnected, NULL, d);
    if (r >= 0)
        r = sd_bus_request_name_async(d->bus, NULL, AGENT_BUS_NAME, 0, on_name_answer, d);
    if (r >= 0)
        r = agent_set_bus(d->agent, d->bus);
    return r < 0 ? log_error_errno(r, "The system bus cannot be used: %m") : 0;
}

/* Without a socket from systemd only the Varlink interface is missing. */
static int setup_service(Daemon *d) {
    int n = sd_listen_fds(true);

    if (n == 0)
        return 0;
    if (n < 0 || n > 1 || sd_is_socket(SD_LISTEN_FDS_START, AF_UNIX, SOCK_STREAM, 1) <= 0) {
        log_warning("systemd passed a socket that is not the job socket");
        return 0;
    }
    return agent_service_new(d->event, d->bus, d->agent, SD_LISTEN_FDS_START, &d->service);
}

/* systemctl status shows it as long as the service is stopped. */
static void say_end(const Daemon *d, int r) {
    const char *why = log_get_last_error(), *ending = d->agent ? agent_view(d->agent).ending : NULL;

    if (r == EXIT_HEMLOCK || ending || (d->agent && agent_view(d->agent).is_terminating))
        (void)sd_notifyf(false, "STOPPING=1\nSTATUS=" SERVICE_STOPPED_FOR_GOOD ", as %s",
                         ending ?: ENDING_ORDERED);
    else if (r == -EPROTONOSUPPORT)
        (void)sd_notify(false, "STOPPING=1\nSTATUS=" SERVICE_FAILED
                               "a newer version of dcm-agent created the database");
    else if (r == 0)
        (void)sd_notify(false, "STOPPING=1\nSTATUS=Stopped");
    else
        (void)sd_notifyf(false, "STOPPING=1\nSTATUS=" SERVICE_FAILED "%s",
                         *why    ? why
                         : r < 0 ? strerror(-r)
                                 : "the journal says why");
}

static int run(const AgentPaths *paths) {
    _cleanup_(daemon_done) Daemon d = {};
    int r;

    r = setup_loop(&d);
    if (r >= 0)
        r = agent_new(d.event, paths, &d.agent);
    if (r >= 0)
        r = agent_start(d.agent);
    if (r >= 0)
        r = setup_bus(&d);
    if (r >= 0)
        r = setup_service(&d);
    if (r >= 0)
        r = sd_event_loop(d.event);
    say_end(&d, r);
    (void)log_struct(LOG_INFO, 0, LOG_FIELDS(LOG_ID(DCM_MESSAGE_STOPPING)), "dcm-agent stops");
    return r == -EPROTONOSUPPORT ? EXIT_NEWER_DATABASE : r < 0 ? EXIT_FAILURE : r;
}

int main(int argc, char *argv[]) {
    AgentPaths paths = {
        .config_file = CONFDIR "/agent.conf",
        .config_directory = CONFDIR "/agent.conf.d",
        .state_directory = getenv("STATE_DIRECTORY") ?: STATEDIR,
        .jobs_directory = JOBSDIR,
        .commands_directory = COMMANDS_DIRECTORY,
        .shipped_commands_directory = SHIPPED_COMMANDS_DIRECTORY,
        .seal_order = SEAL_ORDER,
        .cloud_socket = CLOUD_SOCKET,
        .alerts_file = CONFDIR "/alerts.conf",
        .alerts_directory = CONFDIR "/alerts.conf.d",
        .policy_file = CONFDIR "/policy.conf",
        .policy_directory = CONFDIR "/policy.conf.d",
    };
    _cleanup_free_ char *voices = NULL;
    int r;

    /* one arena: the only other threads are the resolver's, each for one lookup */
    (void)mallopt(M_ARENA_MAX, 1);
    log_set_identifier(IDENTIFIER);
    r = option_table_parse(&option_table, argc, argv, &paths);
    if (r <= 0)
        return options_exit_status(r);
    if (getenv("RUNTIME_DIRECTORY") &&
        asprintf(&voices, "%s/voices", getenv("RUNTIME_DIRECTORY")) < 0)
        return EXIT_FAILURE;
    paths.voices_directory = voices;
    paths.runtime_directory = getenv("RUNTIME_DIRECTORY");
    r = run(&paths);
    log_sink_drain();
    return r;
}
