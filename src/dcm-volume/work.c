/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-volume/work.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "basic/bounds.h"
#include "basic/fd-util.h"
#include "basic/strv.h"
#include "dcm-volume/child.h"
#include "dcm-volume/progress.h"
#include "site/trusted-file.h"

#define SCRIPT_USEC                                                                                \
    (24 * 3600 * USEC_PER_SEC) /* mkfs discards the blocks of a large disk first                   \
                                */
#define DEV "/dev/"

void work_done(Work *w) {
    device_locks_release(&w->locks);
    if (w->plan)
        plan_done(w->plan);
    free(w->plan);
    strv_free(w->notes);
    free(w->done_now);
    free(w->error);
    for (size_t i = 0; i < ELEMENTSOF(w->former); i++)
        tab_entry_done(&w->former[i]);
    *w = (Work){.key_fd = -1};
}

int work_fail(Work *w, const char *format, ...) {
    va_list list;
    int n;

    if (w->error)
        return -EIO;
    va_start(list, format);
    n = vasprintf(&w->error, format, list);
    va_end(list);
    if (n < 0) {
        w->error = NULL;
        return -ENOMEM;
    }
    return -EIO;
}

int work_note(Work *w, const char *format, ...) {
    va_list list;
    char *text;
    int n;

    va_start(list, format);
    n = vasprintf(&text, format, list);
    va_end(list);
    return strv_push(&w->notes, &w->n_notes, n < 0 ? NULL : text);
}

/* --- scripts -------------------------------------------------------------------------------- */

/* The old agent's scripts got names below /dev. */
static const char *below_dev(const char *argument) {
    return strncmp(argument, DEV, strlen(DEV)) == 0 && !streq(argument, CHILD_KEY_PATH)
               ? argument + strlen(DEV)
               : argument;
}

static int add_variable(char ***env, size_t *n, const char *name, const char *value) {
    char *text;

    if (!value)
        return 0;
    return strv_push(env, n, asprintf(&text, "%s=%s", name, value) < 0 ? NULL : text);
}

static bool plan_has(const Plan *p, StepType type) {
    for (size_t i = 0; i < p->n_steps; i++)
        if (p->steps[i].type == type)
            return true;
    return false;
}

/* Its file system was made by this request, and nobody has had it mounted yet. */
static bool is_fresh(const Plan *p) {
    return plan_has(p, STEP_FORMAT) && !p->was_mounted;
}

static int make_environment(const Plan *p, const char *uuid, char ***ret) {
    _cleanup_(strv_freep) char **env = NULL;
    size_t n = 0;

    TRY(add_variable(&env, &n, "DCM_UUID", uuid));
    TRY(add_variable(&env, &n, "DCM_LABEL", p->request.label));
    TRY(add_variable(&env, &n, "DCM_MOUNT_OPTIONS", p->request.options));
    TRY(add_variable(&env, &n, "DCM_DEGRADED", p->request.degraded ? "yes" : NULL));
    TRY(add_variable(&env, &n, "DCM_RELOADED", "yes")); /* work_reload() */
    TRY(add_variable(&env, &n, "DCM_FRESH", is_fresh(p) ? "yes" : NULL));
    *ret = TAKE_PTR(env);
    return 0;
}

/* What the tool said last explains more than its status. */
static int report(Work *w, const char *name, int r, const char *tail) {
    if (r == 0 || r == -ENOMEM)
        return r;
    if (r == -ETIMEDOUT)
        return work_fail(w, "%s took too long and was ended", name);
    if (r == -ENOENT)
        return work_fail(w, "There is no program %s", name);
    if (r < 0)
        return work_fail(w, "%s cannot be run: %s", name, strerror(-r));
    return work_fail(w, "%s failed with status %d%s%s", name, r, isempty(tail) ? "" : ": ",
                     strempty(tail));
}

static int make_argv(const char *path, const char *const *arguments, char ***ret) {
    _cleanup_(strv_freep) char **argv = NULL;
    size_t n = 0;

    TRY(strv_push(&argv, &n, strdup(path)));
    for (const char *const *a = arguments; *a; a++)
        TRY(strv_push(&argv, &n, strdup(below_dev(*a))));
    *ret = TAKE_PTR(argv);
    return 0;
}

/* Its path: that the file is trusted was checked with the open file; root alone can replace it. */
static int find_script(Work *w, const char *name, char **ret) {
    _cleanup_free_ char *error = NULL;
    _cleanup_close_ int fd = -1;
    int r;

    r = script_open(script_directories, name, ret, &fd, &error);
    if (r == -EINVAL)
        return work_fail(w, "The script cannot be run: %s", error);
    return r == -ENOENT ? work_fail(w, "There is no script %s", name) : r;
}

static int run_script(Work *w, const char *name, const char *uuid, const char *const *arguments,
                      int key_fd) {
    _cleanup_(strv_freep) char **argv = NULL, **env = NULL;
    _cleanup_free_ char *path = NULL, *tail = NULL;
    Child c;
    int r;

    TRY(find_script(w, name, &path));
    TRY(make_argv(path, arguments, &argv));
    TRY(make_environment(w->plan, uuid, &env));
    c = (Child){.argv = (const char *const *)argv,
                .environment = env,
                .key_fd = key_fd,
                .timeout_usec = SCRIPT_USEC,
                .on_line = progress_line};
    r = child_run(&c, &tail);
    return report(w, name, r, tail);
}

int work_script(Work *w, const char *name, const char *uuid, const char *const *arguments) {
    return run_script(w, name, uuid, arguments, -1);
}

int work_script_with_key(Work *w, const char *name, const char *uuid,
                         const char *const *arguments) {
    return run_script(w, name, uuid, arguments, w->key_fd);
}

/* --- programs ------------------------------------------------------------------------------- */

static int run_tool(Work *w, const char *const *argv, int key_fd) {
    const Child c = {
        .argv = argv, .key_fd = key_fd, .timeout_usec = SCRIPT_USEC, .on_line = progress_line};
    _cleanup_free_ char *tail = NULL;
    int r;

    r = child_run(&c, &tail);
    return report(w, argv[0], r, tail);
}

int work_tool(Work *w, const char *const *argv) {
    return run_tool(w, argv, -1);
}

int work_tool_with_key(Work *w, const char *const *argv) {
    return run_tool(w, argv, w->key_fd);
}

int work_reload(Work *w) {
    if (!w->needs_reload)
        return 0;
    TRY(work_tool(w, (const char *const[]){"systemctl", "daemon-reload", NULL}));
    w->needs_reload = false;
    return 0;
}

/* --- udev ----------------------------------------------------------------------------------- */

void work_settle(void) {
    (void)child_call((const char *const[]){"udevadm", "settle", "--timeout=30", NULL}, NULL);
}

/* An old udevadm has no `wait`: what it has handled then must be enough. `settle` comes last,
 * because it also waits for devices that nobody here is interested in. */
bool work_wait(const char *path) {
    if (access(path, F_OK) < 0)
        (void)child_call((const char *const[]){"udevadm", "wait", "--timeout=60", path, NULL},
                         NULL);
    if (access(path, F_OK) < 0)
        work_settle();
    return access(path, F_OK) == 0;
}
