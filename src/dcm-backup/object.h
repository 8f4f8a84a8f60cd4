/* SPDX-License-Identifier: Apache-2.0 */
/* Calls of dcm-object(8). Places go to it as sealed memory. */
#pragma once

#include "backup/record.h"
#include "dcm-backup/work.h"
#include "dcm-object/progress.h"

/* What the i-th of n transfers is of all of them. */
ProgressPart object_part(ProgressPart all, size_t i, size_t n);
/* A part of nothing: somebody else tells the progress. */
#define PROGRESS_NONE ((ProgressPart){0, 0})

/* Adds `put` of what the producers put out to the pipeline, or `get` as its first stage; `sha256`
 * may be NULL. Both return the number of the stage. */
int object_add_put(Pipeline *p, const Target *t, const char *name, ProgressPart part);
int object_add_get(Pipeline *p, const Target *t, const char *name, const char *sha256,
                   ProgressPart part);

/* What `put` has printed: 0, or -EIO; *ret_text says why, the caller frees. It is NULL where
 * dcm-object said nothing. */
int object_put_result(const Pipeline *p, int stage, struct json_object **ret, char **ret_text);

/* The failure of a pipeline that begins with `get`, which says best why if it has failed itself. */
int object_fail_get(Work *w, const Pipeline *p);

/* One call; 0, or -EIO and *ret_code and *ret_text (the caller frees both, they may be NULL).
 * `arguments` end with NULL. */
int object_call(Work *w, const Target *t, const char *const *arguments, struct json_object **ret,
                char **ret_code, char **ret_text);

/* `put` of a file that has no name, as object_call(). */
int object_put_file(Work *w, const Target *t, int fd, const char *name, ProgressPart part,
                    struct json_object **ret, char **ret_code, char **ret_text);

/* "s3 bucket backups": where it is, for people; the caller frees. */
int target_describe(const Target *t, char **ret);
/* Where a copy at that place is; the caller calls record_copy_done(), also after a failure. */
int target_to_copy(const Target *t, RecordCopy *ret);
