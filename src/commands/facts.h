/* SPDX-License-Identifier: Apache-2.0 */
/* What commands may want to know about the agent. */
#pragma once

#include "health/health.h"
#include "job/command.h"
#include "net/connection.h"

struct CommandFacts {
    const char *runtime_directory; /* kept over restarts; NULL: there is none */
    Health *health;
    const Connection *connection; /* to the manager */
    /* The configuration that is in force, as a file without secrets. The caller frees. */
    int (*render_config)(char **ret, void *userdata);
    void *userdata;
};
