/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-service/hook.h"

#include <sys/random.h>
#include <unistd.h>

#include "basic/bounds.h"
#include "basic/log.h"
#include "basic/strv.h"
#include "basic/time-util.h"
#include "unit/job-bond.h"

#define EXIT_EXEC 203 /* systemd's, where it cannot start the program */

const char HOOK_PATH_OF[] = "";

static const char *const inherited[] = {"DCM_AGENT_PLATFORM_NAME", "DCM_AGENT_PLATFORM_VERSION",
                                        "DCM_REQUEST_ID", "LANG"};

void hook_add_job_environment(Arguments *a) {
    for (size_t i = 0; i < ELEMENTSOF(inherited); i++)
        if (getenv(inherited[i]))
            arguments_add(a, "--setenv=%s=%s", inherited[i], getenv(inherited[i]));
}

void hook_add_environment(const Services *s, Arguments *a) {
    arguments_add(a, "--setenv=DCM_USER=" HOOK_USER);
    arguments_add(a, "--setenv=DCM_BASEDIR=" PKGLIBDIR);
    arguments_add(a, "--setenv=DCM_SERVICES_DIR=%s", s->path);
    /* the job's own file is not to be seen outside of it */
    arguments_add(a, "--setenv=DCM_LOG_FILE=/dev/null");
    hook_add_job_environment(a);
}

int secret_path(const char *name, char **ret) {
    const char *directory = getenv("CREDENTIALS_DIRECTORY");
    _cleanup_free_ char *path = NULL;

    if (directory && asprintf(&path, "%s/%s", directory, name) < 0)
        return -ENOMEM;
    *ret = path && access(path, R_OK) == 0 ? TAKE_PTR(path) : NULL;
    return 0;
}

static int make_name(const HookCall *c, char **ret) {
    uint32_t number;

    if (getrandom(&number, sizeof(number), 0) != sizeof(number))
        return -EIO;
    return asprintf(ret, "dcm-hook-%s-%s-%08x.service", c->id, c->name, number) < 0 ? -ENOMEM : 0;
}

static void add_unit(const HookCall *c, const char *unit, Arguments *a) {
    unit_add_run(a);
    arguments_add(a, "--unit=%s", unit);
    arguments_add(a, "--description=Hook %s of the service %s", c->name, c->id);
    arguments_add(a, "--slice=dcm-jobs.slice");
    arguments_add(a, "--property=User=%s", c->user ?: HOOK_USER);
    arguments_add(a, "--property=TimeoutStartSec=%u", c->timeout_sec);
    arguments_add(a, "--property=TimeoutStopSec=10");
    if (c->stop_post)
        arguments_add(a, "--property=ExecStopPost=+%s", c->stop_post);
    unit_bind_to_job(a);
}

static void add_credentials(const HookCall *c, Arguments *a) {
    for (size_t i = 0; i < HOOK_CREDENTIALS_MAX && c->credentials[i].name; i++)
        arguments_add(a, "--property=LoadCredential=%s:%s", c->credentials[i].name,
                      c->credentials[i].source);
    /* a mount namespace of its own: else the credentials are hidden from HOOK_USER */
    if (c->credentials[0].name)
        arguments_add(a, "--property=PrivateMounts=yes");
}

static void add_command(const Services *s, const HookCall *c, const char *unit, Arguments *a) {
    arguments_add(a, "--");
    arguments_add(a, "%s/%s/bin/enstratus-%s", s->path, c->id, c->name);
    for (const char *const *p = c->arguments; p && *p; p++) {
        if (*p == HOOK_PATH_OF)
            arguments_add(a, "/run/credentials/%s/%s", unit, *++p);
        else
            unit_add_argument(a, *p);
    }
}

/* A line behind what it has written to standard error. */
static int add_text(ProgramResult *ret, const char *text) {
    char *all = NULL;
    const int n = asprintf(&all, "%s%s\n", strempty(ret->err), text);

    if (n < 0)
        return -ENOMEM;
    free(ret->err);
    ret->err = all;
    ret->err_size = (size_t)n;
    return 0;
}

static int explain(const HookCall *c, uint64_t started_usec, ProgramResult *ret) {
    const uint64_t took_usec = now_usec(CLOCK_BOOTTIME) - started_usec;
    _cleanup_free_ char *text = NULL;
    int n = 0;

    if (ret->status == EXIT_EXEC)
        n = asprintf(&text,
                     "The hook bin/enstratus-%s of %s cannot be started: is its interpreter "
                     "there, and may %s run it?",
                     c->name, c->id, c->user ?: HOOK_USER);
    else if (ret->status != 0 && took_usec >= c->timeout_sec * USEC_PER_SEC)
        n = asprintf(&text, "The hook bin/enstratus-%s of %s took longer than %u s and was ended",
                     c->name, c->id, c->timeout_sec);
    if (n < 0) {
        text = NULL;
        return -ENOMEM;
    }
    return text ? add_text(ret, text) : 0;
}

int hook_run(const Services *s, const HookCall *c, ProgramResult *ret) {
    _cleanup_(arguments_done) Arguments a = {};
    _cleanup_free_ char *unit = NULL;
    const uint64_t started_usec = now_usec(CLOCK_BOOTTIME);
    int r;

    TRY(make_name(c, &unit));
    add_unit(c, unit, &a);
    arguments_add(&a, "--working-directory=%s/%s", s->path, c->id);
    hook_add_environment(s, &a);
    add_credentials(c, &a);
    add_command(s, c, unit, &a);
    r = program_run(&a, -1, ret);
    if (r < 0) {
        (void)log_error_errno(r, "The hook bin/enstratus-%s of %s cannot be run: %m", c->name,
                              c->id);
        return -EIO;
    }
    r = explain(c, started_usec, ret);
    if (r < 0)
        program_result_done(ret);
    return r;
}
