/* SPDX-License-Identifier: Apache-2.0 */
/* md.rst of the kernel documents the files. */
#include "basic/md-disks.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "basic/fd-util.h"
#include "basic/file-util.h"
#include "basic/macro.h"

#define LINE_MAX_SIZE ((size_t)256)

/* NULL: there is none. */
static char *read_text(int fd, const char *directory, const char *file) {
    char path[NAME_MAX + 32], *text;

    (void)snprintf(path, sizeof(path), "%s/%s", directory, file);
    return read_file_at(fd, path, LINE_MAX_SIZE, &text, NULL) < 0 ? NULL : text;
}

/* A disk has a place in the array, but not all of its data yet. One that is to replace another has
 * that one's place, which is not counted as empty. */
static bool is_rebuilt(int fd, const char *disk) {
    _cleanup_free_ char *slot = read_text(fd, disk, "slot");
    _cleanup_free_ char *state = read_text(fd, disk, "state");

    return slot && *slot >= '0' && *slot <= '9' && state && strstr(state, "spare") &&
           !strstr(state, "faulty") && !strstr(state, "replacement");
}

static int is_disk(const struct dirent *entry) {
    return strncmp(entry->d_name, "dev-", 4) == 0;
}

static unsigned count_rebuilt(int fd) {
    struct dirent **disks = NULL;
    unsigned count = 0;
    int n = scandirat(fd, ".", &disks, is_disk, NULL);

    for (int i = 0; i < n; i++) {
        count += is_rebuilt(fd, disks[i]->d_name);
        free(disks[i]);
    }
    free(disks);
    return count;
}

unsigned md_count_missing(int dir_fd, const char *path) {
    _cleanup_close_ int fd = openat(dir_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    _cleanup_free_ char *degraded = fd < 0 ? NULL : read_text(fd, ".", "degraded");
    unsigned n = degraded ? (unsigned)strtoul(degraded, NULL, 10) : 0;

    return n > 0 ? n - MIN(n, count_rebuilt(fd)) : 0;
}
