/* SPDX-License-Identifier: Apache-2.0 */
/* The properties of a download's unit. */
#pragma once

#include <systemd/sd-bus.h>

#include "basic/macro.h"

/* The checked arguments of Fetch. The descriptors are borrowed. */
typedef struct FetchRequest {
    const char *guid;
    const char *command;
    int order_fd, content_fd, status_fd;
    bool as_root; /* the job that follows the download */
    bool network;
} FetchRequest;

/* Appends them as a(sv). */
int fetch_append_properties(sd_bus_message *m, const FetchRequest *q);
