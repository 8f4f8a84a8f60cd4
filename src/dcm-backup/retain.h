/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "dcm-backup/catalogue.h"
#include "dcm-backup/work.h"

/* Deletes the backups of the series that the request does not retain from the target, which has the
 * new one, read back. What cannot be deleted is told in the message: the backup is none the worse
 * for it. */
int retain_newest(Work *w, const Target *t, const char *newest);

/* The objects of the series at the target: names and times, the caller frees both. -EIO: the
 * failure's text. */
int retain_list(Work *w, const Target *t, char ***ret_names, uint64_t **ret_times, size_t *ret_n,
                char **ret_text);
