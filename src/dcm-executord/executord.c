/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the bus connection and counts operations. Leaving loses no call: first the name is released,
 * and the reply to that follows every call that was already sent here; those are served; later
 * calls wait in the bus daemon for the next executor, which systemd starts after the exit of this
 * one.
 *
 *      serving --(idle, or SIGTERM)--> leaving --(name released, all calls answered)--> gone */
#include "dcm-executord/executord.h"

#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "basic/bounds.h"
#include "basic/fd-util.h"
#include "basic/log-sink.h"
#include "basic/log.h"
#include "basic/timer.h"
#include "dcm-executord/unit-properties.h"

#define AGENT_USER "dcm-agent"

static void leave_if_done(Executord *m) {
    if (m->name_released && m->n_operations == m->n_background)
        (void)sd_event_exit(m->event, 0);
}

static int on_name_released(sd_bus_message *reply, void *userdata, sd_bus_error *error) {
    Executord *m = userdata;

    m->name_released = true;
    leave_if_done(m);
    return 0;
}

static void leave(Executord *m) {
    int r;

    if (m->leaving)
        return;
    m->leaving = true;
    (void)sd_notify(false, "STOPPING=1");
    r = sd_bus_release_name_async(m->bus, NULL, EXECUTOR_BUS_NAME, on_name_released, m);
    if (r < 0) {
        log_error_errno(r, "Cannot release the bus name: %m");
        (void)sd_event_exit(m->event, EXIT_FAILURE);
    }
}

static int on_signal(sd_event_source *s, const struct signalfd_siginfo *si, void *userdata) {
    leave(userdata);
    return 0;
}

void executord_check_idle(Executord *m) {
    bool busy = m->n_operations > 0;

    if (m->leaving) {
        leave_if_done(m);
        return;
    }
    (void)timer_arm_in(m->idle_source, busy ? UINT64_MAX : m->idle_usec);
}

static int on_idle(sd_event_source *s, uint64_t usec, void *userdata) {
    Executord *m = userdata;

    if (!m->sweep_due || !m->sweep) {
        if (m->n_kept == 0)
            leave(m);
        return 0;
    }
    m->sweep_due = false;
    (void)m->sweep(m);
    executord_check_idle(m);
    return 0;
}

void *executord_begin(Executord *m, size_t size, sd_bus_error *error) {
    void *operation;

    if (m->n_operations >= EXECUTOR_CALLS_MAX) {
        (void)sd_bus_error_set(error, SD_BUS_ERROR_LIMITS_EXCEEDED, "Too many calls at once");
        return NULL;
    }
    operation = calloc(1, size);
    if (!operation) {
        (void)sd_bus_error_set_errno(error, ENOMEM);
        return NULL;
    }
    m->n_operations++;
    executord_check_idle(m);
    return operation;
}

void executord_end(Executord *m) {
    assert(m->n_operations > m->n_background);
    m->n_operations--;
    executord_check_idle(m);
}

void executord_to_background(Executord *m) {
    assert(m->n_operations > m->n_background);
    m->n_background++;
    executord_check_idle(m);
}

void executord_end_background(Executord *m) {
    assert(m->n_background > 0);
    m->n_background--;
    m->n_operations--;
    executord_check_idle(m);
}

static int open_state_directory(Executord *m) {
    m->state_dir = getenv("STATE_DIRECTORY") ?: STATE_DIRECTORY;
    m->state_fd = open(m->state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return m->state_fd < 0 ? log_error_errno(errno, "Cannot open %s: %m", m->state_dir) : 0;
}

static void find_agent_user(Executord *m) {
    const struct passwd *pw = getpwnam(AGENT_USER);

    m->agent_uid = pw ? pw->pw_uid : 0;
    if (!pw)
        log_warning("There is no user " AGENT_USER "; only root may order jobs");
}

static int set_up_event(Executord *m) {
    static const int signals[] = {SIGTERM, SIGINT};
    int r;

    r = sd_event_default(&m->event);
    if (r >= 0)
        log_sink_set_event(m->event);
    for (size_t i = 0; r >= 0 && i < ELEMENTSOF(signals); i++) {
        sigset_t set;

        (void)sigemptyset(&set);
        (void)sigaddset(&set, signals[i]);
        (void)sigprocmask(SIG_BLOCK, &set, NULL);
        r = sd_event_add_signal(m->event, NULL, signals[i], on_signal, m);
    }
    if (r >= 0)
        r = sd_event_add_time_relative(m->event, &m->idle_source, CLOCK_MONOTONIC, m->idle_usec, 0,
                                       on_idle, m);
    return r < 0 ? log_error_errno(r, "Cannot set up the event loop: %m") : 0;
}

static int set_up_bus(Executord *m) {
    int r;

    r = sd_bus_default_system(&m->bus);
    if (r >= 0)
        r = sd_bus_attach_event(m->bus, m->event, SD_EVENT_PRIORITY_NORMAL);
    if (r >= 0)
        r = sd_bus_set_exit_on_disconnect(m->bus, true);
    return r < 0 ? log_error_errno(r, "Cannot connect to the system bus: %m") : 0;
}

int executord_new(uint64_t idle_usec, Executord **ret) {
    _cleanup_(executord_freep) Executord *m = NULL;

    m = malloc(sizeof(*m));
    if (!m)
        return log_oom();
    *m = (Executord){.idle_usec = idle_usec, .state_fd = -1};

    find_agent_user(m);
    TRY(open_state_directory(m));
    TRY(set_up_event(m));
    TRY(set_up_bus(m));
    *ret = TAKE_PTR(m);
    return 0;
}

Executord *executord_free(Executord *m) {
    if (!m)
        return NULL;
    sd_event_source_disable_unref(m->idle_source);
    sd_bus_flush_close_unref(m->bus);
    log_sink_set_event(NULL);
    sd_event_unref(m->event);
    safe_close(m->state_fd);
    free(m);
    return NULL;
}

int executord_run(Executord *m) {
    return sd_event_loop(m->event);
}
