/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-executord/systemd.h"

#include <stdarg.h>

int systemd_call_async(sd_bus *bus, sd_bus_message_handler_t callback, void *userdata,
                       const char *method, const char *types, ...) {
    va_list ap;
    int r;

    va_start(ap, types);
    r = sd_bus_call_method_asyncv(bus, NULL, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_INTERFACE, method,
                                  callback, userdata, types, ap);
    va_end(ap);
    return r;
}
