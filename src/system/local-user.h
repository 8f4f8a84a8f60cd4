/* SPDX-License-Identifier: Apache-2.0 */
/* Local users of this machine. */
#pragma once

#include <sys/types.h>

/* Finds a user in /etc/passwd; never asks a directory service, whatever nsswitch.conf says.
 * -ENOENT: no such user. */
int local_user_find(const char *name, uid_t *ret);
