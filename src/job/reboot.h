/* SPDX-License-Identifier: Apache-2.0 */
/* The end of a job that reboots the server (reboots = yes). Its script orders the reboot and waits:
 * the shutdown ends it. dcm-run notes in which boot it ran. */
#pragma once

#include "basic/bounds.h"
#include "basic/exit-record.h"
#include "proto/json.h"

/* How long a shutdown may take after the end of the script. */
#define REBOOT_USEC_MAX (15 * 60 * USEC_PER_SEC)

/* Whether the script ended well, or by a signal of a shutdown. */
bool reboot_may_follow(const ExitRecord *r) _pure_;
/* 1: the server has booted since the job began; the reply of its success. 0: it has not, or that is
 * unknown. */
int reboot_reply(int dir_fd, struct json_object **ret);
/* The reply if the server does not reboot. */
int reboot_reply_missing(struct json_object **ret);
