/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "basic/macro.h"

/* The DHCP server of the first active connection that has one, from NetworkManager (interface
 * org.freedesktop.NetworkManager.DHCP4Config, NetworkManager(8)). The text is not checked; the
 * caller frees it. -ENODATA; or an error of the bus. */
int network_manager_dhcp_server(char **ret);
