/* SPDX-License-Identifier: Apache-2.0 */
/* The interfaces as GetInterfaceDescription() tells them; made of the files dbus/NAME.varlink. */
#pragma once

#include "basic/macro.h"

typedef struct VarlinkDescription {
    const char *name;
    const char *text;
} VarlinkDescription;

extern const VarlinkDescription varlink_descriptions[];
extern const size_t varlink_n_descriptions;
