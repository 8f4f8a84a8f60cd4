/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-manager/control-fleet.h"

#include "basic/time-util.h"
#include "dcm-manager/limits.h"

static void method_drain(Manager *m, ControlClient *client, struct json_object *request) {
    struct json_object *within = json_get(request, "within");
    double seconds = within ? json_object_get_double(within) : DRAIN_DEFAULT_SEC;
    int r;

    if (!(seconds >= 0 && seconds <= DRAIN_MAX_SEC)) {
        control_client_fail(client, "invalid", "\"within\" is not a number of seconds");
        return;
    }
    r = control_client_wait(client, CONTROL_WAIT_DRAIN, NULL); /* it may be over at once */
    if (r >= 0)
        r = manager_drain(m, (uint64_t)(seconds * (double)USEC_PER_SEC));
    if (r < 0)
        control_client_fail(client, "storage", "the manager cannot do that now: %s", strerror(-r));
}

static const struct {
    const char *name;
    void (*run)(Manager *m, ControlClient *client, struct json_object *request);
} methods[] = {
    {"drain", method_drain},
};

bool control_fleet_run(Manager *m, ControlClient *client, const char *name,
                       struct json_object *request) {
    for (size_t i = 0; i < ELEMENTSOF(methods); i++)
        if (streq(methods[i].name, name)) {
            methods[i].run(m, client, request);
            return true;
        }
    return false;
}
