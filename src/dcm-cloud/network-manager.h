/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "basic/macro.h"

/* The DHCP server of the first active connection that has one, as NetworkManager tells it
 * (interface org.freedesktop.NetworkManager.DHCP4Config, NetworkManager(8)). Not checked; the
 * caller frees. -ENODATA; or NetworkManager, or the bus, is not there. */
int network_manager_dhcp_server(char **ret);
