/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-run/files.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "basic/fd-util.h"

#define OLD_RECORD "/run/dcm-job/exit"

/* For an executor of an older version, which still runs after an update: it has bound the record
 * into the job's mount namespace; standard input is the script's already. */
static int open_record(JobFiles *ret) {
    const char *path = getenv("DCM_EXIT_RECORD") ?: OLD_RECORD;

    ret->record_fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY);
    if (ret->record_fd < 0) {
        int r = -errno;

        (void)fprintf(stderr, "dcm-run: cannot open %s: %m\n", path);
        return r;
    }
    (void)unsetenv("DCM_EXIT_RECORD");
    return 0;
}

static int set_input(int fd) {
    _cleanup_close_ int null_fd = -1;

    if (fd < 0)
        fd = null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC | O_NOCTTY);
    return fd < 0 || dup2(fd, STDIN_FILENO) < 0 ? -errno : 0;
}

int files_take(JobFiles *ret) {
    JobFiles f = JOB_FILES_INIT;
    int r;

    r = job_files_receive(STDIN_FILENO, &f);
    if (r == -ENOTSOCK)
        return open_record(ret);
    if (r >= 0)
        r = set_input(f.input_fd);
    if (r < 0) {
        (void)fprintf(stderr, "dcm-run: cannot take the job's files: %s\n", strerror(-r));
        job_files_done(&f);
        return r;
    }
    *ret = f;
    return 0;
}
