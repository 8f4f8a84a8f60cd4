/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-service/unit.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "basic/bounds.h"
#include "basic/file-util.h"
#include "basic/log.h"
#include "service/service-id.h"
#include "unit/program.h"

#define UNIT_DIRECTORY "/etc/systemd/system"

static int run_systemctl(const char *verb, const char *unit) {
    _cleanup_(arguments_done) Arguments a = {};

    arguments_add(&a, "systemctl");
    arguments_add(&a, "--quiet");
    if (verb)
        arguments_add(&a, "%s", verb);
    if (unit)
        arguments_add(&a, "%s", unit);
    return program_call(&a);
}

int systemctl(const char *verb, const char *unit) {
    return run_systemctl(verb, unit);
}

/* --- its state ------------------------------------------------------------------------------ */

static void take(const char *line, const char *name, char *ret, size_t size) {
    const size_t n = strlen(name);

    if (strncmp(line, name, n) == 0 && line[n] == '=')
        (void)snprintf(ret, size, "%s", line + n + 1);
}

typedef struct Figures {
    char code[32], status[32], cgroup[512];
} Figures;

static void take_line(const char *line, UnitState *u, Figures *f) {
    take(line, "ActiveState", u->active, sizeof(u->active));
    take(line, "SubState", u->sub, sizeof(u->sub));
    take(line, "Result", u->result, sizeof(u->result));
    take(line, "StatusText", u->text, sizeof(u->text));
    take(line, "ExecMainCode", f->code, sizeof(f->code));
    take(line, "ExecMainStatus", f->status, sizeof(f->status));
    take(line, "ControlGroup", f->cgroup, sizeof(f->cgroup));
}

static bool file_has(const char *path, const char *what) {
    _cleanup_free_ char *text = NULL;

    return read_file_at(AT_FDCWD, path, PROC_FILE_MAX, &text, NULL) >= 0 && strstr(text, what);
}

/* The number of tasks is not counted everywhere. Where cgroups are of version 1 only those of the
 * unit itself are seen, not of cgroups below it. */
static bool cgroup_has_processes(const char *cgroup) {
    char path[640];

    (void)snprintf(path, sizeof(path), "/sys/fs/cgroup%s/cgroup.events", cgroup);
    if (access(path, F_OK) == 0)
        return file_has(path, "populated 1");
    (void)snprintf(path, sizeof(path), "/sys/fs/cgroup/systemd%s/cgroup.procs", cgroup);
    return file_has(path, "\n");
}

static void evaluate(const Figures *f, UnitState *u) {
    const int code = atoi(f->code), status = atoi(f->status);

    u->exit_status = code == CLD_EXITED ? status : code == 0 ? 0 : 128 + status;
    u->has_processes = *f->cgroup && cgroup_has_processes(f->cgroup);
}

