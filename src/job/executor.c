/* SPDX-License-Identifier: Apache-2.0 */
#include "job/executor.h"

#include "basic/bounds.h"
#include "basic/log.h"
#include "basic/utf8.h"

#define EXECUTOR_UNIT "dcm-agent-executor"
/* the executor may exit during the call; the next call activates a new one */
#define RELEASE_TRIES 3
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

typedef struct Release {
    unsigned tries;
    char guid[];
} Release;

static void call_release(sd_bus *bus, const char *guid, unsigned tries);

static int on_released(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    const sd_bus_error *e = sd_bus_message_get_error(m);
    const Release *r = userdata;

    if (!e)
        return 1;
    log_debug("The executor could not release a unit: %s", strempty(e->message));
    if (r->tries > 1 && !sd_bus_error_has_name(e, EXECUTOR_ERROR "NoSuchJob"))
        call_release(sd_bus_message_get_bus(m), r->guid, r->tries - 1);
    return 1;
}

/* The call outlives the job. After a final failure the executor's next sweep finds the unit. */
static void call_release(sd_bus *bus, const char *guid, unsigned tries) {
    Release *r = malloc(sizeof(*r) + strlen(guid) + 1);
    sd_bus_slot *slot = NULL;

    if (!r) {
        (void)log_oom();
        return;
    }
    r->tries = tries;
    memcpy(r->guid, guid, strlen(guid) + 1);
    if (sd_bus_call_method_async(bus, &slot, EXECUTOR_NAME, EXECUTOR_PATH, EXECUTOR_INTERFACE,
                                 "Release", on_released, r, "s", guid) < 0) {
        free(r);
        return;
    }
    (void)sd_bus_slot_set_destroy_callback(slot, free);
    (void)sd_bus_slot_set_floating(slot, true);
    sd_bus_slot_unref(slot);
}

void executor_release(sd_bus *bus, const char *guid) {
    call_release(bus, guid, RELEASE_TRIES);
}
