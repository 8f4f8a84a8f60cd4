/* SPDX-License-Identifier: Apache-2.0 */
/* Reports changes of files at a limited rate. */
#pragma once

#include <systemd/sd-event.h>

#include "basic/macro.h"

typedef struct FileWatches FileWatches;
typedef struct FileWatch FileWatch;

/* The set must outlive its watches. */
int file_watches_new(sd_event *event, FileWatches **ret);
FileWatches *file_watches_free(FileWatches *s);

/* Calls `on_change` some time after the file behind `fd` was written to or truncated; several
 * changes may cause one call. A file can have one watch. */
int file_watch_new(FileWatches *s, int fd, void (*on_change)(void *userdata), void *userdata,
                   FileWatch **ret);
FileWatch *file_watch_free(FileWatch *w);
