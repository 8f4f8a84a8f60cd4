/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-backup/hook.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/fd-util.h"
#include "basic/strv.h"
#include "basic/utf8.h"

#define CONFIGURATION "enstratiusinitd.cfg"
#define CONFIGURATION_NEW ".enstratiusinitd.cfg.new"
#define OUTPUT_SHOWN ((size_t)16 * 1024)

static int hook_path(const Work *w, const char *name, char **ret) {
    return asprintf(ret, "%s/bin/%s", w->service, name) < 0 ? -ENOMEM : 0;
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

static int run(Work *w, const char *path, const char *const *argv) {
    _cleanup_(pipeline_freep) Pipeline *p = pipeline_new(w->deadline_usec);
    const Stage stage = {.name = path, .argv = argv, .directory = w->service};
    int i, r;

    if (!p)
        return -ENOMEM;
    i = pipeline_add(p, &stage);
    r = i < 0 ? i : pipeline_run(p);
    if (r < 0) {
        w->reply->return_code = i >= 0 ? pipeline_status(p, i) : 1;
        return work_fail(w, "hook-failed", "%s", pipeline_error(p));
    }
    if (*pipeline_output(p, i, NULL))
        TRY(work_note(w, "%.*s", UTF8_SHORT(pipeline_output(p, i, NULL), OUTPUT_SHOWN)));
    return 1;
}

int hook_run(Work *w, const Hook *h) {
    _cleanup_free_ char *path = NULL;
    const char *argv[8];
    size_t n = 0;

    TRY(hook_path(w, h->name, &path));
    if (access(path, F_OK) < 0)
        return refuse(w, h->absent_status, path, "is missing");
    if (access(path, X_OK) < 0)
        return refuse(w, h->forbidden_status, path, "cannot be executed");
    argv[n++] = path;
    for (const char *const *a = h->arguments; *a && n < ELEMENTSOF(argv) - 1; a++)
        argv[n++] = *a;
    argv[n] = NULL;
    return run(w, path, argv);
}

/* --- files -------------------------------------------------------------------------------------
 */

/* The directory may belong to the service's user: no link in it is followed. */
static int open_cfg(const Work *w) {
    _cleanup_close_ int service = open(w->service, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int fd;

    if (service < 0 || (mkdirat(service, "cfg", 0750) < 0 && errno != EEXIST))
        return -errno;
    fd = openat(service, "cfg", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

/* It belongs to whom the directory belongs to. */
static int write_new(int cfg, const char *text) {
    _cleanup_close_ int fd = -1;
    struct stat st;

    (void)unlinkat(cfg, CONFIGURATION_NEW, 0);
    fd = openat(cfg, CONFIGURATION_NEW, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0 || fstat(cfg, &st) < 0)
        return -errno;
    TRY(write_full(fd, text, strlen(text)));
    if (fchown(fd, st.st_uid, st.st_gid) < 0 || fchmod(fd, 0640) < 0 || fsync(fd) < 0)
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

int hook_write_file(Work *w, const char *name, const char *text, char **ret_path) {
    _cleanup_free_ char *path = NULL;
    _cleanup_close_ int fd = -1;
    int r;

    TRY(work_path(w, name, &path));
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700);
    r = fd < 0 ? -errno : write_full(fd, text, strlen(text));
    if (r >= 0 && fchmod(fd, 0750) < 0) /* the old script's mode */
        r = -errno;
    if (r < 0)
        return work_fail(w, "no-space-here", "%s cannot be written: %s", path, strerror(-r));
    *ret_path = TAKE_PTR(path);
    return 0;
}
