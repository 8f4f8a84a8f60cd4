/* SPDX-License-Identifier: Apache-2.0 */
/* Data that is handed on as a descriptor, and that nobody can change any more. */
#pragma once

#include "basic/macro.h"

/* Empty; memfd_seal() ends its writing. The name is for /proc alone. */
int memfd_new(const char *name, int *ret_fd);
int memfd_seal(int fd);
/* Written, sealed, and read from its beginning. */
int memfd_new_sealed(const char *name, const void *data, size_t size, int *ret_fd);
