/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-manager/tls-files.h"

#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/fd-util.h"
#include "basic/file-util.h"
#include "basic/utf8.h"
#include "dcm-manager/limits.h"

#define FILE_SIZE_MAX ((size_t)1024 * 1024)
#define GROUP "dcm-manager"

static const struct {
    const char *name;
    mode_t mode;
    bool is_of_group;
} files[_TLS_FILE_MAX] = {
    [TLS_CA] = {"ca.pem", 0644, false},
    [TLS_CA_KEY] = {"ca-key.pem", 0600, false},
    [TLS_CERT] = {"cert.pem", 0644, false},
    [TLS_KEY] = {"key.pem", 0640, true},
};

const char *tls_file_name(TlsFile file) {
    return files[file].name;
}

/* Another directory than the usual one may be of a user, who has no such group. */
static int find_group(TlsFiles *f) {
    const struct group *g = getgrnam(GROUP);

    f->has_group = g && geteuid() == 0;
    if (f->has_group)
        f->group = g->gr_gid;
    return g || geteuid() != 0 || !streq(f->directory, MANAGER_CONFDIR) ? 0 : -ESRCH;
}

static int open_directory(TlsFiles *f, TlsFilesUse use) {
    struct stat st;

    if (use == TLS_FILES_CREATE && mkdir(f->directory, 0755) < 0 && errno != EEXIST)
        return -errno;
    f->lock = open(f->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (f->lock < 0 || fstat(f->lock, &st) < 0)
        return -errno;
    if (use == TLS_FILES_PUBLIC)
        return 0;
    if (st.st_uid != geteuid() && st.st_uid != 0)
        return -EPERM;
    if (flock(f->lock, LOCK_EX | LOCK_NB) < 0)
        return errno == EWOULDBLOCK ? -EBUSY : -errno;
    return 0;
}

static int read_files(TlsFiles *f, TlsFilesUse use, char *ret_path, size_t path_size) {
    for (TlsFile i = 0; i < _TLS_FILE_MAX; i++) {
        size_t size = 0;
        int r;

        if (use == TLS_FILES_PUBLIC && files[i].mode != 0644)
            continue;
        r = read_file_at(f->lock, files[i].name, FILE_SIZE_MAX, &f->texts[i], &size);

        if (r >= 0 || r == -ENOENT)
            continue;
        (void)utf8_format(ret_path, path_size, "%s/%s", f->directory, files[i].name);
        return r;
    }
    return 0;
}

int tls_files_open(const char *directory, TlsFilesUse use, TlsFiles *ret, char *ret_path,
                   size_t path_size) {
    _cleanup_(tls_files_done) TlsFiles f = {.directory = directory, .lock = -1};

    (void)utf8_format(ret_path, path_size, "%s", directory);
    TRY(find_group(&f));
    TRY(open_directory(&f, use));
    TRY(read_files(&f, use, ret_path, path_size));
    *ret = f;
    f = (TlsFiles){.lock = -1};
    return 0;
}

static void forget(char *text) {
    if (text)
        explicit_bzero(text, strlen(text));
    free(text);
}

void tls_files_done(TlsFiles *f) {
    for (TlsFile i = 0; i < _TLS_FILE_MAX; i++)
        forget(f->texts[i]);
    safe_close(f->lock);
    *f = (TlsFiles){.lock = -1};
}

static int write_new(const TlsFiles *f, TlsFile file, const char *path, const char *text) {
    _cleanup_close_ int fd = open_new(path);

    if (fd < 0)
        return fd;
    if ((f->has_group && files[file].is_of_group && fchown(fd, (uid_t)-1, f->group) < 0) ||
        fchmod(fd, files[file].mode) < 0)
        return -errno;
    TRY(write_full(fd, text, strlen(text)));
    return fsync(fd) < 0 ? -errno : 0;
}

int tls_files_write(TlsFiles *f, TlsFile file, char *text, bool replace) {
    _cleanup_free_ char *path = NULL, *new = NULL;
    int r;

    forget(f->texts[file]);
    f->texts[file] = text;
    if (asprintf(&path, "%s/%s", f->directory, files[file].name) < 0)
        path = NULL;
    if (!path || asprintf(&new, "%s" FILE_NEW_SUFFIX, path) < 0)
        return -ENOMEM;
    r = write_new(f, file, new, text);
    if (r >= 0 &&
        renameat2(AT_FDCWD, new, AT_FDCWD, path, replace ? 0 : (unsigned)RENAME_NOREPLACE) < 0)
        r = -errno;
    if (r < 0) {
        (void)unlink(new);
        return r;
    }
    return fsync_directory(f->lock);
}
