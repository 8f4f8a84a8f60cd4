/* SPDX-License-Identifier: Apache-2.0 */
/* Of two settings with the same name systemd takes the later, so the policy's come last. Lists of
 * paths add up, so the command's list is left out if the policy has one. */
#include "dcm-executord/sandbox-properties.h"

#include <stdio.h>

static int append_list(sd_bus_message *m, const char *name, char **list) {
    TRY(sd_bus_message_open_container(m, 'r', "sv"));
    TRY(sd_bus_message_append(m, "s", name));
    TRY(sd_bus_message_open_container(m, 'v', "as"));
    TRY(sd_bus_message_append_strv(m, list));
    TRY(sd_bus_message_close_container(m));
    return sd_bus_message_close_container(m);
}

/* True for an allow list, false for a deny list. */
static int append_filter(sd_bus_message *m, const SandboxSetting *s) {
    TRY(sd_bus_message_open_container(m, 'r', "sv"));
    TRY(sd_bus_message_append(m, "s", s->name));
    TRY(sd_bus_message_open_container(m, 'v', "(bas)"));
    TRY(sd_bus_message_open_container(m, 'r', "bas"));
    TRY(sd_bus_message_append(m, "b", s->flag));
    TRY(sd_bus_message_append_strv(m, s->values));
    TRY(sd_bus_message_close_container(m));
    TRY(sd_bus_message_close_container(m));
    return sd_bus_message_close_container(m);
}

static int append_setting(sd_bus_message *m, const SandboxSetting *s) {
    switch (s->type) {
    case SANDBOX_BOOL:
        return sd_bus_message_append(m, "(sv)", s->name, "b", s->flag);
    case SANDBOX_WORD:
        return sd_bus_message_append(m, "(sv)", s->name, "s", s->values[0]);
    case SANDBOX_PATHS:
        return append_list(m, s->name, s->values);
    default:
        return append_filter(m, s);
    }
}

static bool is_about_writing(const char *name) {
    return streq(name, "ProtectSystem") || streq(name, "ProtectHome") ||
           streq(name, "ReadWritePaths");
}

static int append_command_settings(sd_bus_message *m, const JobRequest *q) {
    const SandboxSetting *s = q->command.file ? q->command.file->sandbox : NULL;

    for (; s; s = s->next)
        if (!q->limits.writable_paths || !is_about_writing(s->name))
            TRY(append_setting(m, s));
    return 0;
}

/* Whether the list contains the path or a directory above it. */
static bool covers(char *const *list, const char *path) {
    for (char *const *p = list; *p; p++) {
        const char *q = *p + (**p == '-');
        const size_t size = strlen(q) - (q[strlen(q) - 1] == '/');

        if (strncmp(q, path, size) == 0 && (path[size] == '/' || path[size] == 0))
            return true;
    }
    return false;
}

/* Closes memory and homes, which ProtectSystem= leaves writable, unless the owner lists them.
 * ProtectHome= would override ReadWritePaths=/home. */
static int append_closed(sd_bus_message *m, char *const *writable) {
    static const char *const paths[] = {"/dev/shm", "/dev/mqueue", "/dev/hugepages",
                                        "/home",    "/root",       "/run/user"};
    char *closed[ELEMENTSOF(paths) + 1] = {}, optional[ELEMENTSOF(paths)][32];
    size_t n = 0;

    for (size_t i = 0; i < ELEMENTSOF(paths); i++) {
        if (covers(writable, paths[i]))
            continue;
        (void)snprintf(optional[n], sizeof(optional[n]), "-%s", paths[i]);
        closed[n] = optional[n];
        n++;
    }
    return append_list(m, "ReadOnlyPaths", closed);
}

/* None of the policy's settings implies NoNewPrivileges=, so that sudo continues to work. */
int sandbox_append(sd_bus_message *m, const JobRequest *q) {
    TRY(append_command_settings(m, q));
    if (!q->limits.network)
        TRY(sd_bus_message_append(m, "(sv)", "PrivateNetwork", "b", true));
    if (!q->limits.writable_paths)
        return 0;
    TRY(sd_bus_message_append(m, "(sv)", "ProtectSystem", "s", "strict"));
    TRY(append_closed(m, q->limits.writable_paths));
    return append_list(m, "ReadWritePaths", q->limits.writable_paths);
}
