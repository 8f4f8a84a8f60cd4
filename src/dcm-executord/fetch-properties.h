/* SPDX-License-Identifier: Apache-2.0 */
/* What the unit of a download is made of. */
#pragma once

#include <systemd/sd-bus.h>

#include "basic/macro.h"

/* What a caller of Fetch asked for, checked. The descriptors are borrowed. */
typedef struct FetchRequest {
    const char *guid;
    const char *command;
    int order_fd, content_fd, status_fd;
    bool as_root; /* the job that comes after it */
    bool network;
} FetchRequest;

/* Appends the a(sv). */
int fetch_append_properties(sd_bus_message *m, const FetchRequest *q);
