/* SPDX-License-Identifier: Apache-2.0 */
/* One object to all targets of the request; each has its own result. */
#pragma once

#include "backup/record.h"
#include "dcm-backup/work.h"

/* Prepares the copies of the record. */
int send_prepare(const Work *w, Record *r);
/* Runs the pipeline, whose last stage puts out the object, with a sink for each target. */
int send_stream(Work *w, Pipeline *p, Record *r);
/* The same with a file. */
int send_file(Work *w, int fd, Record *r);
