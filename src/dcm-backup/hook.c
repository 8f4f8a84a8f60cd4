/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-backup/hook.h"

#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/fd-util.h"
#include "basic/utf8.h"

#define GROUP "dcm" /* of hooks */
#define CONFIGURATION "enstratiusinitd.cfg"
#define CONFIGURATION_NEW ".enstratiusinitd.cfg.new"
#define OUTPUT_SHOWN ((size_t)16 * 1024)
#define ARGUMENTS_MAX 6
#define STATUS_BY_SIGNAL 255 /* systemd-run's */

static const char program[] = PKGLIBDIR "/dcm-service";

static int hook_path(const Work *w, const char *name, char **ret) {
    if (asprintf(ret, "%s/bin/enstratus-%s", w->service, name) >= 0)
        return 0;
    *ret = NULL;
    return -ENOMEM;
}

bool hook_is_there(const Work *w, const char *name) {
    _cleanup_free_ char *path = NULL;

    return hook_path(w, name, &path) >= 0 && access(path, F_OK) == 0;
}

static int refuse(Work *w, int status, const char *path, const char *what) {
    if (status == 0)
        return 0;
    w->reply->return_code = status;
    return work_fail(w, "hook-failed", "The hook %s %s (status %d)", path, what, status);
}

int hook_check(Work *w, const Hook *h) {
    _cleanup_free_ char *path = NULL;
    struct stat st;

    TRY(hook_path(w, h->name, &path));
    if (stat(path, &st) < 0)
        return refuse(w, h->absent_status, path, "is missing");
    if (!S_ISREG(st.st_mode) || (st.st_mode & 0111) == 0)
        return refuse(w, h->forbidden_status, path, "cannot be executed");
    return 1;
}

static int fail_run(Work *w, const char *path, int status, const char *text) {
    w->reply->return_code = status > 0 && status < PROCESS_BY_SIGNAL ? status : 1;
    return work_fail(w, "hook-failed", "%s failed with status %d%s: %s", path, status,
                     status == STATUS_BY_SIGNAL ? ", or was ended by a signal" : "", text);
}

static int run(Work *w, const char *path, const char *const *argv) {
    _cleanup_(pipeline_freep) Pipeline *p = pipeline_new(w->deadline_usec);
    const Stage stage = {.name = path, .argv = argv, .status_max = 255};
    int i, r;

    if (!p)
        return -ENOMEM;
    i = pipeline_add(p, &stage);
    r = i < 0 ? i : pipeline_run(p);
    if (r < 0)
        return fail_run(w, path, 1, pipeline_error(p));
    if (pipeline_status(p, i) != 0)
        return fail_run(w, path, pipeline_status(p, i), pipeline_messages(p, i));
    if (*pipeline_output(p, i, NULL))
        TRY(work_note(w, "%.*s", UTF8_SHORT(pipeline_output(p, i, NULL), OUTPUT_SHOWN)));
    return 1;
}

static int run_handed(Work *w, const Hook *h, const HandOver *files, const char *path) {
    const char *argv[ARGUMENTS_MAX + 6] = {program, "hook", "--", w->request.service_id, h->name};
    size_t n = 5;
    int r, k;

    for (const char *const *a = h->arguments; *a && n < ELEMENTSOF(argv) - 1; a++)
        argv[n++] = *a;
    TRY(hand_over_give(w, files));
    r = run(w, path, argv);
    k = hand_over_take_back(w, files);
    return r < 0 ? r : k < 0 ? k : r;
}

int hook_run(Work *w, const Hook *h, const HandOver *files) {
    _cleanup_free_ char *path = NULL;
    int r;

    r = hook_check(w, h);
    if (r <= 0)
        return r;
    TRY(hook_path(w, h->name, &path));
    return run_handed(w, h, files, path);
}

/* --- files -------------------------------------------------------------------------------------
 */

/* The directory may belong to the service's user: no link in it is followed. */
static int open_cfg(const Work *w) {
    _cleanup_close_ int service = open(w->service, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC),
                        fd = -1;
    bool is_new;
    struct stat st;

    if (service < 0 || fstat(service, &st) < 0)
        return -errno;
    is_new = mkdirat(service, "cfg", 0700) == 0;
    fd = openat(service, "cfg", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || (is_new && (fchown(fd, st.st_uid, st.st_gid) < 0 || fchmod(fd, 0770) < 0)))
        return -errno;
    return TAKE_FD(fd);
}

/* It belongs to whom the directory belongs to, and hooks can read it. */
static int write_new(int cfg, const char *text) {
    const struct group *group = getgrnam(GROUP);
    _cleanup_close_ int fd = -1;
    struct stat st;

    (void)unlinkat(cfg, CONFIGURATION_NEW, 0);
    fd = openat(cfg, CONFIGURATION_NEW, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0 || fstat(cfg, &st) < 0)
        return -errno;
    TRY(write_full(fd, text, strlen(text)));
    if (fchown(fd, st.st_uid, group ? group->gr_gid : st.st_gid) < 0 || fchmod(fd, 0640) < 0 ||
        fsync(fd) < 0)
        return -errno;
    return renameat(cfg, CONFIGURATION_NEW, cfg, CONFIGURATION) < 0 ? -errno : 0;
}

int hook_write_configuration(Work *w, const char *text, char **ret_path) {
    _cleanup_close_ int cfg = open_cfg(w);
    _cleanup_free_ char *path = NULL;
    int r;

    if (asprintf(&path, "%s/cfg/" CONFIGURATION, w->service) < 0) {
        path = NULL;
        return -ENOMEM;
    }
    r = cfg < 0 ? cfg : write_new(cfg, text);
    if (r < 0)
        return work_fail(w, "failed", "%s cannot be written: %s", path, strerror(-r));
    *ret_path = TAKE_PTR(path);
    return 0;
}
