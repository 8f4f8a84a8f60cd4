/* SPDX-License-Identifier: Apache-2.0 */
/* The properties of a transient unit that can do nothing but compute: no capability, a read-only
 * file system, no devices. For programs that parse data from strangers. */
#pragma once

#include <stdbool.h>
#include <systemd/sd-bus.h>

/* Appends to an open a(sv). The user, memory, tasks, file sizes, run time, home directories, /tmp
 * and the network are left to the caller. A negative errno. */
int confinement_append(sd_bus_message *m);
/* Appends which sockets the unit may have: of the network, or of this machine alone. */
int confinement_append_sockets(sd_bus_message *m, bool network);
