/* SPDX-License-Identifier: Apache-2.0 */
/* Of two settings of one name systemd takes the later: the policy's come last. Lists of paths add
 * up, so that a command's are left out where the policy names some. */
#include "executor/sandbox-properties.h"

#include "executor/append.h"

static int append_list(sd_bus_message *m, const char *name, char **list) {
    TRY(sd_bus_message_open_container(m, 'r', "sv"));
    TRY(sd_bus_message_append(m, "s", name));
    TRY(sd_bus_message_open_container(m, 'v', "as"));
    TRY(sd_bus_message_append_strv(m, list));
    TRY(sd_bus_message_close_container(m));
    return sd_bus_message_close_container(m);
}

/* Whether it names what is allowed, or what is not. */
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

/* None of the policy's implies NoNewPrivileges=, so that sudo goes on to work. */
int sandbox_append(sd_bus_message *m, const JobRequest *q) {
    TRY(append_command_settings(m, q));
    if (!q->limits.network)
        TRY(sd_bus_message_append(m, "(sv)", "PrivateNetwork", "b", true));
    if (!q->limits.writable_paths)
        return 0;
    TRY(sd_bus_message_append(m, "(sv)", "ProtectSystem", "s", "strict"));
    TRY(sd_bus_message_append(m, "(sv)", "ProtectHome", "s", "read-only"));
    return append_list(m, "ReadWritePaths", q->limits.writable_paths);
}
