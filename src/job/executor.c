/* SPDX-License-Identifier: Apache-2.0 */
#include "job/executor.h"

#include "basic/bounds.h"

#define JOBS_TIMEOUT_USEC (60 * USEC_PER_SEC)

int executor_call_jobs(sd_bus *bus, const char *method, char **guids,
                       sd_bus_message_handler_t callback, void *userdata, sd_bus_slot **ret) {
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;

    TRY(sd_bus_message_new_method_call(bus, &m, EXECUTOR_NAME, EXECUTOR_PATH, EXECUTOR_INTERFACE,
                                       method));
    TRY(sd_bus_message_append_strv(m, guids));
    return sd_bus_call_async(bus, ret, m, callback, userdata, JOBS_TIMEOUT_USEC);
}

bool executor_error_is_final(const sd_bus_error *e) {
    static const char *const names[] = {
        EXECUTOR_ERROR "UnknownCommand",
        EXECUTOR_ERROR "InvalidArgument",
        EXECUTOR_ERROR "StartFailed",
        EXECUTOR_ERROR "Refused",
        SD_BUS_ERROR_ACCESS_DENIED,
        /* the executor has another version of the interface */
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
