/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "basic/macro.h"

typedef struct Platform {
    char *name;    /* "debian": ID= of os-release(5), lower case */
    char *version; /* "12" */
    char *like;    /* "rhel fedora": ID_LIKE= */
} Platform;

/* From /etc/os-release, else /usr/lib/os-release; "unknown" for a missing value. */
int platform_read(Platform *ret);
/* The same from the text of an os-release file. */
int platform_parse(const char *text, Platform *ret);
void platform_done(Platform *p);
