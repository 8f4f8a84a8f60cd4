/* SPDX-License-Identifier: Apache-2.0 */
/* Settings of [sandbox] in a command's file: those of systemd.exec(5), under their names there. */
#pragma once

#include "basic/macro.h"

typedef enum SandboxType {
    SANDBOX_BOOL,
    SANDBOX_WORD,     /* one of a few */
    SANDBOX_PATHS,    /* absolute, perhaps with a dash before it */
    SANDBOX_FAMILIES, /* an allow list, as (bas) on the bus; "none" allows none */
    SANDBOX_CALLS,    /* an allow list, or with ~ before it a deny list */
} SandboxType;

typedef struct SandboxSetting SandboxSetting;
struct SandboxSetting {
    SandboxSetting *next;
    const char *name; /* of the unit's property; static */
    SandboxType type;
    bool flag;     /* of a boolean; whether a list allows what it names */
    char **values; /* words, paths; one for SANDBOX_WORD */
};

/* -EINVAL: no such setting, or not a value of it. */
int sandbox_setting_new(const char *name, const char *value, SandboxSetting **ret);
/* A list of them. */
SandboxSetting *sandbox_free(SandboxSetting *first);
DEFINE_CLEANUP(SandboxSetting *, sandbox_free)
