/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-configure/run.h"

#include <signal.h>
#include <unistd.h>

#include "basic/fd-util.h"
#include "basic/log.h"
#include "basic/memfd-util.h"
#include "basic/strv.h"
#include "site/trusted-file.h"
#include "unit/job-bond.h"
#include "unit/object-failure.h"

#define SCRIPT "runConfigurationManagement-"
#define AGAIN_SEC 5

static const char *const inherited[] = {"DCM_AGENT_PLATFORM_NAME",
                                        "DCM_AGENT_PLATFORM_VERSION",
                                        "DCM_REQUEST_ID",
                                        "DCM_DRY_RUN",
                                        "LANG",
                                        "PATH"};

static void add_environment(const ConfigurePlan *plan, const Place *place, Arguments *a) {
    arguments_add(a, "--setenv=DCM_BASEDIR=" PKGLIBDIR);
    arguments_add(a, "--setenv=DCM_CONFIGURE_DIR=%s", place->path);
    arguments_add(a, "--setenv=DCM_CONFIGURE_SUMMARY=%s", place->summary);
    arguments_add(a, "--setenv=HOME=/root");
    for (size_t i = 0; i < ELEMENTSOF(inherited); i++)
        if (getenv(inherited[i]))
            arguments_add(a, "--setenv=%s=%s", inherited[i], getenv(inherited[i]));
    for (char *const *v = plan->environment; v && *v; v++) {
        const char *mark = strchr(*v, CONFIGURE_FILE);

        if (mark)
            arguments_add(a, "--setenv=%.*s%s/%s", (int)(mark - *v), *v, place->path, mark + 1);
        else
            arguments_add(a, "--setenv=%s", *v);
    }
}

/* `object` may be NULL. */
static void add_unit(const ConfigurePlan *plan, const Place *place, const char *unit,
                     const char *object, Arguments *a) {
    unit_add_run(a);
    arguments_add(a, "--service-type=exec"); /* no ExecStop= for one that is starting */
    arguments_add(a, "--unit=%s", unit);
    arguments_add(a, "--description=Configuration of this server: %s", plan->type);
    arguments_add(a, "--slice=dcm-jobs.slice");
    /* whatever ends the unit, and this process too: packages stay consistent, and no key stays */
    arguments_add(a, "--property=TimeoutStopSec=30min");
    arguments_add(a, "--property=ExecStop=" PKGLIBDIR "/dcm-configure settle");
    arguments_add(a, "--property=ExecStopPost=/usr/bin/rm -rf --one-file-system -- %s",
                  object ?: place->path);
    unit_bind_to_job(a);
    add_environment(plan, place, a);
}

static void add_command(const ConfigurePlan *plan, const Place *place, const char *script,
                        const char *object, Arguments *a) {
    arguments_add(a, "--");
    arguments_add(a, "%s", script);
    for (size_t i = 0; i < plan->n_arguments; i++) {
        if (plan->arguments[i][0] == CONFIGURE_FILE)
            arguments_add(a, "%s/%s", place->path, plan->arguments[i] + 1);
        else
            unit_add_argument(a, plan->arguments[i]);
    }
    if (object)
        arguments_add(a, "%s", object);
}

/* --- a request to end ----------------------------------------------------------------------- */

/* Of the one script at work. */
static const char *stop_argv[] = {"systemctl", "stop", "--no-block", NULL, NULL};
static volatile sig_atomic_t is_asked;

/* The unit ends in its own time, and then its script has ended. Again and again, as the unit may
 * not have begun. */
static void on_signal(int number) {
    is_asked = true;
    if (fork() == 0) {
        (void)execv("/usr/bin/systemctl", (char *const *)stop_argv);
        _exit(EXIT_FAILURE);
    }
    (void)alarm(AGAIN_SEC);
}

static int follow(const Arguments *a, const char *unit, Console *console, ProgramResult *ret) {
    static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGALRM};
    const struct sigaction catch = {.sa_handler = on_signal, .sa_flags = SA_RESTART},
                           leave = {.sa_handler = SIG_DFL};
    int r;

    stop_argv[3] = unit;
    for (size_t i = 0; i < ELEMENTSOF(signals); i++)
        (void)sigaction(signals[i], &catch, NULL);
    r = program_follow(a, -1, console_take, console, ret);
    (void)alarm(0);
    for (size_t i = 0; i < ELEMENTSOF(signals); i++)
        (void)sigaction(signals[i], &leave, NULL);
    if (r >= 0 && is_asked && ret->status == 0)
        ret->status = 128 + SIGTERM; /* it has not done everything */
    return r;
}

int run_script(const ConfigurePlan *plan, const Place *place, const char *object, Console *console,
               ProgramResult *ret) {
    _cleanup_(arguments_done) Arguments a = {};
    _cleanup_free_ char *name = NULL, *unit = NULL, *path = NULL, *error = NULL;
    _cleanup_close_ int fd = -1;
    int r;

    if (asprintf(&name, SCRIPT "%s", plan->type) < 0)
        name = NULL;
    if (asprintf(&unit, "dcm-configure-%s.service", strrchr(place->path, '/') + 1) < 0)
        unit = NULL;
    if (!name || !unit)
        return log_oom();
    r = script_open(script_directories, name, &path, &fd, &error);
    if (r < 0)
        return log_error_errno(r, "The script %s cannot be run: %s", name, error ?: strerror(-r));
    add_unit(plan, place, unit, object, &a);
    add_command(plan, place, path, object, &a);
    r = follow(&a, unit, console, ret);
    console_end(console);
    return r < 0 ? log_error_errno(r, "systemd-run cannot be run: %m") : 0;
}

/* --- objects -------------------------------------------------------------------------------- */

static int make_place(const ConfigurePlan *plan, const ConfigureObject *object, int *ret_fd) {
    const char *text;
    size_t size;

    /* the one key of it that differs from object to object */
    json_object_object_del(plan->place, "bucket");
    TRY(json_add_string(plan->place, "bucket", object->bucket));
    text = json_to_text(plan->place, &size);
    return text ? memfd_new_sealed("place", text, size, ret_fd) : -ENOMEM;
}

int run_download(const ConfigurePlan *plan, const ConfigureObject *object, const char *path) {
    _cleanup_(arguments_done) Arguments a = {};
    _cleanup_(program_result_done) ProgramResult result = {};
    _cleanup_free_ char *reason = NULL;
    _cleanup_close_ int fd = -1;
    int r = make_place(plan, object, &fd);

    if (r < 0)
        return log_error_errno(r, "The place of the scripts cannot be described: %m");
    arguments_add(&a, PKGLIBDIR "/dcm-object");
    arguments_add(&a, "get");
    arguments_add(&a, "--place=/dev/stdin");
    arguments_add(&a, "--");
    arguments_add(&a, "%s", object->name);
    arguments_add(&a, "%s", path);
    r = program_run(&a, fd, &result);
    if (r < 0)
        return log_error_errno(r, "dcm-object cannot be run: %m");
    if (result.status == 0)
        return 0;
    TRY(object_failure(&result, &reason));
    log_error("The script %s/%s cannot be fetched: %s", object->bucket, object->name, reason);
    return -EIO;
}
