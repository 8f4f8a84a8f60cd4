/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-executord/transient-unit.h"

#include "basic/bounds.h"
#include "basic/log-fields.h"
#include "basic/log.h"
#include "dcm-executord/errors.h"
#include "dcm-executord/systemd.h"

int transient_unit_new(sd_bus *bus, const char *unit, sd_bus_message **ret) {
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;

    TRY(sd_bus_message_new_method_call(bus, &m, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_INTERFACE,
                                       "StartTransientUnit"));
    TRY(sd_bus_message_append(m, "ss", unit, "fail"));
    *ret = TAKE_PTR(m);
    return 0;
}

int transient_unit_start(sd_bus_message *m, sd_bus_message_handler_t callback, void *userdata) {
    TRY(sd_bus_message_append(m, "a(sa(sv))", 0));
    return sd_bus_call_async(sd_bus_message_get_bus(m), NULL, m, callback, userdata,
                             UNIT_START_USEC_MAX);
}

/* Whether the error is temporary and not about the unit: call or answer were lost, or a resource
 * was exhausted on the way. sd_bus_error_get_errno() maps the names of D-Bus, and
 * "System.Error.EMFILE" and the like. */
static bool is_about_the_moment(const sd_bus_error *e) {
    switch (sd_bus_error_get_errno(e)) {
    case ENOBUFS: /* LimitsExceeded: dbus-daemon's limit of pending replies, for instance */
    case ENOMEM:
    case EAGAIN:
    case EINTR:
    case EMFILE:
    case ENFILE:
    case ETIMEDOUT:    /* NoReply, Timeout */
    case ECONNRESET:   /* Disconnected */
    case ENOTCONN:     /* the same on this side */
    case EHOSTDOWN:    /* NoServer */
    case EHOSTUNREACH: /* ServiceUnknown */
    case ENXIO:        /* NameHasNoOwner: systemd has not returned to the bus yet */
        return true;
    default:
        return false;
    }
}

const char *transient_unit_error(const sd_bus_error *e, const char *exists) {
    const struct {
        const char *name, *told;
    } names[] = {
        {SYSTEMD_NAME ".UnitExists", exists},
        /* every start conflicts with the stop jobs of a shutdown; after the boot it will not */
        {SYSTEMD_NAME ".TransactionIsDestructive", ERROR_SHUTTING_DOWN},
        {SYSTEMD_NAME ".ShuttingDown", ERROR_SHUTTING_DOWN},
        {"org.freedesktop.DBus.Error.TimedOut", ERROR_UNKNOWN},
    };

    for (size_t i = 0; i < ELEMENTSOF(names); i++)
        if (sd_bus_error_has_name(e, names[i].name))
            return names[i].told;
    return is_about_the_moment(e) ? ERROR_UNKNOWN : ERROR_START_FAILED;
}

void transient_unit_refuse(sd_bus_message *call, const char *unit, const char *guid,
                           const char *command, const sd_bus_error *e, const char *name) {
    const char *text = e->message ?: e->name;

    (void)log_struct(LOG_ERR, 0,
                     LOG_FIELDS(LOG_REQUEST(guid), LOG_COMMAND(command), LOG_UNIT(unit)),
                     "%s was not started: %s", unit, text);
    (void)sd_bus_reply_method_errorf(call, name, "%s", text);
}
