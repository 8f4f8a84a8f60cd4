/* SPDX-License-Identifier: Apache-2.0 */
/* One object to all targets of the request; each has its own result. */
#pragma once

#include "backup/record.h"
#include "dcm-backup/work.h"
#include "dcm-object/progress.h"

/* Prepares the copies of the record. */
int send_prepare(const Work *w, Record *r);
/* Where a job's progress is when all has been read: what follows is the file's way to the places,
 * or that the first copy is read back. */
#define PART_SENT ((ProgressPart){50, 100})

/* Tells how far a pipeline with a sink is that reads what becomes the object, as far as the size is
 * known; `ret` must outlive it. */
int send_count(Pipeline *p, const Record *r, Progress *ret);
/* Runs the pipeline, whose last stage puts out the object, with a sink for each target. */
int send_stream(Work *w, Pipeline *p, Record *r);
/* Sends a file; that is this part of the job. */
int send_file(Work *w, int fd, ProgressPart part, Record *r);
