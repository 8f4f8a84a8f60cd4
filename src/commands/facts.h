/* SPDX-License-Identifier: Apache-2.0 */
/* Data of the agent that commands may use. */
#pragma once

#include "health/health.h"
#include "job/command.h"
#include "net/connection.h"

struct CommandFacts {
    const char *runtime_directory; /* kept over restarts; may be NULL */
    Health *health;
    const Connection *connection; /* to the manager */
    /* Renders the effective configuration as a file without secrets. The caller frees it. */
    int (*render_config)(char **ret, void *userdata);
    void *userdata;
};
