/* SPDX-License-Identifier: Apache-2.0 */
#include "job/executor.h"

#include "basic/bounds.h"
#include "basic/utf8.h"

#define EXECUTOR_UNIT "dcm-agent-executor"
#define JOBS_TIMEOUT_USEC (60 * USEC_PER_SEC)

int executor_call_jobs(sd_bus *bus, const char *method, char **guids,
                       sd_bus_message_handler_t callback, void *userdata, sd_bus_slot **ret) {
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;

    TRY(sd_bus_message_new_method_call(bus, &m, EXECUTOR_NAME, EXECUTOR_PATH, EXECUTOR_INTERFACE,
                                       method));
    TRY(sd_bus_message_append_strv(m, guids));
    return sd_bus_call_async(bus, ret, m, callback, userdata, JOBS_TIMEOUT_USEC);
}

static bool is_from_bus(sd_bus_message *answer) {
    return streq_ptr(sd_bus_message_get_sender(answer), "org.freedesktop.DBus");
}

bool executor_refuses(sd_bus_message *answer) {
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
    const sd_bus_error *e = sd_bus_message_get_error(answer);

    for (size_t i = 0; i < ELEMENTSOF(names); i++)
        if (sd_bus_error_has_name(e, names[i]))
            return !is_from_bus(answer);
    return false;
}

void executor_explain(sd_bus_message *answer, char *buf, size_t size) {
    static const struct {
        const char *name, *text;
    } known[] = {
        {"org.freedesktop.systemd1.UnitMasked",
         EXECUTOR_UNIT " is masked: systemctl unmask " EXECUTOR_UNIT},
        {SD_BUS_ERROR_ACCESS_DENIED, "the system bus does not let the agent call the executor; "
                                     "after an installation: systemctl reload dbus"},
        {SD_BUS_ERROR_SERVICE_UNKNOWN, "the system bus does not know the executor; install "
                                       "dcm-agent again, then: systemctl reload dbus"},
        {"org.freedesktop.DBus.Error.Spawn.ChildExited",
         "the executor ends at once: systemctl status " EXECUTOR_UNIT},
        {SD_BUS_ERROR_NO_REPLY, "the executor does not answer: systemctl status " EXECUTOR_UNIT},
        {"org.freedesktop.DBus.Error.TimedOut",
         "the executor does not start: systemctl status " EXECUTOR_UNIT},
        {SD_BUS_ERROR_TIMEOUT, "the executor does not answer: systemctl status " EXECUTOR_UNIT},
    };
    const sd_bus_error *e = sd_bus_message_get_error(answer);

    for (size_t i = 0; i < ELEMENTSOF(known); i++)
        if (sd_bus_error_has_name(e, known[i].name)) {
            (void)utf8_format(buf, size, "%s", known[i].text);
            return;
        }
    (void)utf8_format(buf, size, "%s", isempty(e->message) ? e->name : e->message);
}
