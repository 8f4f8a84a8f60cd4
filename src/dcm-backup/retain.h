/* SPDX-License-Identifier: Apache-2.0 */
/* The backups of a series at a place, and which of them are this server's. Others have the same
 * names where a request was sent to many servers with one bucket: what the catalogue does not know
 * as made here is neither counted nor deleted, and restored by its name alone. */
#pragma once

#include "dcm-backup/work.h"

/* Deletes what Work.request.retain does not keep, of what this server has made, after `newest` was
 * made at that place and read back. Failures are told in the message, not returned. */
int retain_newest(Work *w, const Target *t, const char *newest);

/* The newest backup at that place of those that this server has made; the caller frees. -EIO: there
 * is none, or the place cannot be asked; the reply says so. */
int retain_find_newest(Work *w, const Target *t, char **ret_object);

/* Names of data sources that differ can give one series: fails if another one has that of the
 * request, or the name has nothing that counts. */
int retain_check_series(Work *w);
