/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "basic/terminal.h"
#include "dcm-manager/cli.h"
#include "dcm-manager/client.h"

int cli_metrics(const Options *o) {
    _cleanup_(client_freep) Client *client = NULL;
    _cleanup_json_ struct json_object *answer = NULL;
    int r;

    r = client_new(o->control, o->timeout_sec, &client);
    if (r == 0)
        r = client_call(client, client_request("metrics"), &answer);
    if (r == 0)
        terminal_put_block(stdout, strempty(json_get_string(answer, "text")));
    return r;
}
