/* SPDX-License-Identifier: Apache-2.0 */
/* Delivers finished log entries and never blocks: sd_journal_sendv(3) and write(2) would block
 * while the other end does not read, and the whole agent with them. Entries that the journal does
 * not accept are queued, up to LOG_WAITING_MAX; entries beyond that are counted. One queue per
 * process, like log.c. */
#pragma once

#include <systemd/sd-event.h>

#include "basic/macro.h"

/* Formats the entry that reports lost entries. `n_lost` is their number. Writes at most `size`
 * bytes and returns how many. */
typedef size_t (*LogLossFormat)(uint64_t n_lost, char *buf, size_t size);

/* `fd`: destination of the entries. If `journal_path` is not NULL, fd is a datagram socket that
 * nobody else uses, and the sink connects it to this path when needed. Otherwise fd is any
 * descriptor; the caller may keep copies of it. */
void log_sink_set(int fd, const char *journal_path, LogLossFormat format);

void log_sink_put(const char *entry, size_t size);

/* Sends queued entries as soon as there is room, and then reports lost ones. Without an event loop
 * the next entry triggers both. Pass NULL before the loop is freed. */
void log_sink_set_event(sd_event *event);
/* Waits, for at most a second, until the journal has read what was sent. It takes the unit of an
 * entry from the process that sent it: the last words of one that is gone are in no unit's log. */
void log_sink_drain(void);
