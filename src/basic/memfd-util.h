/* SPDX-License-Identifier: Apache-2.0 */
/* Immutable data, passed to other processes as a descriptor. */
#pragma once

#include "basic/macro.h"

/* Makes an empty, writable file; memfd_seal() makes it immutable. The name appears in /proc
 * only. */
int memfd_new(const char *name, int *ret_fd);
int memfd_seal(int fd);
/* Writes the data, seals the file, and rewinds it. */
int memfd_new_sealed(const char *name, const void *data, size_t size, int *ret_fd);
