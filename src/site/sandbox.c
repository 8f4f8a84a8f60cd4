/* SPDX-License-Identifier: Apache-2.0 */
/* Only settings that restrict, and that systemd 252 can read back after a daemon-reload. */
#include "site/sandbox.h"

#include "basic/bounds.h"
#include "basic/parse-util.h"
#include "basic/strv.h"
#include "proto/text.h"

typedef struct Key {
    const char *name;
    SandboxType type;
    const char *words; /* of SANDBOX_WORD, the permitted ones */
} Key;

static const Key keys[] = {
    {"InaccessiblePaths", SANDBOX_PATHS},
    {"LockPersonality", SANDBOX_BOOL},
    {"MemoryDenyWriteExecute", SANDBOX_BOOL},
    {"NoNewPrivileges", SANDBOX_BOOL},
    {"PrivateDevices", SANDBOX_BOOL},
    {"PrivateIPC", SANDBOX_BOOL},
    {"PrivateNetwork", SANDBOX_BOOL},
    {"PrivateTmp", SANDBOX_BOOL},
    {"ProcSubset", SANDBOX_WORD, "all pid"},
    {"ProtectClock", SANDBOX_BOOL},
    {"ProtectControlGroups", SANDBOX_BOOL},
    {"ProtectHome", SANDBOX_WORD, "no yes read-only tmpfs"},
    {"ProtectHostname", SANDBOX_BOOL},
    {"ProtectKernelLogs", SANDBOX_BOOL},
    {"ProtectKernelModules", SANDBOX_BOOL},
    {"ProtectKernelTunables", SANDBOX_BOOL},
    {"ProtectProc", SANDBOX_WORD, "default noaccess invisible ptraceable"},
    {"ProtectSystem", SANDBOX_WORD, "no yes full strict"},
    {"ReadOnlyPaths", SANDBOX_PATHS},
    {"ReadWritePaths", SANDBOX_PATHS},
    {"RestrictAddressFamilies", SANDBOX_FAMILIES},
    {"RestrictRealtime", SANDBOX_BOOL},
    {"RestrictSUIDSGID", SANDBOX_BOOL},
    {"SystemCallFilter", SANDBOX_CALLS},
};

SandboxSetting *sandbox_free(SandboxSetting *first) {
    while (first) {
        SandboxSetting *s = first;

        first = s->next;
        strv_free(s->values);
        free(s);
    }
    return NULL;
}

static int parse_one_word(const char *words, const char *value, SandboxSetting *s) {
    char **list = NULL;
    bool ok = false;

    TRY(parse_words(words, &list));
    for (char **w = list; *w; w++)
        ok = ok || streq(*w, value);
    strv_free(list);
    return ok ? parse_words(value, &s->values) : -EINVAL;
}

static bool are_names(char *const *values, const char *prefix, const char *set) {
    for (char *const *v = values; *v; v++)
        if (strncmp(*v, prefix, strlen(prefix)) != 0 || (*v)[strspn(*v, set)])
            return false;
    return values[0];
}

static int parse_list(SandboxType type, const char *value, SandboxSetting *s) {
    bool ok;

    s->flag = !(type == SANDBOX_CALLS && *value == '~');
    TRY(parse_words(value + !s->flag, &s->values));
    if (type == SANDBOX_PATHS)
        ok = paths_are_valid(s->values);
    else if (type == SANDBOX_CALLS)
        ok = are_names(s->values, "", "@-_abcdefghijklmnopqrstuvwxyz0123456789");
    else if (s->values[0] && streq(s->values[0], "none") && !s->values[1]) {
        strv_free(TAKE_PTR(s->values));
        return parse_words("", &s->values);
    } else
        ok = are_names(s->values, "AF_", "_ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789");
    return ok ? 0 : -EINVAL;
}

int sandbox_setting_new(const char *name, const char *value, SandboxSetting **ret) {
    _cleanup_(sandbox_freep) SandboxSetting *s = calloc(1, sizeof(*s));
    const Key *key = NULL;
    int r;

    if (!s)
        return -ENOMEM;
    if (!bus_text_is_valid(value))
        return -EINVAL;
    for (size_t i = 0; i < ELEMENTSOF(keys); i++)
        if (streq(keys[i].name, name))
            key = &keys[i];
    if (!key)
        return -EINVAL;
    s->name = key->name;
    s->type = key->type;
    if (key->type == SANDBOX_BOOL)
        r = parse_bool(value, &s->flag);
    else if (key->type == SANDBOX_WORD)
        r = parse_one_word(key->words, value, s);
    else
        r = parse_list(key->type, value, s);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(s);
    return 0;
}
