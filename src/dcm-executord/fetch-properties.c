/* SPDX-License-Identifier: Apache-2.0 */
/* dcm-fetch parses data from strangers, so its unit can do nothing else: a user that owns nothing,
 * no capability, a read-only file system, and either the network or the machine's files: a download
 * from the network sees neither /tmp nor homes, one of a file has no network.
 *
 * Everybody can read these properties, so they do not contain the URL. */
#include "dcm-executord/fetch-properties.h"

#include <stdio.h>

#include "basic/bounds.h"
#include "basic/utf8.h"
#include "unit/confinement.h"

#define FETCH_PROGRAM PKGLIBDIR "/dcm-fetch"
#define FETCH_USER "dcm-fetch"
#define UNIT_EXTRA_USEC (30 * USEC_PER_SEC) /* dcm-fetch ends earlier, and gives the reason */

static const struct {
    const char *name;
    uint64_t value;
} numbers[] = {
    {"RuntimeMaxUSec", FETCH_TIME_USEC_MAX + UNIT_EXTRA_USEC},
    {"MemoryMax", FETCH_MEMORY_MAX},
    {"TasksMax", FETCH_TASKS_MAX},
    {"LimitFSIZE", SCRIPT_SIZE_MAX},
};

static int append_table(sd_bus_message *m) {
    for (size_t i = 0; i < ELEMENTSOF(numbers); i++)
        TRY(sd_bus_message_append(m, "(sv)", numbers[i].name, "t", numbers[i].value));
    TRY(sd_bus_message_append(m, "(sv)", "User", "s", FETCH_USER));
    return sd_bus_message_append(m, "(sv)", "SyslogIdentifier", "s", "dcm-fetch");
}

static int append_reach(sd_bus_message *m, bool network) {
    TRY(sd_bus_message_append(m, "(sv)", "PrivateTmp", "b", network));
    TRY(sd_bus_message_append(m, "(sv)", "ReadOnlyPaths", "as", 1, "-/dev/shm"));
    TRY(sd_bus_message_append(m, "(sv)", "ProtectHome", "s", network ? "yes" : "read-only"));
    TRY(sd_bus_message_append(m, "(sv)", "PrivateNetwork", "b", !network));
    return confinement_append_sockets(m, network);
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
    TRY(confinement_append(m));
    TRY(append_table(m));
    TRY(append_reach(m, q->network));
    TRY(append_texts(m, q));
    TRY(append_descriptors(m, q));
    return sd_bus_message_close_container(m);
}
