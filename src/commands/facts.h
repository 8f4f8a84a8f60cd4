/* SPDX-License-Identifier: Apache-2.0 */
/* Data of the agent that commands may use. */
#pragma once

#include "health/health.h"
#include "job/command.h"
#include "net/connection.h"
#include "proto/handshake.h"

struct CommandFacts {
    const char *runtime_directory; /* kept over restarts; may be NULL */
    Health *health;
    const Connection *connection; /* to the manager */
    char *server_name, *cloud_id,
        *region_id; /* of this server, as the manager said last, or NULL */
    /* Renders the effective configuration as a file without secrets. The caller frees it. */
    int (*render_config)(char **ret, void *userdata);
    void *userdata;
};

void command_facts_opened(CommandFacts *f, const HandshakeAnswer *a);
void command_facts_done(CommandFacts *f);
