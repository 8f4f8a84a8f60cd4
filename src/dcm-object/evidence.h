/* SPDX-License-Identifier: Apache-2.0 */
/* What rclone's log says about a failure. Its exit status says next to nothing: 1 for nearly all,
 * and 0 for a download of what does not exist. */
#pragma once

#include "dcm-object/failure.h"

#define EVIDENCE_TEXT_MAX 400

typedef struct Evidence {
    FailureCode code; /* the best explanation so far */
    bool is_directory_missing;
    char text[EVIDENCE_TEXT_MAX]; /* the last error, without queries of URLs, which may be secret */
} Evidence;

/* Takes one line of the log: JSON of --use-json-log, or plain text as rclone writes it when it
 * ends. */
void evidence_add_line(Evidence *e, const char *line, size_t size);
/* The code of an error's text; FAILURE_OTHER: none is known. */
FailureCode evidence_classify(const char *text) _pure_;
