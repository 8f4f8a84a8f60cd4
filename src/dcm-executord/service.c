/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-executord/service.h"

#include "basic/log.h"
#include "dcm-executord/fetch.h"
#include "dcm-executord/remove.h"
#include "dcm-executord/start.h"
#include "dcm-executord/stop.h"

#define BUS_PATH "/org/dcmagent/Executor1"

/* Repeats the check of the bus policy, in case somebody has replaced that. Makes a round trip to
 * the bus daemon, as systemd's own services do. */
static int check_sender(Executord *m, sd_bus_message *message, sd_bus_error *error) {
    _cleanup_(sd_bus_creds_unrefp) sd_bus_creds *creds = NULL;
    uid_t uid;
    int r;

    r = sd_bus_query_sender_creds(message, SD_BUS_CREDS_EUID, &creds);
    if (r >= 0)
        r = sd_bus_creds_get_euid(creds, &uid);
    if (r < 0) /* unknown, which is not a final refusal */
        return r;
    if (uid == 0 || uid == m->agent_uid)
        return 0;
    return sd_bus_error_set(error, SD_BUS_ERROR_ACCESS_DENIED,
                            "Only root and the agent may order jobs");
}

static int method_start(sd_bus_message *message, void *userdata, sd_bus_error *error) {
    int r = check_sender(userdata, message, error);

    return r < 0 ? r : serve_start(userdata, message, error);
}

static int method_cancel(sd_bus_message *message, void *userdata, sd_bus_error *error) {
    int r = check_sender(userdata, message, error);

    return r < 0 ? r : serve_cancel(userdata, message, error);
}

static int method_release(sd_bus_message *message, void *userdata, sd_bus_error *error) {
    int r = check_sender(userdata, message, error);

    return r < 0 ? r : serve_release(userdata, message, error);
}

static int method_remove(sd_bus_message *message, void *userdata, sd_bus_error *error) {
    int r = check_sender(userdata, message, error);

    return r < 0 ? r : serve_remove(userdata, message, error);
}

static int method_fetch(sd_bus_message *message, void *userdata, sd_bus_error *error) {
    int r = check_sender(userdata, message, error);

    return r < 0 ? r : serve_fetch(userdata, message, error);
}

static int method_drop_output(sd_bus_message *message, void *userdata, sd_bus_error *error) {
    int r = check_sender(userdata, message, error);

    return r < 0 ? r : serve_drop_output(userdata, message, error);
}

/* "unprivileged" disables sd-bus's own check: check_sender() decides */
static const sd_bus_vtable vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD_WITH_ARGS("Start",
                            SD_BUS_ARGS("s", guid, "s", command, "as", arguments, "a{sv}", options),
                            SD_BUS_RESULT("s", unit), method_start, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD_WITH_ARGS("Fetch",
                            SD_BUS_ARGS("s", guid, "s", command, "h", order, "h", content, "h",
                                        status, "a{sv}", options),
                            SD_BUS_RESULT("s", unit), method_fetch, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD_WITH_ARGS("Cancel", SD_BUS_ARGS("s", guid, "t", grace_usec), SD_BUS_NO_RESULT,
                            method_cancel, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD_WITH_ARGS("Remove", SD_BUS_ARGS("as", guids), SD_BUS_NO_RESULT, method_remove,
                            SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD_WITH_ARGS("DropOutput", SD_BUS_ARGS("as", guids), SD_BUS_NO_RESULT,
                            method_drop_output, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD_WITH_ARGS("Release", SD_BUS_ARGS("s", guid), SD_BUS_NO_RESULT, method_release,
                            SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_VTABLE_END,
};

int service_attach(Executord *m) {
    int r;

    r = sd_bus_add_object_vtable(m->bus, NULL, BUS_PATH, EXECUTOR_BUS_NAME, vtable, m);
    if (r >= 0)
        r = stop_watch_jobs(m);
    if (r >= 0)
        r = sd_bus_request_name(m->bus, EXECUTOR_BUS_NAME, 0);
    if (r >= 0)
        r = stop_sweep(m);
    return r < 0 ? log_error_errno(r, "Cannot provide " EXECUTOR_BUS_NAME ": %m") : 0;
}
