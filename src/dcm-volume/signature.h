/* SPDX-License-Identifier: Apache-2.0 */
/* What is on a device now, for a step that is about to write to it or has just done so. */
#pragma once

#include "volume/facts.h"

/* The programs print a UUID with dashes, colons, or nothing between its digits. */
bool uuid_equal(const char *a, const char *b) _pure_;

/* 1: all signatures have this UUID, and there is one; 0: there is none; -EEXIST: there is another
 * one, *ret_found (may be NULL; the caller frees) says which. Another negative errno: the device
 * cannot be read. */
int signature_check(const char *device, const char *uuid, char **ret_found);

/* What was written to the device is on the disk when this returns. */
int device_flush(const char *device);
