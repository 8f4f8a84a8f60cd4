/* SPDX-License-Identifier: Apache-2.0 */
/* Waits until a name may belong to another file, because one was made, moved there, or became
 * readable. While directories on its path are missing or unreadable, watches the nearest one that
 * it can (inotify(7)). */
#pragma once

#include <systemd/sd-event.h>

#include "basic/macro.h"

typedef struct NameWatch NameWatch;

/* `path` is absolute and is copied. Calls on_change for each change of the name, of the next
 * missing part of its path, or of the directory itself; by then a nearer directory may exist, so
 * free the watch there and make a new one. Negative errno: that of sd_event_add_inotify(3) for the
 * last directory tried. */
int name_watch_new(sd_event *event, const char *path, void (*on_change)(void *userdata),
                   void *userdata, NameWatch **ret);
NameWatch *name_watch_free(NameWatch *w);
DEFINE_CLEANUP(NameWatch *, name_watch_free)
