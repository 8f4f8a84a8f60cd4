/* SPDX-License-Identifier: Apache-2.0 */
/* Users of this machine itself. */
#pragma once

#include <sys/types.h>

/* The user of that name in /etc/passwd; no directory service is asked, whatever nsswitch.conf says.
 * -ENOENT: there is none. */
int local_user_find(const char *name, uid_t *ret);