int unit_look(const char *unit, UnitState *ret) {
    _cleanup_(arguments_done) Arguments a = {};
    _cleanup_(program_result_done) ProgramResult result = {};
    UnitState u = {};
    Figures f = {};
    char *save = NULL;
    int r;

    arguments_add(&a, "systemctl");
    arguments_add(&a, "show");
    arguments_add(&a, "--property=ActiveState,SubState,Result,StatusText,ExecMainCode,"
                      "ExecMainStatus,ControlGroup");
    arguments_add(&a, "%s", unit);
    r = program_run(&a, -1, &result);
    if (r < 0 || result.status != 0) {
        (void)log_error_errno(r < 0 ? r : EIO, "systemd does not tell the state of %s: %m", unit);
        return -EIO;
    }
    for (char *line = strtok_r(result.out, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
        take_line(line, &u, &f);
    evaluate(&f, &u);
    *ret = u;
    return 0;
}

bool unit_is_active(const UnitState *u) {
    return streq(u->active, "active") || streq(u->active, "activating") ||
           streq(u->active, "reloading");
}

int unit_failure_status(const char *unit) {
    UnitState u;

    return unit_look(unit, &u) >= 0 && u.exit_status > 0 ? u.exit_status : 1;
}

/* --- a shipped one -------------------------------------------------------------------------- */

static int unit_path(const char *id, char **ret) {
    _cleanup_free_ char *unit = NULL;

    TRY(service_unit_name(id, &unit));
    return asprintf(ret, UNIT_DIRECTORY "/%s", unit) < 0 ? -ENOMEM : 0;
}

static UnitOrigin look_at_file(const char *path) {
    _cleanup_free_ char *text = NULL;
    struct stat st = {};

    if (lstat(path, &st) < 0 && errno == ENOENT)
        return UNIT_NONE;
    return S_ISREG(st.st_mode) &&
                   read_file_at(AT_FDCWD, path, 2 * SERVICE_UNIT_MAX, &text, NULL) >= 0 &&
                   service_unit_is_ours(text)
               ? UNIT_SHIPPED
               : UNIT_FOREIGN;
}

UnitOrigin service_unit_origin(const char *id) {
    _cleanup_free_ char *path = NULL;

    return unit_path(id, &path) >= 0 ? look_at_file(path) : UNIT_FOREIGN;
}

static int remove_unit(const char *id) {
    _cleanup_free_ char *path = NULL, *unit = NULL;

    if (service_unit_origin(id) != UNIT_SHIPPED)
        return 0;
    TRY(unit_path(id, &path));
    TRY(service_unit_name(id, &unit));
    if (systemctl("stop", unit) != 0 || systemctl("disable", unit) != 0)
        return -EIO;
    if (unlink(path) < 0 && errno != ENOENT)
        return log_error_errno(errno, "%s cannot be removed: %m", path);
    return systemctl("daemon-reload", NULL) == 0 ? 0 : -EIO;
}

static int check_loaded(const char *unit) {
    _cleanup_(arguments_done) Arguments a = {};
    _cleanup_(program_result_done) ProgramResult result = {};
    int r;

    arguments_add(&a, "systemctl");
    arguments_add(&a, "show");
    arguments_add(&a, "--value");
    arguments_add(&a, "--property=LoadState");
    arguments_add(&a, "%s", unit);
    r = program_run(&a, -1, &result);
    if (r >= 0 && result.out && strncmp(result.out, "loaded", 6) == 0)
        return 0;
    log_error("systemd does not take dcm-service.unit of the archive; journalctl -u %s says why",
              unit);
    return -EINVAL;
}

static int write_unit(const Services *s, const char *id, const char *user, const char *text,
                      size_t size, const char *path) {
    _cleanup_free_ char *directory = NULL, *content = NULL;
    int r;

    if (asprintf(&directory, "%s/%s", s->path, id) < 0) {
        directory = NULL;
        return -ENOMEM;
    }
    r = service_unit_make(id, directory, user, text, size, &content);
    if (r < 0)
        return log_error_errno(r, "dcm-service.unit of the archive is no text");
    r = write_file_atomic(path, content, strlen(content), 0644);
    return r < 0 ? log_error_errno(r, "%s cannot be written: %m", path) : 0;
}

/* Has systemd read the text as the file of that unit, and puts back what was there. */
static int try_text(const Services *s, const char *id, const char *user, const char *text,
                    size_t size, const char *unit, const char *path) {
    _cleanup_free_ char *old = NULL;
    int r, k;

    r = read_file_at(AT_FDCWD, path, 2 * SERVICE_UNIT_MAX, &old, NULL);
    if (r < 0 && r != -ENOENT)
        return log_error_errno(r, "%s cannot be read: %m", path);
    TRY(write_unit(s, id, user, text, size, path));
    r = systemctl("daemon-reload", NULL) == 0 ? check_loaded(unit) : -EIO;
    if (old)
        k = write_file_atomic(path, old, strlen(old), 0644);
    else
        k = unlink(path) < 0 ? -errno : 0;
    if (k < 0)
        r = log_error_errno(k, "%s cannot be made as it was: %m", path);
    (void)systemctl("daemon-reload", NULL);
    return r;
}

/* Where there is no unit yet, the one in which a hook has started the service may have its name. */
static int try_unit(const Services *s, const char *id, const char *user, const char *text,
                    size_t size, bool has_unit) {
    _cleanup_free_ char *unit = NULL, *path = NULL;
    int n;

    if (has_unit)
        TRY(service_unit_name(id, &unit));
    else if (asprintf(&unit, "dcm-unit-check-%s.service", id) < 0) {
        unit = NULL;
        return -ENOMEM;
    }
    n = asprintf(&path, "%s/%s", has_unit ? UNIT_DIRECTORY : "/run/systemd/system", unit);
    if (n < 0) {
        path = NULL;
        return -ENOMEM;
    }
    return try_text(s, id, user, text, size, unit, path);
}

int service_check_unit(const Services *s, const char *id, const char *user, const char *text,
                       size_t size) {
    const UnitOrigin origin = service_unit_origin(id);

    if (!text)
        return 0;
    if (origin == UNIT_FOREIGN) {
        log_error("The image has a dcm-service.unit, but " UNIT_DIRECTORY
                  "/dcm-service-%s.service was not made by install_service, and is not replaced: "
                  "remove it, or leave dcm-service.unit out of the image",
                  id);
        return -EEXIST;
    }
    return try_unit(s, id, user, text, size, origin == UNIT_SHIPPED);
}

int service_set_unit(const Services *s, const char *id, const char *user, const char *text,
                     size_t size) {
    _cleanup_free_ char *path = NULL, *unit = NULL;

    if (!text)
        return remove_unit(id);
    TRY(unit_path(id, &path));
    TRY(service_unit_name(id, &unit));
    TRY(write_unit(s, id, user, text, size, path));
    if (systemctl("daemon-reload", NULL) != 0)
        return -EIO;
    return check_loaded(unit);
}
