/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/log-control.h"

#include "basic/log.h"

static int property_get_level(sd_bus *bus, const char *path, const char *interface,
                              const char *property, sd_bus_message *reply, void *userdata,
                              sd_bus_error *error) {
    return sd_bus_message_append(reply, "s", log_level_to_string(log_get_level()));
}

static int property_set_level(sd_bus *bus, const char *path, const char *interface,
                              const char *property, sd_bus_message *value, void *userdata,
                              sd_bus_error *error) {
    const char *text;
    int level;

    TRY(sd_bus_message_read(value, "s", &text));
    level = log_level_from_string(text);
    if (level < 0)
        return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS, "Not a log level: %s", text);
    log_set_level(level);
    return 0;
}

/* The kind of standard error determines the target. */
static int property_get_target(sd_bus *bus, const char *path, const char *interface,
                               const char *property, sd_bus_message *reply, void *userdata,
                               sd_bus_error *error) {
    return sd_bus_message_append(reply, "s", "auto");
}

static int property_set_target(sd_bus *bus, const char *path, const char *interface,
                               const char *property, sd_bus_message *value, void *userdata,
                               sd_bus_error *error) {
    return sd_bus_error_set(error, SD_BUS_ERROR_NOT_SUPPORTED, "The log target cannot be changed");
}

static int property_get_identifier(sd_bus *bus, const char *path, const char *interface,
                                   const char *property, sd_bus_message *reply, void *userdata,
                                   sd_bus_error *error) {
    return sd_bus_message_append(reply, "s", (const char *)userdata);
}

/* Without SD_BUS_VTABLE_UNPRIVILEGED only root and the agent's own user may write. */
static const sd_bus_vtable vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_WRITABLE_PROPERTY("LogLevel", "s", property_get_level, property_set_level, 0, 0),
    SD_BUS_WRITABLE_PROPERTY("LogTarget", "s", property_get_target, property_set_target, 0, 0),
    SD_BUS_PROPERTY("SyslogIdentifier", "s", property_get_identifier, 0,
                    SD_BUS_VTABLE_PROPERTY_CONST),
    SD_BUS_VTABLE_END,
};

int log_control_add(sd_bus *bus, const char *identifier) {
    return sd_bus_add_object_vtable(bus, NULL, "/org/freedesktop/LogControl1",
                                    "org.freedesktop.LogControl1", vtable,
                                    (void *)(uintptr_t)identifier);
}
