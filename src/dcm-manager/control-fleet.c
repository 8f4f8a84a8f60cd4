/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-manager/control-fleet.h"

#include "basic/time-util.h"
#include "dcm-manager/control-answer.h"
#include "dcm-manager/limits.h"
#include "dcm-manager/manager-metrics.h"

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

static void method_metrics(Manager *m, ControlClient *client, struct json_object *request) {
    struct json_object *answer = json_object_new_object();
    _cleanup_free_ char *text = NULL;
    int r;

    r = answer ? manager_metrics(m, &text) : -ENOMEM;
    if (r >= 0)
        r = json_add_string(answer, "text", text);
    if (r >= 0) {
        control_client_reply(client, answer);
        return;
    }
    (void)json_object_put(answer);
    control_client_fail(client, "storage", "the manager cannot count now: %s", strerror(-r));
}

static const ControlMethod methods[] = {
    {"drain", method_drain},
    {"metrics", method_metrics},
};

bool control_fleet_run(Manager *m, ControlClient *client, const char *name,
                       struct json_object *request) {
    return control_run_method(methods, ELEMENTSOF(methods), m, client, name, request);
}
