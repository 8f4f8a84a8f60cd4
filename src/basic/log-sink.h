/* SPDX-License-Identifier: Apache-2.0 */
/* Where finished log entries go, without ever waiting: sd_journal_sendv(3) and write(2) sleep for
 * as long as the other end does not read, and the whole agent with them. What is not taken waits
 * here, up to LOG_WAITING_MAX; what is more than that is counted. One per process, like log.c. */
#pragma once

#include <systemd/sd-event.h>

#include "basic/macro.h"

/* An entry that says so, in the form of the others. `n_lost` is how many entries are missing; no
 * more than `size` bytes are written, and their number is returned. */
typedef size_t (*LogLossFormat)(uint64_t n_lost, char *buf, size_t size);

/* `fd`: where entries are sent to. `journal_path`: it is a datagram socket that belongs to nobody
 * else, connected to this path when needed; NULL: any other descriptor, of which a copy stays the
 * caller's. */
void log_sink_set(int fd, const char *journal_path, LogLossFormat format);

void log_sink_put(const char *entry, size_t size);

/* From now on what waits is sent as soon as there is room, and what was lost is told then; without
 * a loop, with the next entry. NULL ends that, before the loop is freed. */
void log_sink_set_event(sd_event *event);
