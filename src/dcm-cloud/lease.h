/* SPDX-License-Identifier: Apache-2.0 */
/* The address of the DHCP server, which is where CloudStack keeps its metadata. */
#pragma once

#include <netinet/in.h>

#include "basic/macro.h"

/* "SERVER_ADDRESS=" of a lease of systemd-networkd (or of a DHCP client of the same family). The
 * texts are other programs': -ENODATA where there is no valid address. */
int lease_parse_networkd(const char *text, char ret[static INET_ADDRSTRLEN]);
/* "option dhcp-server-identifier" of the last lease in a file of dhclient.leases(5). */
int lease_parse_dhclient(const char *text, char ret[static INET_ADDRSTRLEN]);

/* Looks at the leases of systemd-networkd, of NetworkManager (whom it asks over D-Bus, as its files
 * are its own) and of dhclient, in this order, below `root`. -ENODATA: there is none. */
int lease_find_server(const char *root, char ret[static INET_ADDRSTRLEN]);
