/* SPDX-License-Identifier: Apache-2.0 */
/* Opens the agent's database, and repairs it if it is damaged. */
#pragma once

#include "store/store.h"

/* Checks the database if a check is due: after a change of the boot id, or after
 * storage_note_damage(). Keeps a damaged one under another name, and makes a new one from the
 * readable rows. Logs its errors. May take minutes, and then extends the start timeout of the
 * service manager. -EPROTONOSUPPORT: a newer version made the database, which is left unchanged. */
int storage_open(const char *path, Store **ret);

/* Makes the next storage_open() check. */
void storage_note_damage(const char *path);
