/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-service/state.h"

#include "basic/fd-util.h"
#include "dcm-service/hook.h"
#include "dcm-service/unit.h"
#include "service/service-id.h"

#define CHECK_SEC 60u

static int unknown(char **ret_problem, const char *why) {
    *ret_problem = strdup(why);
    return *ret_problem ? -EIO : -ENOMEM;
}

static int say(const char *text, char **ret) {
    *ret = strdup(text);
    return *ret ? 0 : -ENOMEM;
}

static int state_of_unit(const char *id, char **ret, char **ret_problem) {
    _cleanup_free_ char *unit = NULL;
    UnitState u;

    TRY(service_unit_name(id, &unit));
    if (unit_look(unit, &u) < 0)
        return unknown(ret_problem, "systemd does not tell its state");
    if (streq(u.active, "active") || streq(u.active, "reloading"))
        return say("OK", ret);
    if (streq(u.active, "failed"))
        return asprintf(ret, "failed: %s", u.result) < 0 ? -ENOMEM : 0;
    return say(u.active, ret);
}

static int explain(const ProgramResult *result, char **ret_problem) {
    _cleanup_free_ char *line = NULL;

    TRY(first_line(result->err, result->err_size, &line));
    if (asprintf(ret_problem, "bin/enstratus-check ended with status %d and said nothing%s%s",
                 result->status, *line ? ": " : "", line) < 0) {
        *ret_problem = NULL;
        return -ENOMEM;
    }
    return -EIO;
}

static int state_by_hook(const Services *s, const char *id, char **ret, char **ret_problem) {
    _cleanup_(program_result_done) ProgramResult result = {};
    _cleanup_free_ char *line = NULL;
    const HookCall call = {.id = id,
                           .name = "check",
                           .arguments = (const char *const[]){id, NULL},
                           .timeout_sec = CHECK_SEC};

    if (hook_run(s, &call, &result) < 0)
        return unknown(ret_problem, "bin/enstratus-check cannot be run");
    TRY(first_line(result.out, result.out_size, &line));
    if (!*line)
        return explain(&result, ret_problem);
    *ret = TAKE_PTR(line);
    return 0;
}

int service_state(const Services *s, const char *id, char **ret, char **ret_problem) {
    _cleanup_close_ int fd = -1;

    if (service_open(s, id, &fd) < 0)
        return unknown(ret_problem, "there is no such service");
    if (service_unit_origin(id) != UNIT_NONE)
        return state_of_unit(id, ret, ret_problem);
    switch (hook_look(fd, "check")) {
    case HOOK_ABSENT:
        return say("OK", ret);
    case HOOK_NOT_EXECUTABLE:
        return unknown(ret_problem, "bin/enstratus-check cannot be executed");
    default:
        return state_by_hook(s, id, ret, ret_problem);
    }
}
