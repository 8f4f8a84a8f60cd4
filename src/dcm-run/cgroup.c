/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-run/cgroup.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "basic/fd-util.h"
#include "basic/file-util.h"

#define CGROUP_FILE_MAX ((size_t)1024 * 1024)

/* "0::/dcm.slice/…": the line of version 2, which names no controllers */
static const char *find_path(char *text) {
    char *line = strstr(text, "0::");

    while (line && line != text && line[-1] != '\n')
        line = strstr(line + 1, "0::");
    if (!line)
        return NULL;
    line[strcspn(line, "\n")] = 0;
    return line + strlen("0::");
}

int cgroup_open(void) {
    static const char *const roots[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};
    _cleanup_free_ char *text = NULL;
    const char *path;

    if (read_file_at(AT_FDCWD, "/proc/self/cgroup", CGROUP_FILE_MAX, &text, NULL) < 0)
        return -1;
    path = find_path(text);
    for (size_t i = 0; path && i < ELEMENTSOF(roots); i++) {
        _cleanup_free_ char *directory = NULL;
        int fd;

        if (asprintf(&directory, "%s%s", roots[i], path) < 0)
            return -1;
        fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (fd >= 0 && faccessat(fd, "cgroup.procs", R_OK, 0) == 0)
            return fd;
        safe_close(fd);
    }
    return -1;
}

uint64_t cgroup_count_others(int cgroup_fd) {
    _cleanup_free_ char *text = NULL;
    uint64_t n = 0;

    if (cgroup_fd < 0 || read_file_at(cgroup_fd, "cgroup.procs", CGROUP_FILE_MAX, &text, NULL) < 0)
        return 0;
    for (const char *p = text; *p; p++)
        n += *p == '\n';
    return n > 0 ? n - 1 : 0;
}

uint64_t cgroup_count_oom_kills(int cgroup_fd) {
    static const char key[] = "\noom_kill ";
    _cleanup_free_ char *text = NULL;
    const char *p;

    if (cgroup_fd < 0 || read_file_at(cgroup_fd, "memory.events", CGROUP_FILE_MAX, &text, NULL) < 0)
        return 0;
    p = strstr(text, key);
    return p ? strtoull(p + strlen(key), NULL, 10) : 0;
}
