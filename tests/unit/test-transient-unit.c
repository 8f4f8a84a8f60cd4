/* SPDX-License-Identifier: Apache-2.0 */
/* Proves that a start ends a job only where systemd has refused the unit, and not where the call
 * did not come through or somebody on the way was short of something. */
#include <glib.h>

#include "basic/macro.h"
#include "dcm-executord/errors.h"
#include "dcm-executord/transient-unit.h"

static void test_errors(void) {
    static const struct {
        const char *name, *told;
    } cases[] = {
        {"org.freedesktop.systemd1.UnitExists", "exists"},
        {"org.freedesktop.systemd1.ShuttingDown", ERROR_SHUTTING_DOWN},
        {"org.freedesktop.systemd1.TransactionIsDestructive", ERROR_SHUTTING_DOWN},
        /* "The maximum number of pending replies per connection has been reached" */
        {"org.freedesktop.DBus.Error.LimitsExceeded", ERROR_UNKNOWN},
        {"org.freedesktop.DBus.Error.NoMemory", ERROR_UNKNOWN},
        {"org.freedesktop.DBus.Error.NoReply", ERROR_UNKNOWN},
        {"org.freedesktop.DBus.Error.Timeout", ERROR_UNKNOWN},
        {"org.freedesktop.DBus.Error.TimedOut", ERROR_UNKNOWN},
        {"org.freedesktop.DBus.Error.Disconnected", ERROR_UNKNOWN},
        {"org.freedesktop.DBus.Error.NoServer", ERROR_UNKNOWN},
        {"org.freedesktop.DBus.Error.ServiceUnknown", ERROR_UNKNOWN},
        {"org.freedesktop.DBus.Error.NameHasNoOwner", ERROR_UNKNOWN},
        {"System.Error.EMFILE", ERROR_UNKNOWN},
        {"System.Error.ENFILE", ERROR_UNKNOWN},
        {"System.Error.EAGAIN", ERROR_UNKNOWN},
        {"System.Error.ENOTCONN", ERROR_UNKNOWN},
        {"org.freedesktop.DBus.Error.InvalidArgs", ERROR_START_FAILED},
        {"org.freedesktop.DBus.Error.AccessDenied", ERROR_START_FAILED},
        {"org.freedesktop.DBus.Error.FileNotFound", ERROR_START_FAILED},
        {"org.freedesktop.DBus.Error.UnknownMethod", ERROR_START_FAILED},
        {"org.freedesktop.DBus.Error.Failed", ERROR_START_FAILED},
        {"org.freedesktop.systemd1.BadUnitSetting", ERROR_START_FAILED},
        {"org.freedesktop.systemd1.UnitMasked", ERROR_START_FAILED},
        {"System.Error.ENOEXEC", ERROR_START_FAILED},
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        sd_bus_error e = SD_BUS_ERROR_MAKE_CONST(cases[i].name, "why");

        g_assert_cmpstr(transient_unit_error(&e, "exists"), ==, cases[i].told);
    }
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/transient-unit/errors", test_errors);
    return g_test_run();
}
