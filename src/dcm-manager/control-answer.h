/* SPDX-License-Identifier: Apache-2.0 */
/* What the methods of the control socket have in common. */
#pragma once

#include "dcm-manager/control-client.h"
#include "dcm-manager/manager.h"

typedef struct ControlMethod {
    const char *name;
    void (*run)(Manager *m, ControlClient *client, struct json_object *request);
} ControlMethod;

/* False: none of the methods has that name. */
bool control_run_method(const ControlMethod *methods, size_t n, Manager *m, ControlClient *client,
                        const char *name, struct json_object *request);
void control_fail_errno(ControlClient *client, int error);
/* The id of an agent. NULL: the client has been answered with an error. */
char *control_match_agent(Manager *m, ControlClient *client, const char *text);
/* An object with that value, whose ownership it takes; NULL without memory. */
struct json_object *control_result(const char *key, struct json_object *value);
/* Answers after the commit. Takes ownership of the result, which may be NULL. */
void control_reply_when_stored(Manager *m, ControlClient *client, struct json_object *result);
/* Then the log says about the agent what was stored; also if the client does not wait any more. */
void control_reply_and_log_when_stored(Manager *m, ControlClient *client,
                                       struct json_object *result, const char *agent,
                                       const char *what);
/* Of an agent or a group. */
bool control_name_is_valid(const char *name);
