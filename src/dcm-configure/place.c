/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-configure/place.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/fd-util.h"
#include "basic/log.h"
#include "unit/program.h"

#define SUMMARY_SUFFIX ".summary"

static int remove_tree(const char *path) {
    _cleanup_(arguments_done) Arguments a = {};

    arguments_add(&a, "rm");
    arguments_add(&a, "-rf");
    arguments_add(&a, "--one-file-system");
    arguments_add(&a, "--");
    arguments_add(&a, "%s", path);
    return program_call(&a) == 0 ? 0 : -EIO;
}

static int take_turn(int *ret_fd) {
    _cleanup_close_ int fd = -1;

    if (mkdir(CONFIGURE_RUN, 0711) < 0 && errno != EEXIST)
        return log_error_errno(errno, CONFIGURE_RUN " cannot be made: %m");
    fd = open(CONFIGURE_RUN, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return log_error_errno(errno, CONFIGURE_RUN " cannot be opened: %m");
    if (fchmod(fd, 0711) < 0) /* whatever the umask: a user of a request reads his own script */
        return log_error_errno(errno, CONFIGURE_RUN " cannot be opened for others: %m");
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        log_info("Another configure_server is at work; this one waits until it has ended");
        while (flock(fd, LOCK_EX) < 0)
            if (errno != EINTR)
                return log_error_errno(errno, "The turn cannot be waited for: %m");
    }
    *ret_fd = TAKE_FD(fd);
    return 0;
}

static int remove_entry(const char *name) {
    _cleanup_free_ char *path = NULL;

    if (asprintf(&path, CONFIGURE_RUN "/%s", name) < 0) {
        path = NULL;
        return -ENOMEM;
    }
    return remove_tree(path);
}

/* Whoever has left something there is gone, as this process has the turn. */
static int remove_remains(void) {
    DIR *directory = opendir(CONFIGURE_RUN);
    int r = 0;

    if (!directory)
        return -errno;
    for (struct dirent *e; r >= 0 && (e = readdir(directory));)
        if (e->d_name[0] != '.')
            r = remove_entry(e->d_name);
    (void)closedir(directory);
    return r;
}

static int write_one(const Place *p, const ConfigureFile *f) {
    _cleanup_free_ char *path = NULL;
    _cleanup_close_ int fd = -1;

    if (asprintf(&path, "%s/%s", p->path, f->name) < 0)
        return -ENOMEM;
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    return fd < 0 ? -errno : write_full(fd, f->text, f->size);
}

/* The last part of the name is random: no name of a former request is used again. */
static int make_directory(Place *p) {
    p->path = strdup(CONFIGURE_RUN "/XXXXXX");
    if (!p->path)
        return -ENOMEM;
    if (!mkdtemp(p->path)) {
        free(p->path);
        p->path = NULL;
        return -errno;
    }
    if (chmod(p->path, 0711) < 0)
        return -errno;
    return asprintf(&p->summary, "%s" SUMMARY_SUFFIX, p->path) < 0 ? (p->summary = NULL, -ENOMEM)
                                                                   : 0;
}

int place_make(const ConfigurePlan *plan, Place *ret) {
    _cleanup_(place_done) Place p = {.turn_fd = -1};
    int r;

    TRY(take_turn(&p.turn_fd));
    r = remove_remains();
    if (r >= 0)
        r = make_directory(&p);
    for (size_t i = 0; r >= 0 && i < plan->n_files; i++)
        r = write_one(&p, &plan->files[i]);
    if (r < 0)
        return log_error_errno(r, "The files of the request cannot be written below " CONFIGURE_RUN
                                  ": %m");
    *ret = p;
    p = (Place){.turn_fd = -1};
    return 0;
}

void place_done(Place *p) {
    if (p->path)
        (void)remove_tree(p->path);
    if (p->summary)
        (void)unlink(p->summary);
    free(p->path);
    free(p->summary);
    (void)safe_close(p->turn_fd);
    *p = (Place){.turn_fd = -1};
}
