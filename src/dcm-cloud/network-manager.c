/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-cloud/network-manager.h"

#include <systemd/sd-bus.h>

#include "basic/bounds.h"
#include "basic/strv.h"

#define NAME "org.freedesktop.NetworkManager"
#define INTERFACE_ACTIVE "org.freedesktop.NetworkManager.Connection.Active"
#define INTERFACE_DHCP4 "org.freedesktop.NetworkManager.DHCP4Config"

/* Reads the options of a DHCP4Config, a dictionary of variants. */
static int read_server(sd_bus *bus, const char *path, char **ret) {
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
    const char *key, *value;
    int r;

    r = sd_bus_get_property(bus, NAME, path, INTERFACE_DHCP4, "Options", NULL, &m, "a{sv}");
    if (r >= 0)
        r = sd_bus_message_enter_container(m, 'a', "{sv}");
    while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
        r = sd_bus_message_read(m, "s", &key);
        if (r >= 0 && streq(key, "dhcp_server_identifier")) {
            r = sd_bus_message_read(m, "v", "s", &value);
            return r < 0 ? r : free_and_strdup(ret, value);
        }
        if (r >= 0)
            r = sd_bus_message_skip(m, "v");
        if (r >= 0)
            r = sd_bus_message_exit_container(m);
    }
    return r < 0 ? r : -ENODATA;
}

static int ask(sd_bus *bus, char **ret) {
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
    const char *connection;
    int r;

    r = sd_bus_get_property(bus, NAME, "/org/freedesktop/NetworkManager", NAME, "ActiveConnections",
                            NULL, &m, "ao");
    if (r >= 0)
        r = sd_bus_message_enter_container(m, 'a', "o");
    while (r >= 0 && (r = sd_bus_message_read(m, "o", &connection)) > 0) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *answer = NULL;
        const char *dhcp;

        /* a connection may disappear meanwhile */
        if (sd_bus_get_property(bus, NAME, connection, INTERFACE_ACTIVE, "Dhcp4Config", NULL,
                                &answer, "o") >= 0 &&
            sd_bus_message_read(answer, "o", &dhcp) >= 0 && read_server(bus, dhcp, ret) >= 0)
            return 0;
    }
    return r < 0 ? r : -ENODATA;
}

int network_manager_dhcp_server(char **ret) {
    _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;

    TRY(sd_bus_open_system(&bus));
    TRY(sd_bus_set_method_call_timeout(bus, CLOUD_CONNECT_USEC));
    return ask(bus, ret);
}
