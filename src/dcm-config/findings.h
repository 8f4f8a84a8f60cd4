/* SPDX-License-Identifier: Apache-2.0 */
/* What a check has found: printed line by line, or as JSON at the end. */
#pragma once

#include "proto/json.h"

typedef struct Findings {
    bool json;
    unsigned n;
    struct json_object *list;
} Findings;

int findings_init(Findings *f, bool json);
void findings_done(Findings *f);

/* `file` may be NULL: the text names it. line 0: the file as a whole. */
void findings_add(Findings *f, const char *file, unsigned line, const char *text);
/* Ends the output. An exit status: 0, or 1 if something was found or cannot be written. */
int findings_end(Findings *f);
