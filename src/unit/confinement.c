/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/confinement.h"

#include <sched.h>
#include <sys/socket.h>

#include "basic/macro.h"
#include "basic/time-util.h"

#define TIMEOUT_STOP_USEC (5 * USEC_PER_SEC)

static const struct {
    const char *name;
    const char *value;
} strings[] = {
    {"Slice", "dcm-jobs.slice"},   {"Type", "exec"},          {"CollectMode", "inactive-or-failed"},
    {"KillMode", "control-group"}, {"WorkingDirectory", "/"}, {"ProtectSystem", "strict"},
    {"ProtectProc", "invisible"},  {"ProcSubset", "pid"},     {"DevicePolicy", "closed"},
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
    {"TimeoutStopUSec", TIMEOUT_STOP_USEC},
    {"MemorySwapMax", 0},
    {"LimitCORE", 0}, /* a core dump would contain what is secret */
};

static int append_system_calls(sd_bus_message *m) {
    TRY(sd_bus_message_append(m, "(sv)", "SystemCallArchitectures", "as", 1, "native"));
    TRY(sd_bus_message_append(m, "(sv)", "SystemCallFilter", "(bas)", true, 1, "@system-service"));
    TRY(sd_bus_message_append(m, "(sv)", "SystemCallFilter", "(bas)", false, 2, "@resources",
                              "@privileged"));
    return sd_bus_message_append(m, "(sv)", "SystemCallErrorNumber", "i", (int32_t)EPERM);
}

int confinement_append(sd_bus_message *m) {
    for (size_t i = 0; i < ELEMENTSOF(strings); i++)
        TRY(sd_bus_message_append(m, "(sv)", strings[i].name, "s", strings[i].value));
    for (size_t i = 0; i < ELEMENTSOF(switches); i++)
        TRY(sd_bus_message_append(m, "(sv)", switches[i], "b", true));
    for (size_t i = 0; i < ELEMENTSOF(numbers); i++)
        TRY(sd_bus_message_append(m, "(sv)", numbers[i].name, "t", numbers[i].value));
    TRY(sd_bus_message_append(m, "(sv)", "UMask", "u", (uint32_t)077));
    return append_system_calls(m);
}

/* AF_UNIX: name services of the C library may be daemons. */
int confinement_append_sockets(sd_bus_message *m, bool network) {
    if (network)
        return sd_bus_message_append(m, "(sv)", "RestrictAddressFamilies", "(bas)", true, 3,
                                     "AF_INET", "AF_INET6", "AF_UNIX");
    return sd_bus_message_append(m, "(sv)", "RestrictAddressFamilies", "(bas)", true, 1, "AF_UNIX");
}
