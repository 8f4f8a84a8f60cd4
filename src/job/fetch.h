/* SPDX-License-Identifier: Apache-2.0 */
/* One download: by dcm-fetch, in a unit that the executor starts. It only reads, so it may be
 * abandoned and repeated at any time; nothing of it is remembered over a restart. */
#pragma once

#include <systemd/sd-bus.h>

#include "job/command.h"

typedef struct Fetch Fetch;

/* Called once: a sealed memfd with the verified content, which it takes over; or -1 and what went
 * wrong, for people. fetch_free() is allowed in it. */
typedef void (*FetchDone)(int fd, const char *problem, void *userdata);

/* What can be downloaded: -EINVAL and an error text (the caller frees) that names the argument and
 * never its value. */
int fetch_source_check(const FetchSource *source, char **ret_error);

/* `spec` is a command's that downloads; it and its strings must live as long as the download. What
 * passes (the bus, the executor) is tried again until it has. */
int fetch_new(sd_bus *bus, const char *guid, const JobSpec *spec, FetchDone done, void *userdata,
              Fetch **ret);
/* Ends it. */
Fetch *fetch_free(Fetch *f);
