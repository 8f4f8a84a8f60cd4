/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <systemd/sd-event.h>

/* Returns memory to the system that only start-up and TLS handshakes need: free heap, and pages of
 * program text. The kernel maps text pages again from the page cache when they are used. */
void memory_trim(void);

/* Does it a little after each memory_trim_later(), once what was freed meanwhile is free. The
 * caller disables and frees the timer. */
int memory_trimmer_new(sd_event *event, sd_event_source **ret_timer);
void memory_trim_later(sd_event_source *timer);
