/* SPDX-License-Identifier: Apache-2.0 */
/* Waits until a name may belong to another file: it was made, moved there, or may be read now.
 * While directories on the way to it are missing, or may not be read, the nearest one that can be
 * watched is (inotify(7)). */
#pragma once

#include <systemd/sd-event.h>

#include "basic/macro.h"

typedef struct NameWatch NameWatch;

/* `path` is absolute and is copied. on_change is called for each change of the name, of the next
 * part of its way that is missing, or of the directory itself; by then there may be a nearer
 * directory to watch, so free it there and begin again. Negative errno: as sd_event_add_inotify(3)
 * for the last directory that was tried. */
int name_watch_new(sd_event *event, const char *path, void (*on_change)(void *userdata),
                   void *userdata, NameWatch **ret);
NameWatch *name_watch_free(NameWatch *w);
DEFINE_CLEANUP(NameWatch *, name_watch_free)
