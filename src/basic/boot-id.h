/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "basic/macro.h"

#define BOOT_ID_SIZE 33 /* 32 hexadecimal digits and NUL */

/* The kernel's random number of this boot (random(4), boot_id), without dashes. Negative errno:
 * /proc has none. */
int boot_id_read(char ret[static BOOT_ID_SIZE]);
bool boot_id_is_valid(const char *s) _pure_;
