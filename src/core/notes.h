/* SPDX-License-Identifier: Apache-2.0 */
/* What the status line says behind the state of the connection. */
#pragma once

#include "core/problems.h"

typedef struct Notes {
    const char *reload_error; /* NULL: the configuration is that of the files */
    const char *pause;        /* "", "waiting", "refusing" */
    int store_error;          /* negative errno of the last commit; 0: it succeeded */
    const char *trouble;      /* why jobs do not start; NULL: they do */
    bool is_terminating;      /* the manager has ordered it */
    const Problems *problems;
} Notes;

/* Each with a semicolon before it; "" if there is nothing to say. */
void notes_format(const Notes *n, char *buf, size_t size);
