/* SPDX-License-Identifier: Apache-2.0 */
/* Gathers the facts of this machine. Nothing is opened for writing: that alone would make udev
 * look at the device again, and start a stopped array. */
#pragma once

#include "volume/facts.h"

/* `mount_point` may be NULL. Also tests by O_EXCL which devices are in use: for the moment of each
 * test, nobody else can take the device. 0 or a negative errno; what could not be read of one
 * device is in its facts. */
int look_gather(const char *mount_point, Facts *ret);

/* The same without that test, for who only wants to know: Block.busy stays false. */
int look_gather_passive(Facts *ret);
