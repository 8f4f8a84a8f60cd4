/* SPDX-License-Identifier: Apache-2.0 */
/* Opens the agent's database, and repairs it when it is damaged. */
#pragma once

#include "store/store.h"

/* Checks the database where that is due: after a change of the boot id, or after damage was noted.
 * A damaged one is kept under another name, and a new one made of what can be read. Logs its
 * errors. May take minutes, of which the service manager is told. -EPROTONOSUPPORT: a newer version
 * made it, and it is as it was. */
int storage_open(const char *path, Store **ret);

/* The next storage_open() checks. */
void storage_note_damage(const char *path);
