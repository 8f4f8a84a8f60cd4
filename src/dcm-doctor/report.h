/* SPDX-License-Identifier: Apache-2.0 */
/* The findings, one line for each check: printed at once, or as JSON at the end. */
#pragma once

#include "proto/json.h"

typedef enum Check {
    CHECK_CONFIGURATION,
    CHECK_CLOCK,
    CHECK_CLOUD,
    CHECK_NAME,
    CHECK_ROUTE,
    CHECK_PROXY,
    CHECK_TCP,
    CHECK_TLS,
    CHECK_HTTP,
    CHECK_HANDSHAKE, /* the last step to the manager */
    CHECK_VOLUMES,
    CHECK_SERVICE,
    _CHECK_MAX,
} Check;

typedef enum Finding {
    FINDING_OK,
    FINDING_WARNING,
    FINDING_FAILED,
    FINDING_SKIPPED,
    _FINDING_MAX,
} Finding;

typedef struct Report {
    bool json;
    bool done[_CHECK_MAX];
    bool failed;
    struct json_object *checks;
} Report;

/* Writes to standard output, with colours if that is a terminal. */
int report_init(Report *r, bool json);
void report_done(Report *r);

/* A check may have several lines; the text is for people. */
void report_add(Report *r, Check check, Finding finding, const char *format, ...) _printf_(4, 5);
/* Marks the steps to the manager that have no line as skipped. */
void report_not_reached(Report *r);
/* Ends the output. Returns an exit status: 0, or 1 if a check has failed or standard output cannot
 * be written. */
int report_end(Report *r);
