/* SPDX-License-Identifier: Apache-2.0 */
/* Settings of [sandbox] in a command's file, with names and meaning of systemd.exec(5). */
#pragma once

#include "basic/macro.h"

typedef enum SandboxType {
    SANDBOX_BOOL,
    SANDBOX_WORD,     /* one of a few words */
    SANDBOX_PATHS,    /* absolute, optionally with a leading dash */
    SANDBOX_FAMILIES, /* an allow list, (bas) on the bus; "none" allows none */
    SANDBOX_CALLS,    /* an allow list, or with a leading ~ a deny list */
} SandboxType;

typedef struct SandboxSetting SandboxSetting;
struct SandboxSetting {
    SandboxSetting *next;
    const char *name; /* the unit's property; static */
    SandboxType type;
    bool flag;     /* value of a boolean; whether a list allows its entries */
    char **values; /* words, paths; a single one for SANDBOX_WORD */
};

/* -EINVAL: unknown setting, or invalid value. */
int sandbox_setting_new(const char *name, const char *value, SandboxSetting **ret);
/* Frees a whole list. */
SandboxSetting *sandbox_free(SandboxSetting *first);
DEFINE_CLEANUP(SandboxSetting *, sandbox_free)
