/* SPDX-License-Identifier: Apache-2.0 */
/* The address of the DHCP server, where CloudStack has its metadata service. */
#pragma once

#include <netinet/in.h>

#include "basic/macro.h"

/* Reads "SERVER_ADDRESS=" of a lease of systemd-networkd (or of a related DHCP client). The text is
 * untrusted: -ENODATA if there is no valid address. */
int lease_parse_networkd(const char *text, char ret[static INET_ADDRSTRLEN]);
/* Reads "option dhcp-server-identifier" of the last lease in a file of dhclient.leases(5). */
int lease_parse_dhclient(const char *text, char ret[static INET_ADDRSTRLEN]);

/* Searches the leases of systemd-networkd, of NetworkManager (over D-Bus, since its files are
 * private) and of dhclient, in this order, below `root`. -ENODATA: not found. */
int lease_find_server(const char *root, char ret[static INET_ADDRSTRLEN]);
