/* SPDX-License-Identifier: Apache-2.0 */
/* Tells of changes of files, as often as is bearable. */
#pragma once

#include <systemd/sd-event.h>

#include "basic/macro.h"

typedef struct FileWatches FileWatches;
typedef struct FileWatch FileWatch;

/* The set of them; it must outlive what is watched. */
int file_watches_new(sd_event *event, FileWatches **ret);
FileWatches *file_watches_free(FileWatches *s);

/* `on_change` is called some time after the file behind `fd` was written to or cut; several changes
 * may be one call. The same file can be watched once. */
int file_watch_new(FileWatches *s, int fd, void (*on_change)(void *userdata), void *userdata,
                   FileWatch **ret);
FileWatch *file_watch_free(FileWatch *w);
