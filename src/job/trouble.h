/* SPDX-License-Identifier: Apache-2.0 */
/* Why jobs do not start at present, though nothing is wrong with them: the executor cannot be
 * called, or it has no room. People are shown it for as long as a job that met it is retried. */
#pragma once

#include "basic/macro.h"

typedef struct Trouble Trouble;

/* `on_changed` is called with each new text; NULL: it is over. */
int trouble_new(void (*on_changed)(const char *text, void *userdata), void *userdata,
                Trouble **ret);
Trouble *trouble_free(Trouble *t);

/* The text is copied. `owner` is who met it, and ends it by succeeding or by giving up; whoever
 * succeeds ends that of the others, too (NULL). All may be called with t == NULL. */
void trouble_note(Trouble *t, const void *owner, const char *text);
void trouble_end(Trouble *t, const void *owner);
/* NULL: there is none. Valid until the next change. */
const char *trouble_get(const Trouble *t) _pure_;
