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
#include "dcm-service/unit.h"
#include "service/service-id.h"

#define HOOK_SEC 3600u

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

static int run_start_hook(const Services *s, const char *id, int service_fd, const char *unit) {
    _cleanup_(arguments_done) Arguments a = {};
    _cleanup_(program_result_done) ProgramResult result = {};
    int r;

    arguments_add(&a, "systemd-run");
    arguments_add(&a, "--quiet");
    arguments_add(&a, "--unit=%s", unit);
    arguments_add(&a, "--description=Service %s of the agent's manager", id);
    arguments_add(&a, "--service-type=oneshot");
    arguments_add(&a, "--remain-after-exit");
    arguments_add(&a, "--property=User=" HOOK_USER);
    arguments_add(&a, "--property=TimeoutStartSec=%u", HOOK_SEC);
    arguments_add(&a, "--property=SyslogIdentifier=%s", id);
    arguments_add(&a, "--working-directory=%s/%s", s->path, id);
    hook_add_environment(s, &a);
    if (hook_look(service_fd, "stop") == HOOK_PRESENT)
        add_stop_command(s, id, &a);
    arguments_add(&a, "--");
    arguments_add(&a, "%s/%s/bin/enstratus-start", s->path, id);
    arguments_add(&a, "%s", id);
    r = program_run(&a, -1, &result);
    if (r < 0)
        return log_error_errno(r, "systemd-run cannot be run: %m");
    return result.status == 0 ? 0 : unit_failure_status(unit);
}

/* A unit without processes is of a service that has ended, or that runs elsewhere: its hook
 * knows. */
static int start_by_hook(const Services *s, const char *id, int service_fd, const char *unit) {
    UnitState u;
    int r;

    if (hook_look(service_fd, "start") != HOOK_PRESENT) {
        log_error("The service %s has no hook bin/enstratus-start that can be run", id);
        return STATUS_NO_HOOK;
    }
    TRY(unit_look(unit, &u));
    if (streq(u.active, "activating")) /* another request is about it */
        return systemctl("start", unit) == 0 ? 0 : unit_failure_status(unit);
    if (unit_is_active(&u) && u.has_processes)
        return 0;
    if (unit_is_active(&u) || streq(u.active, "deactivating"))
        TRY(end_unit(id, unit));
    if (streq(u.active, "failed"))
        (void)systemctl("reset-failed", unit);
    TRY(remove_mark(id));
    r = run_start_hook(s, id, service_fd, unit);
    if (r > 0)
        log_error("The service %s has not started: its hook ended with status %d; journalctl -u %s "
                  "has what it wrote",
                  id, r, unit);
    return r;
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
    (void)fwrite(result.out, 1, result.out_size, stdout);
    (void)fwrite(result.err, 1, result.err_size, stderr);
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

static int start_by_unit(const char *id, const char *unit) {
    const int r = systemctl("enable", unit);

    if (r != 0)
        return r;
    if (systemctl("start", unit) == 0)
        return 0;
    log_error("The service %s has not started; journalctl -u %s says why", id, unit);
    return unit_failure_status(unit);
}

static int stop_by_unit(const char *unit) {
    const int r = systemctl("stop", unit);

    return r != 0 ? r : systemctl("disable", unit);
}

static int status_of(int r) {
    return r < 0 ? STATUS_FAILED : r;
}

int service_start(const Services *s, const char *id) {
    _cleanup_close_ int fd = -1;
    _cleanup_free_ char *unit = NULL;

    if (service_open(s, id, &fd) < 0 || service_unit_name(id, &unit) < 0)
        return STATUS_FAILED;
    return status_of(service_ships_unit(id) ? start_by_unit(id, unit)
                                            : start_by_hook(s, id, fd, unit));
}

int service_stop(const Services *s, const char *id) {
    _cleanup_close_ int fd = -1;
    _cleanup_free_ char *unit = NULL;

    if (service_open(s, id, &fd) < 0 || service_unit_name(id, &unit) < 0)
        return STATUS_FAILED;
    return status_of(service_ships_unit(id) ? stop_by_unit(unit) : stop_by_hook(s, id, fd, unit));
}
