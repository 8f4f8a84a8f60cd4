/* SPDX-License-Identifier: Apache-2.0 */
/* dcm-agentctl output: from the executor's directory, so that it works without the agent. */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "basic/bounds.h"
#include "basic/exit-record.h"
#include "basic/fd-util.h"
#include "basic/file-util.h"
#include "basic/guid.h"
#include "basic/i18n.h"
#include "basic/job-output.h"
#include "ctl/verbs.h"

static int open_job(const char *guid) {
    char path[sizeof(JOBSDIR) + JOB_NAME_SIZE + 1], name[JOB_NAME_SIZE];
    int fd;

    if (!guid_is_valid(guid)) {
        (void)fprintf(stderr, _("Not a GUID: %s\n"), guid);
        return -EINVAL;
    }
    guid_to_job_name(guid, name);
    (void)snprintf(path, sizeof(path), "%s/%s", JOBSDIR, name);
    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0)
        return fd;
    if (errno == ENOENT)
        (void)fprintf(stderr, _("There is no output of %s: it did not run, or is forgotten.\n"),
                      guid);
    else if (errno == EACCES)
        (void)fprintf(stderr, _("Permission denied. Try it as root.\n"));
    else
        (void)fprintf(stderr, _("The output cannot be read: %s\n"), strerror(errno));
    return -errno;
}

static int copy_stream(int dir_fd, const char *name, const OutputSummary *summary, FILE *to) {
    _cleanup_free_ char *text = NULL;
    size_t size = 0;
    int r;

    r = job_output_read(dir_fd, name, summary, &text, &size);
    if (r == -ENOENT)
        return 0;
    if (r < 0) {
        (void)fprintf(stderr, _("The output cannot be read: %s\n"), strerror(-r));
        return r;
    }
    (void)fwrite(text, 1, size, to);
    if (fflush(to) == 0)
        return 0;
    r = -errno;
    (void)fprintf(stderr, _("The output cannot be written: %s\n"), strerror(-r));
    return r;
}

/* Of a job that runs, what there is of its beginning. */
int verb_output(const Context *c, int argc, char *argv[]) {
    _cleanup_close_ int dir_fd = open_job(argv[0]);
    _cleanup_free_ char *text = NULL;
    ExitRecord record;
    bool has_ended;
    size_t size;
    int r;

    if (dir_fd < 0)
        return dir_fd;
    has_ended = read_file_at(dir_fd, "exit", EXIT_RECORD_MAX, &text, &size) >= 0 &&
                exit_record_parse(text, size, &record) >= 0;
    r = copy_stream(dir_fd, "stdout", has_ended ? &record.out : NULL, stdout);
    return r < 0 ? r : copy_stream(dir_fd, "stderr", has_ended ? &record.err : NULL, stderr);
}
