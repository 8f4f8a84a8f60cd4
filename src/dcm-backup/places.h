/* SPDX-License-Identifier: Apache-2.0 */
/* Where objects are: of the commands that the Python agent had, as it was said there
 * (dcm-object/place-request.h); of all commands, by the argument `place`, which has the JSON of
 * dcm-object(8), and second_place for a second copy. */
#pragma once

#include "dcm-backup/work.h"

/* Fills w->targets; there may be none. */
int places_read(Work *w);
/* Fails unless there is one. */
int places_need(Work *w);
