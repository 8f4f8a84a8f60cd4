/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-volume/key.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/fd-util.h"
#include "basic/memfd-util.h"

#define KEY_NAME "encryptedFsEncryptionKey"
/* cryptsetup(8) takes 8 MiB; the secrets of a job are smaller */
#define KEY_SIZE_MAX ((size_t)512 * 1024)

static int _printf_(2, 3) refuse(char **ret_problem, const char *format, ...) {
    va_list list;
    int n;

    va_start(list, format);
    n = vasprintf(ret_problem, format, list);
    va_end(list);
    return n < 0 ? -ENOMEM : -EINVAL;
}

static int read_all(int fd, char *buf, size_t size) {
    size_t done = 0;
    ssize_t n;

    while (done < size) {
        n = read(fd, buf + done, size - done);
        if (n < 0 && errno != EINTR)
            return -errno;
        if (n == 0)
            return -EIO; /* it became shorter */
        done += (size_t)MAX(n, 0);
    }
    return 0;
}

/* Keeps the pages out of swap space as long as this process lives: at best, for there may be a
 * limit. */
static void lock_pages(int fd, size_t size) {
    void *pages = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);

    if (pages != MAP_FAILED)
        (void)mlock(pages, size);
}

/* No copy stays in this process's memory. */
static int take(int fd, size_t size, int *ret_fd) {
    char *buf = malloc(size);
    int r;

    if (!buf)
        return -ENOMEM;
    r = read_all(fd, buf, size);
    if (r >= 0)
        r = memfd_new_sealed("dcm-volume-key", buf, size, ret_fd);
    if (r >= 0)
        lock_pages(*ret_fd, size);
    explicit_bzero(buf, size);
    free(buf);
    return r;
}

int key_load(int *ret_fd, char **ret_problem) {
    const char *directory = getenv("CREDENTIALS_DIRECTORY");
    _cleanup_free_ char *path = NULL;
    _cleanup_close_ int fd = -1;
    struct stat st;
    int r;

    *ret_fd = -1;
    if (isempty(directory))
        return 0;
    if (asprintf(&path, "%s/" KEY_NAME, directory) < 0)
        return -ENOMEM;
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT)
        return 0;
    if (fd < 0 || fstat(fd, &st) < 0)
        return refuse(ret_problem, "The key cannot be read: %s", strerror(errno));
    if (!S_ISREG(st.st_mode) || st.st_size == 0)
        return refuse(ret_problem, KEY_NAME " is empty: a key has at least one byte");
    if ((size_t)st.st_size > KEY_SIZE_MAX)
        return refuse(ret_problem, KEY_NAME " has %zu bytes, at most %zu", (size_t)st.st_size,
                      KEY_SIZE_MAX);
    r = take(fd, (size_t)st.st_size, ret_fd);
    return r < 0 && r != -ENOMEM ? refuse(ret_problem, "The key cannot be read: %s", strerror(-r))
                                 : r;
}
