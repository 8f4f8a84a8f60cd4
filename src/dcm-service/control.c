/* SPDX-License-Identifier: Apache-2.0 */
/* A service without a unit of its own runs in a transient one: the hook that starts it is
 * ExecStart= of a oneshot service, which stays active, and keeps what the hook has left behind. Its
 * ExecStop= stops the service when the machine goes down. stop_service runs the stop hook by
 * itself, because its output is the reply; a mark then keeps systemd from running it once more. */
#include "dcm-service/control.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/fd-util.h"
#include "basic/log.h"
#include "dcm-service/hook.h"
#include "dcm-service/turn.h"
#include "dcm-service/unit.h"
#include "service/service-id.h"
#include "service/service-turn.h"

#define HOOK_SEC 3600u
#define SHUTDOWN_SEC 300u /* for the stop hook, when the machine goes down */

/* --- the mark ------------------------------------------------------------------------------- */

static int mark_path(const char *id, char **ret) {
    return asprintf(ret, SERVICES_RUN "/%s.stopped", id) < 0 ? -ENOMEM : 0;
}

static int set_mark(const char *id) {
    _cleanup_free_ char *path = NULL;
    _cleanup_close_ int fd = -1;

    TRY(mark_path(id, &path));
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    return fd < 0 ? log_error_errno(errno, "%s cannot be made: %m", path) : 0;
}

static int remove_mark(const char *id) {
    _cleanup_free_ char *path = NULL;

    TRY(mark_path(id, &path));
    return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
}

/* --- by hooks ------------------------------------------------------------------------------- */

static int end_unit(const char *id, const char *unit) {
    int r;

    TRY(set_mark(id));
    r = systemctl("stop", unit);
    (void)remove_mark(id);
    return r;
}

static void add_stop_command(const Services *s, const char *id, Arguments *a) {
    arguments_add(a,
                  "--property=ExecStop=:/bin/sh -c \"test -e " SERVICES_RUN
                  "/%s.stopped || exec %s/%s/bin/enstratus-stop %s\"",
                  id, s->path, id, id);
}

static void add_start_unit(const Services *s, const char *id, const char *unit, Arguments *a) {
    arguments_add(a, "systemd-run");
    arguments_add(a, "--quiet");
    arguments_add(a, "--unit=%s", unit);
    arguments_add(a, "--description=Service %s of the agent's manager", id);
    arguments_add(a, "--service-type=oneshot");
    arguments_add(a, "--remain-after-exit");
    arguments_add(a, "--property=User=" HOOK_USER);
    arguments_add(a, "--property=TimeoutStartSec=%u", HOOK_SEC);
    arguments_add(a, "--property=TimeoutStopSec=%u", SHUTDOWN_SEC);
    arguments_add(a, "--property=SyslogIdentifier=%s", id);
    arguments_add(a, "--working-directory=%s/%s", s->path, id);
    hook_add_environment(s, a);
}

/* Why the unit of a service is not active: its hook has ended with a status, or systemd-run has not
 * even made it. */
static int explain_start(const char *id, const char *unit, const ProgramResult *result) {
    _cleanup_free_ char *line = NULL;
    UnitState u;

    TRY(unit_look(unit, &u));
    if (streq(u.active, "failed")) {
        const int status = MAX(u.exit_status, 1);

        log_error("The service %s has not started: its hook ended with status %d (%s); journalctl "
                  "-u %s has what it wrote",
                  id, status, u.result, unit);
        return status;
    }
    TRY(first_line(result->err, result->err_size, &line));
    log_error("The service %s has not started: %s", id,
              *line ? line : "systemd-run has failed, and does not say why");
    return STATUS_FAILED;
}

static int run_start_hook(const Services *s, const char *id, int service_fd, const char *unit) {
    _cleanup_(arguments_done) Arguments a = {};
    _cleanup_(program_result_done) ProgramResult result = {};
    int r;

    add_start_unit(s, id, unit, &a);
    if (hook_look(service_fd, "stop") == HOOK_PRESENT)
        add_stop_command(s, id, &a);
    arguments_add(&a, "--");
    arguments_add(&a, "%s/%s/bin/enstratus-start", s->path, id);
    arguments_add(&a, "%s", id);
    r = program_run(&a, -1, &result);
    if (r < 0)
        return log_error_errno(r, "systemd-run cannot be run: %m");
    return result.status == 0 ? 0 : explain_start(id, unit, &result);
}

/* A unit without processes is of a service that has ended, or that runs elsewhere: its hook
 * knows. */
