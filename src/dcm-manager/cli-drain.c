/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-manager/cli.h"
#include "dcm-manager/client.h"

int cli_drain(const Options *o) {
    _cleanup_(client_freep) Client *client = NULL;
    _cleanup_json_ struct json_object *answer = NULL;
    struct json_object *request;
    int r;

    r = client_new(o->control, o->timeout_sec, &client);
    if (r > 0)
        return r;
    request = client_request("drain");
    if (request && json_add(request, "within", json_object_new_double(o->within_sec)) < 0) {
        (void)json_object_put(request);
        return EXIT_OTHER;
    }
    return client_call(client, request, &answer);
}
