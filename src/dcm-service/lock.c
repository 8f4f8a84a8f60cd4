/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-service/lock.h"

#include <unistd.h>

#include "basic/fd-util.h"
#include "basic/log.h"
#include "dcm-service/hook.h"
#include "dcm-service/turn.h"
#include "dcm-service/unit.h"

#define UNIT "dcm-services-lock.service"
#define TURN "lock" /* no service has this id */
#define OWNER "DCM_LOCK_OWNER"
#define START_EXTRA_SEC 60u
#define STOP_SEC 25u /* of which the hooks have 20 to end by themselves */

static int begin_anew(void) {
    UnitState u;

    TRY(unit_look(UNIT, &u));
    if (unit_is_active(&u) || streq(u.active, "deactivating"))
        (void)systemctl("stop", UNIT);
    TRY(unit_look(UNIT, &u));
    if (streq(u.active, "failed"))
        (void)systemctl("reset-failed", UNIT);
    return 0;
}

static void add_properties(const LockOrder *o, Arguments *a) {
    arguments_add(a, "--unit=" UNIT);
    arguments_add(a, "--description=Lock of all services, for the agent's manager");
    arguments_add(a, "--service-type=notify");
    arguments_add(a, "--property=NotifyAccess=main");
    arguments_add(a, "--property=KillMode=mixed");
    arguments_add(a, "--property=TimeoutStartSec=%llu",
                  (unsigned long long)o->timeout_msec / 1000 + START_EXTRA_SEC);
    arguments_add(a, "--property=TimeoutStopSec=%u", STOP_SEC);
    arguments_add(a, "--property=RuntimeMaxSec=%llu", (unsigned long long)o->hold_sec);
    arguments_add(a, "--property=ExecStopPost=" PKGLIBDIR "/dcm-service thaw");
    /* what a freeze could keep from running */
    arguments_add(a, "--property=OOMScoreAdjust=-900");
    hook_add_job_environment(a);
    if (o->owner)
        arguments_add(a, "--setenv=" OWNER "=%s", o->owner);
}

static int begin_unlocked(void) {
    UnitState u;

    TRY(unit_look(UNIT, &u));
    if (!unit_is_active(&u) && !streq(u.active, "deactivating"))
        return begin_anew();
    log_error("The services are locked by somebody else; try again when they are released");
    return -EIO;
}

int lock_begin(const LockOrder *o) {
    _cleanup_(arguments_done) Arguments a = {};
    _cleanup_(program_result_done) ProgramResult result = {};
    _cleanup_close_ int turn = -1;
    UnitState u;
    int r;

    TRY(turn_take(TURN, "lock", &turn));
    TRY(o->owner ? begin_unlocked() : begin_anew());
    arguments_add(&a, "systemd-run");
    arguments_add(&a, "--quiet");
    add_properties(o, &a);
    arguments_add(&a, "--");
    arguments_add(&a, PKGLIBDIR "/dcm-service");
    arguments_add(&a, "hold");
    arguments_add(&a, "%llu", (unsigned long long)o->timeout_msec);
    arguments_add(&a, "%s", yes_no(o->file_systems));
    arguments_add(&a, "%d", getpid());
    r = program_run(&a, -1, &result);
    if (r < 0)
        return log_error_errno(r, "systemd-run cannot be run: %m");
    if (result.status == 0)
        return 0;
    r = unit_look(UNIT, &u);
    log_error("The services are not locked: %s", r >= 0 && *u.text ? u.text : strempty(result.err));
    (void)systemctl("reset-failed", UNIT);
    return -EIO;
}

static int explain(const UnitState *u) {
    if (streq(u->active, "failed") && streq(u->result, "timeout"))
        log_error("The services are not locked any more: the time for which they may be held was "
                  "over");
    else if (streq(u->active, "failed"))
        log_error("The services are not locked any more: %s; journalctl -u " UNIT " says more",
                  *u->text ? u->text : u->result);
    else
        log_error("The services are not locked");
    if (streq(u->active, "failed"))
        (void)systemctl("reset-failed", UNIT);
    return -ENOENT;
}

int lock_end(void) {
    UnitState u;

    TRY(unit_look(UNIT, &u));
    if (!unit_is_active(&u))
        return explain(&u);
    if (systemctl("stop", UNIT) != 0)
        return -EIO;
    TRY(unit_look(UNIT, &u));
    if (!streq(u.active, "failed"))
        return 0;
    log_error("The services are released, but were not locked all the time: %s",
              *u.text ? u.text : u.result);
    (void)systemctl("reset-failed", UNIT);
    return -ECANCELED;
}

static int has_owner(const char *owner, bool *ret) {
    _cleanup_(arguments_done) Arguments a = {};
    _cleanup_(program_result_done) ProgramResult result = {};
    _cleanup_free_ char *text = NULL;

    if (asprintf(&text, OWNER "=%s\n", owner) < 0) {
        text = NULL;
        return -ENOMEM;
    }
    arguments_add(&a, "systemctl");
    arguments_add(&a, "show");
    arguments_add(&a, "--property=Environment");
    arguments_add(&a, "--value");
    arguments_add(&a, UNIT);
    TRY(program_run(&a, -1, &result));
    if (result.status != 0)
        return -EIO;
    for (char *c = result.out; c && *c; c++) /* variables are in one line */
        if (*c == ' ')
            *c = '\n';
    *ret = strstr(strempty(result.out), text) != NULL;
    return 0;
}

int lock_release(const char *owner) {
    bool is_owner = false;
    int r;

    r = has_owner(owner, &is_owner);
    if (r < 0)
        return log_error_errno(r, "systemd does not tell who has the services locked: %m");
    if (is_owner)
        return lock_end();
    log_error("The services are not locked by %s any more", owner);
    return -ENOENT;
}
