/* SPDX-License-Identifier: Apache-2.0 */
/* A unit of its own for rclone: a user that exists as long as the unit and owns nothing, no
 * capability, a read-only file system, bounded memory. It ends with this process, however that
 * ends. Everybody can read the unit's properties: neither secrets nor names are in them. */
#pragma once

#include <sys/types.h>

#include "dcm-object/evidence.h"
#include "dcm-object/rclone-config.h"

typedef struct Session {
    const RcloneConfig *config;
    uint64_t deadline_usec; /* CLOCK_BOOTTIME; for everything together */
    uint64_t patience_usec; /* while nothing moves */
    int socket;             /* the channel, or -1: no unit */
    char unit[48];
} Session;

#define SESSION_INIT ((Session){.socket = -1})

/* Closes the channel, which ends the unit and whatever runs in it. */
void session_done(Session *s);
/* Starts the unit if there is none. -EIO with the failure. */
int session_start(Session *s, Failure *f);