static int start_by_hook(const Services *s, const char *id, int service_fd, const char *unit) {
    UnitState u;

    if (hook_look(service_fd, "start") != HOOK_PRESENT) {
        log_error("The service %s has no hook bin/enstratus-start that can be run", id);
        return STATUS_NO_HOOK;
    }
    TRY(unit_look(unit, &u));
    if (streq(u.active, "activating")) /* somebody else is about it */
        return systemctl("start", unit) == 0 ? 0 : unit_failure_status(unit);
    if (unit_is_active(&u) && u.has_processes)
        return 0;
    if (unit_is_active(&u) || streq(u.active, "deactivating"))
        TRY(end_unit(id, unit));
    if (streq(u.active, "failed"))
        (void)systemctl("reset-failed", unit);
    TRY(remove_mark(id));
    return run_start_hook(s, id, service_fd, unit);
}

static int stop_by_hook(const Services *s, const char *id, int service_fd, const char *unit) {
    _cleanup_(program_result_done) ProgramResult result = {};
    const HookCall call = {.id = id,
                           .name = "stop",
                           .arguments = (const char *const[]){id, NULL},
                           .timeout_sec = HOOK_SEC};
    UnitState u;

    if (hook_look(service_fd, "stop") != HOOK_PRESENT) {
        log_error("The service %s has no hook bin/enstratus-stop that can be run", id);
        return STATUS_NO_HOOK;
    }
    TRY(hook_run(s, &call, &result));
    program_result_pass_on(&result);
    if (result.status != 0)
        return result.status;
    TRY(unit_look(unit, &u));
    if (unit_is_active(&u) || streq(u.active, "deactivating"))
        return end_unit(id, unit);
    if (streq(u.active, "failed"))
        (void)systemctl("reset-failed", unit);
    return 0;
}

/* --- by units ------------------------------------------------------------------------------- */

/* It is started at boot once it has started: one that fails would fail at each boot. Whether an
 * administrator's own unit is, the administrator says. */
static int start_by_unit(const char *id, const char *unit, UnitOrigin origin) {
    if (systemctl("start", unit) != 0) {
        log_error("The service %s has not started; journalctl -u %s says why", id, unit);
        return unit_failure_status(unit);
    }
    return origin == UNIT_SHIPPED ? systemctl("enable", unit) : 0;
}

static int stop_by_unit(const char *unit, UnitOrigin origin) {
    const int r = systemctl("stop", unit);

    return r != 0 || origin != UNIT_SHIPPED ? r : systemctl("disable", unit);
}

/* --- both ----------------------------------------------------------------------------------- */

static int status_of(int r) {
    return r < 0 ? STATUS_FAILED : r;
}

int service_start(const Services *s, const char *id) {
    _cleanup_close_ int turn = -1, fd = -1;
    _cleanup_free_ char *unit = NULL;
    UnitOrigin origin;

    if (service_open(s, id, &fd) < 0 || service_unit_name(id, &unit) < 0 ||
        turn_wait(id, &turn) < 0)
        return STATUS_FAILED;
    safe_close(fd); /* it may have been replaced meanwhile */
    fd = -1;
    if (service_open(s, id, &fd) < 0)
        return STATUS_FAILED;
    origin = service_unit_origin(id);
    return status_of(origin != UNIT_NONE ? start_by_unit(id, unit, origin)
                                         : start_by_hook(s, id, fd, unit));
}

int service_stop(const Services *s, const char *id) {
    _cleanup_close_ int fd = -1;
    _cleanup_free_ char *unit = NULL;
    UnitOrigin origin;

    if (service_open(s, id, &fd) < 0 || service_unit_name(id, &unit) < 0)
        return STATUS_FAILED;
    origin = service_unit_origin(id);
    return status_of(origin != UNIT_NONE ? stop_by_unit(unit, origin)
                                         : stop_by_hook(s, id, fd, unit));
}

/* A start that is not done yet is not for the stop hook. */
static int stop_running(const Services *s, const char *id, const char *unit, const UnitState *u) {
    _cleanup_close_ int fd = -1;

    if (service_unit_origin(id) == UNIT_NONE && streq(u->active, "active") &&
        service_open(s, id, &fd) >= 0 && hook_look(fd, "stop") == HOOK_PRESENT)
        return stop_by_hook(s, id, fd, unit);
    return systemctl("stop", unit);
}

int service_stop_to_replace(const Services *s, const char *id, bool *ret_has_stopped) {
    _cleanup_free_ char *unit = NULL;
    UnitState u;

    *ret_has_stopped = false;
    TRY(service_unit_name(id, &unit));
    TRY(unit_look(unit, &u));
    if (streq(u.active, "failed")) /* a transient one is unloaded by this */
        (void)systemctl("reset-failed", unit);
    if (!unit_is_active(&u) && !streq(u.active, "deactivating"))
        return 0;
    if (stop_running(s, id, unit, &u) != 0) {
        log_error("The service %s is running and cannot be stopped, so it is not replaced", id);
        return -EBUSY;
    }
    *ret_has_stopped = true;
    return 0;
}
