/* SPDX-License-Identifier: Apache-2.0 */
/* The interface descriptions for GetInterfaceDescription(), generated from dbus/NAME.varlink. */
#pragma once

#include "basic/macro.h"

typedef struct VarlinkDescription {
    const char *name;
    const char *text;
} VarlinkDescription;

extern const VarlinkDescription varlink_descriptions[];
extern const size_t varlink_n_descriptions;
