/* SPDX-License-Identifier: Apache-2.0 */
/* Steps that write to devices, or start and stop them. Each verifies what it has done; -EIO:
 * w->error says what has failed. */
#pragma once

#include "dcm-volume/work.h"

int device_wipe(Work *w, const Step *s);
/* Removes signatures that have the UUID of the step, and no others. */
int device_unmake(Work *w, const Step *s);

int array_create(Work *w, const Step *s);
int array_destroy(Work *w, const Step *s);
int array_assemble(Work *w, const Step *s);
int array_stop(Work *w, const Step *s);
int array_stop_again(Work *w, const Step *s); /* undoes array_assemble() */
int array_grow(Work *w, const Step *s);

int luks_format(Work *w, const Step *s);
int luks_open(Work *w, const Step *s);
int luks_close(Work *w, const Step *s);
int luks_close_again(Work *w, const Step *s); /* undoes luks_open() */
int luks_grow(Work *w, const Step *s);

int file_system_make(Work *w, const Step *s);
int file_system_grow(Work *w, const Step *s);
