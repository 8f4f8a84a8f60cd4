/* SPDX-License-Identifier: Apache-2.0 */
#include "core/executor.h"

bool executor_error_is_final(const sd_bus_error *e) {
    static const char *const names[] = {
        EXECUTOR_ERROR "UnknownCommand",
        EXECUTOR_ERROR "InvalidArgument",
        EXECUTOR_ERROR "StartFailed",
        EXECUTOR_ERROR "Refused",
        SD_BUS_ERROR_ACCESS_DENIED,
        /* an executor that has another interface */
        SD_BUS_ERROR_INVALID_ARGS,
        SD_BUS_ERROR_UNKNOWN_METHOD,
        SD_BUS_ERROR_UNKNOWN_INTERFACE,
        SD_BUS_ERROR_UNKNOWN_OBJECT,
    };

    for (size_t i = 0; i < ELEMENTSOF(names); i++)
        if (sd_bus_error_has_name(e, names[i]))
            return true;
    return false;
}
