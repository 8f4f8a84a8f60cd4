/* SPDX-License-Identifier: Apache-2.0 */
/* What people copy from a screen: without letters that look alike. */
#pragma once

#include "basic/macro.h"

#define RANDOM_LETTERS_MAX ((size_t)64)

/* Each has 5 bits. -EIO: the kernel gives none. */
int random_letters(char *ret, size_t n);
