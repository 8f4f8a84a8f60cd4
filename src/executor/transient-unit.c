/* SPDX-License-Identifier: Apache-2.0 */
#include "executor/transient-unit.h"

#include "basic/bounds.h"
#include "basic/macro.h"
#include "executor/errors.h"
#include "executor/systemd.h"

int transient_unit_new(sd_bus *bus, const char *unit, sd_bus_message **ret) {
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
    int r;

    r = sd_bus_message_new_method_call(bus, &m, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_INTERFACE,
                                       "StartTransientUnit");
    if (r >= 0)
        r = sd_bus_message_append(m, "ss", unit, "fail");
    if (r < 0)
        return r;
    *ret = TAKE_PTR(m);
    return 0;
}

int transient_unit_start(sd_bus_message *m, sd_bus_message_handler_t callback, void *userdata) {
    int r;

    r = sd_bus_message_append(m, "a(sa(sv))", 0);
    return r < 0 ? r
                 : sd_bus_call_async(sd_bus_message_get_bus(m), NULL, m, callback, userdata,
                                     UNIT_START_USEC_MAX);
}

const char *transient_unit_error(const sd_bus_error *e, const char *exists) {
    const struct {
        const char *name, *told;
    } names[] = {
        {SYSTEMD_NAME ".UnitExists", exists},
        /* every start contradicts the stop jobs of a shutdown; after the boot it will not */
        {SYSTEMD_NAME ".TransactionIsDestructive", ERROR_SHUTTING_DOWN},
        {SYSTEMD_NAME ".ShuttingDown", ERROR_SHUTTING_DOWN},
        {SD_BUS_ERROR_NO_REPLY, ERROR_UNKNOWN},
        {SD_BUS_ERROR_TIMEOUT, ERROR_UNKNOWN},
        {SD_BUS_ERROR_DISCONNECTED, ERROR_UNKNOWN},
        {"org.freedesktop.DBus.Error.TimedOut", ERROR_UNKNOWN},
    };

    for (size_t i = 0; i < ELEMENTSOF(names); i++)
        if (sd_bus_error_has_name(e, names[i].name))
            return names[i].told;
    return ERROR_START_FAILED;
}
