/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-object/session.h"

#include <stdio.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <systemd/sd-bus.h>

#include "basic/fd-util.h"
#include "basic/memfd-util.h"
#include "basic/time-util.h"
#include "dcm-object/channel.h"
#include "unit/confinement.h"

#define PROGRAM PKGLIBDIR "/dcm-object-run"
#define UNIT_EXTRA_USEC (30 * USEC_PER_SEC) /* dcm-object ends earlier, and says why */
#define CALL_USEC (60 * USEC_PER_SEC)

static const struct {
    const char *name;
    const char *value;
} strings[] = {
    {"Description", "Transfer to or from object storage, for the agent manager"},
    {"SyslogIdentifier", "dcm-object-run"},
    {"ProtectHome", "yes"},
    {"StandardOutput", "journal"},
    {"StandardError", "journal"},
};

static const struct {
    const char *name;
    uint64_t value;
} numbers[] = {
    {"MemoryMax", OBJECT_MEMORY_MAX},
    {"TasksMax", OBJECT_TASKS_MAX},
    {"LimitFSIZE", 0}, /* it writes no files */
};

void session_done(Session *s) {
    s->socket = safe_close(s->socket);
}

static int append_tables(sd_bus_message *m) {
    for (size_t i = 0; i < ELEMENTSOF(strings); i++)
        TRY(sd_bus_message_append(m, "(sv)", strings[i].name, "s", strings[i].value));
    for (size_t i = 0; i < ELEMENTSOF(numbers); i++)
        TRY(sd_bus_message_append(m, "(sv)", numbers[i].name, "t", numbers[i].value));
    TRY(sd_bus_message_append(m, "(sv)", "DynamicUser", "b", true));
    TRY(sd_bus_message_append(m, "(sv)", "PrivateTmp", "b", true));
    return sd_bus_message_append(m, "(sv)", "Documentation", "as", 1, "man:dcm-object(8)");
}

static int append_properties(sd_bus_message *m, const Session *s, int socket) {
    const uint64_t now = now_usec(CLOCK_BOOTTIME);
    const uint64_t left = s->deadline_usec > now ? s->deadline_usec - now : 0;

    TRY(sd_bus_message_open_container(m, 'a', "(sv)"));
    TRY(confinement_append(m));
    TRY(confinement_append_sockets(m, true));
    TRY(append_tables(m));
    TRY(sd_bus_message_append(m, "(sv)", "RuntimeMaxUSec", "t", left + UNIT_EXTRA_USEC));
    TRY(sd_bus_message_append(m, "(sv)", "ExecStart", "a(sasb)", 1, PROGRAM, 1, "dcm-object-run",
                              false));
    TRY(sd_bus_message_append(m, "(sv)", "StandardInputFileDescriptor", "h", socket));
    return sd_bus_message_close_container(m);
}

static int call(sd_bus *bus, const Session *s, int socket, sd_bus_error *error) {
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;

    TRY(sd_bus_message_new_method_call(bus, &m, "org.freedesktop.systemd1",
                                       "/org/freedesktop/systemd1",
                                       "org.freedesktop.systemd1.Manager", "StartTransientUnit"));
    TRY(sd_bus_message_append(m, "ss", s->unit, "fail"));
    TRY(append_properties(m, s, socket));
    TRY(sd_bus_message_append(m, "a(sa(sv))", 0));
    return sd_bus_call(bus, m, CALL_USEC, error, NULL);
}

static int start_unit(Session *s, int socket, Failure *f) {
    _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
    _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
    uint64_t number;
    int r;

    if (getrandom(&number, sizeof(number), 0) != sizeof(number))
        return failure_set(f, FAILURE_OTHER, "No random number for the unit's name");
    (void)snprintf(s->unit, sizeof(s->unit), "dcm-object-%016llx.service",
                   (unsigned long long)number);
    r = sd_bus_open_system(&bus);
    if (r >= 0)
        r = call(bus, s, socket, &error);
    if (r >= 0)
        return 0;
    return failure_set(f, FAILURE_OTHER,
                       "systemd has not started a unit for the transfer: %s (only root may have "
                       "one started)",
                       error.message ?: strerror(-r));
}

/* The environment, and the file of what to trust. */
static int send_environment(const Session *s, int socket) {
    const RcloneConfig *c = s->config;
    _cleanup_close_ int fd = -1;

    if (c->trust)
        TRY(memfd_new_sealed("trust", c->trust, strlen(c->trust), &fd));
    return channel_send_strings(socket, CHANNEL_ENVIRONMENT, c->env, &fd, fd >= 0 ? 1 : 0);
}

int session_start(Session *s, Failure *f) {
    _cleanup_close_ int ours = -1, theirs = -1;
    int pair[2], r;

    if (s->socket >= 0)
        return 0;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return failure_set(f, FAILURE_OTHER, "No socket: %s", strerror(errno));
    ours = pair[0];
    theirs = pair[1];
    r = send_environment(s, ours);
    if (r < 0)
        return failure_set(f, FAILURE_OTHER, "rclone's settings cannot be passed on: %s",
                           strerror(-r));
    TRY(start_unit(s, theirs, f));
    s->socket = TAKE_FD(ours);
    return 0;
}
