/* SPDX-License-Identifier: Apache-2.0 */
/* One file for each volume, ID.json. It names devices, UUIDs and mount points, and has no key. */
#include "dcm-volume/record.h"

#include <dirent.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/fd-util.h"
#include "basic/file-util.h"

#define RECORD_SIZE_MAX ((size_t)1024 * 1024)
#define RECORD_SUFFIX ".json"

static int read_file(const char *path, Plan *ret) {
    _cleanup_free_ char *text = NULL;
    _cleanup_json_ struct json_object *o = NULL;
    size_t size;
    int r;

    r = read_file_at(AT_FDCWD, path, RECORD_SIZE_MAX, &text, &size);
    if (r < 0)
        return r == -EFBIG ? -EBADMSG : r;
    r = json_parse_stored(text, size, &o);
    if (r < 0)
        return r == -ENOMEM ? r : -EBADMSG;
    return o ? plan_from_json(o, ret) : -EBADMSG;
}

int record_read(const char *directory, const char *id, Plan *ret) {
    _cleanup_free_ char *path = NULL;

    if (asprintf(&path, "%s/%s" RECORD_SUFFIX, directory, id) < 0)
        return -ENOMEM;
    return read_file(path, ret);
}

/* The directory's own entry must be durable, too. */
static int make_directory(const char *directory) {
    _cleanup_free_ char *copy = strdup(directory);
    _cleanup_close_ int fd = -1;

    if (!copy)
        return -ENOMEM;
    if (mkdir(directory, 0700) < 0)
        return errno == EEXIST ? 0 : -errno;
    fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -errno : fsync_directory(fd);
}

int record_write(const char *directory, const Plan *p) {
    _cleanup_free_ char *path = NULL, *text = NULL;
    _cleanup_json_ struct json_object *o = NULL;
    size_t size;

    if (asprintf(&path, "%s/%s" RECORD_SUFFIX, directory, p->id) < 0)
        return -ENOMEM;
    TRY(plan_to_json(p, &o));
    TRY(json_encode(o, &text, &size));
    TRY(make_directory(directory));
    return write_file_alone(path, text, size, 0600);
}

int record_remove(const char *directory, const char *id) {
    _cleanup_close_ int dir_fd = -1;
    _cleanup_free_ char *name = NULL, *temporary = NULL;

    if (asprintf(&name, "%s" RECORD_SUFFIX, id) < 0 ||
        asprintf(&temporary, "%s" FILE_NEW_SUFFIX, name) < 0)
        return -ENOMEM;
    dir_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir_fd < 0 || (unlinkat(dir_fd, temporary, 0) < 0 && errno != ENOENT) ||
        unlinkat(dir_fd, name, 0) < 0)
        return -errno;
    return fsync_directory(dir_fd);
}

static bool is_record(const char *name) {
    size_t size = strlen(name), suffix = strlen(RECORD_SUFFIX);

    return size == VOLUME_ID_SIZE - 1 + suffix && streq(name + size - suffix, RECORD_SUFFIX);
}

static int visit_file(const char *directory, const char *name,
                      int (*visit)(const Plan *p, void *userdata), void *userdata) {
    _cleanup_free_ char *path = NULL;
    _cleanup_(plan_done) Plan p = {};
    int r;

    if (asprintf(&path, "%s/%s", directory, name) < 0)
        return -ENOMEM;
    r = read_file(path, &p);
    if (r == -ENOENT) /* removed meanwhile */
        return 0;
    return r < 0 ? r : visit(&p, userdata);
}

int record_visit(const char *directory, int (*visit)(const Plan *p, void *userdata), void *userdata,
                 char **ret_bad) {
    _cleanup_free_ char *bad = NULL;
    struct dirent *e;
    int r = 0;
    DIR *d;

    if (ret_bad)
        *ret_bad = NULL;

    d = opendir(directory);
    if (!d)
        return errno == ENOENT ? 0 : -errno;
    while (r == 0 && (errno = 0, e = readdir(d)))
        if (is_record(e->d_name)) {
            r = visit_file(directory, e->d_name, visit, userdata);
            if (r == -EBADMSG)
                r = free_and_strdup(&bad, e->d_name);
        }
    if (r == 0)
        r = -errno;
    (void)closedir(d);
    if (r == 0 && ret_bad)
        *ret_bad = TAKE_PTR(bad);
    return r;
}
