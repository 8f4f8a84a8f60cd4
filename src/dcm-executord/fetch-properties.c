/* SPDX-License-Identifier: Apache-2.0 */
/* dcm-fetch parses data from strangers, so its unit can do nothing else: a user that owns nothing,
 * no capability, a read-only file system, and either the network or the machine's files: a download
 * from the network sees neither /tmp nor homes, one of a file has no network.
 *
 * Everybody can read these properties, so they do not contain the URL. */
#include "dcm-executord/fetch-properties.h"

#include <sched.h>
#include <stdio.h>
#include <sys/socket.h>

#include "basic/bounds.h"
#include "basic/utf8.h"

#define FETCH_PROGRAM PKGLIBDIR "/dcm-fetch"
#define FETCH_USER "dcm-fetch"
#define UNIT_EXTRA_USEC (30 * USEC_PER_SEC) /* dcm-fetch ends earlier, and gives the reason */
#define TIMEOUT_STOP_USEC (5 * USEC_PER_SEC)

static const struct {
    const char *name;
    const char *value;
} strings[] = {
    {"Slice", "dcm-jobs.slice"},
    {"Type", "exec"},
    {"CollectMode", "inactive-or-failed"},
    {"KillMode", "control-group"},
    {"User", FETCH_USER},
    {"SyslogIdentifier", "dcm-fetch"},
    {"WorkingDirectory", "/"},
    {"ProtectSystem", "strict"},
    {"ProtectProc", "invisible"},
    {"ProcSubset", "pid"},
    {"DevicePolicy", "closed"},
    {"KeyringMode", "private"},
};

static const char *const switches[] = {
    "NoNewPrivileges",   "PrivateDevices",         "PrivateIPC",
    "ProtectHostname",   "ProtectClock",           "ProtectKernelTunables",
    "ProtectKernelLogs", "ProtectKernelModules",   "ProtectControlGroups",
    "RestrictRealtime",  "RestrictSUIDSGID",       "LockPersonality",
    "RemoveIPC",         "MemoryDenyWriteExecute",
};

static const struct {
    const char *name;
    uint64_t value;
} numbers[] = {
    {"CapabilityBoundingSet", 0},
    {"AmbientCapabilities", 0},
    /* Not 0 (none at all): on daemon-reload systemd 252 reads its own notation for that as all.
     * Without a capability and without user namespaces none of these can be made either. */
    {"RestrictNamespaces", CLONE_NEWUTS},
    {"RuntimeMaxUSec", FETCH_TIME_USEC_MAX + UNIT_EXTRA_USEC},
    {"TimeoutStopUSec", TIMEOUT_STOP_USEC},
    {"MemoryMax", FETCH_MEMORY_MAX},
    {"MemorySwapMax", 0},
    {"TasksMax", FETCH_TASKS_MAX},
    {"LimitFSIZE", SCRIPT_SIZE_MAX},
    {"LimitCORE", 0}, /* a core dump would contain the URL */
};

static int append_tables(sd_bus_message *m) {
    for (size_t i = 0; i < ELEMENTSOF(strings); i++)
        TRY(sd_bus_message_append(m, "(sv)", strings[i].name, "s", strings[i].value));
    for (size_t i = 0; i < ELEMENTSOF(switches); i++)
        TRY(sd_bus_message_append(m, "(sv)", switches[i], "b", true));
    for (size_t i = 0; i < ELEMENTSOF(numbers); i++)
        TRY(sd_bus_message_append(m, "(sv)", numbers[i].name, "t", numbers[i].value));
    return sd_bus_message_append(m, "(sv)", "UMask", "u", (uint32_t)077);
}

static int append_system_calls(sd_bus_message *m) {
    TRY(sd_bus_message_append(m, "(sv)", "SystemCallArchitectures", "as", 1, "native"));
    TRY(sd_bus_message_append(m, "(sv)", "SystemCallFilter", "(bas)", true, 1, "@system-service"));
    TRY(sd_bus_message_append(m, "(sv)", "SystemCallFilter", "(bas)", false, 2, "@resources",
                              "@privileged"));
    return sd_bus_message_append(m, "(sv)", "SystemCallErrorNumber", "i", (int32_t)EPERM);
}

/* AF_UNIX: name services of the C library may be daemons. */
static int append_reach(sd_bus_message *m, bool network) {
    TRY(sd_bus_message_append(m, "(sv)", "PrivateTmp", "b", network));
    TRY(sd_bus_message_append(m, "(sv)", "ReadOnlyPaths", "as", 1, "-/dev/shm"));
    TRY(sd_bus_message_append(m, "(sv)", "ProtectHome", "s", network ? "yes" : "read-only"));
    TRY(sd_bus_message_append(m, "(sv)", "PrivateNetwork", "b", !network));
    if (network)
        return sd_bus_message_append(m, "(sv)", "RestrictAddressFamilies", "(bas)", true, 3,
                                     "AF_INET", "AF_INET6", "AF_UNIX");
    return sd_bus_message_append(m, "(sv)", "RestrictAddressFamilies", "(bas)", true, 1, "AF_UNIX");
}

static int append_texts(sd_bus_message *m, const FetchRequest *q) {
    char text[sizeof("Download for the agent manager: ") + COMMAND_NAME_MAX];

    (void)utf8_format(text, sizeof(text), "Download for the agent manager: %s", q->command);
    TRY(sd_bus_message_append(m, "(sv)", "Description", "s", text));
    TRY(sd_bus_message_append(m, "(sv)", "Documentation", "as", 1, "man:dcm-fetch(8)"));
    /* at shutdown the agent stops first, and does not mistake the end of the download for a
     * failure */
    TRY(sd_bus_message_append(m, "(sv)", "Before", "as", 1, "dcm-agent.service"));
    return sd_bus_message_append(m, "(sv)", "ExecStart", "a(sasb)", 1, FETCH_PROGRAM, 1,
                                 "dcm-fetch", false);
}

static int append_descriptors(sd_bus_message *m, const FetchRequest *q) {
    TRY(sd_bus_message_append(m, "(sv)", "StandardInputFileDescriptor", "h", q->order_fd));
    TRY(sd_bus_message_append(m, "(sv)", "StandardOutputFileDescriptor", "h", q->content_fd));
    return sd_bus_message_append(m, "(sv)", "StandardErrorFileDescriptor", "h", q->status_fd);
}

int fetch_append_properties(sd_bus_message *m, const FetchRequest *q) {
    TRY(sd_bus_message_open_container(m, 'a', "(sv)"));
    TRY(append_tables(m));
    TRY(append_system_calls(m));
    TRY(append_reach(m, q->network));
    TRY(append_texts(m, q));
    TRY(append_descriptors(m, q));
    return sd_bus_message_close_container(m);
}
