/* SPDX-License-Identifier: Apache-2.0 */
/* One download by dcm-fetch, in a unit that the executor starts. It only reads, so it may be
 * cancelled and repeated at any time; it keeps no state over a restart. */
#pragma once

#include <systemd/sd-bus.h>

#include "job/command.h"
#include "job/trouble.h"

typedef struct Fetch Fetch;

/* Called once: with a sealed memfd of the verified content, which the callee owns; or with -1 and
 * the problem, for people. It may call fetch_free(). */
typedef void (*FetchDone)(int fd, const char *problem, void *userdata);

/* Checks the source. -EINVAL, with an error text (the caller frees) that names the argument and
 * never its value. */
int fetch_source_check(const FetchSource *source, char **ret_error);

/* `spec` is that of a command with a source; it and its strings must outlive the download. Retries
 * temporary failures (of the bus, of the executor). */
int fetch_new(sd_bus *bus, const char *guid, const JobSpec *spec, FetchDone done, void *userdata,
              Fetch **ret);
/* Where it notes that it cannot begin for the time being; borrowed. */
void fetch_set_trouble(Fetch *f, Trouble *trouble);
/* Also cancels the download. */
Fetch *fetch_free(Fetch *f);
