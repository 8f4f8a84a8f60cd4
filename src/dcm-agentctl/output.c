/* SPDX-License-Identifier: Apache-2.0 */
/* dcm-agentctl output: reads the executor's directory, so that it works without the agent. An
 * incomplete character at the end of a piece is printed with the next piece. */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "basic/fd-util.h"
#include "basic/guid.h"
#include "basic/i18n.h"
#include "basic/job-output.h"
#include "basic/utf8.h"
#include "dcm-agentctl/verbs.h"

#define PIECE_SIZE ((size_t)256 * 1024)

static int open_job(const char *guid) {
    char path[sizeof(JOBSDIR) + JOB_NAME_SIZE + 1], name[JOB_NAME_SIZE];
    int fd;

    if (!guid_is_valid(guid)) {
        terminal_printf(stderr, _("Not a GUID: %s\n"), guid);
        return -EINVAL;
    }
    guid_to_job_name(guid, name);
    (void)snprintf(path, sizeof(path), "%s/%s", JOBSDIR, name);
    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0)
        return fd;
    if (errno == ENOENT)
        terminal_printf(
            stderr,
            _("There is no output of %s: the job did not run, or its output was removed.\n"), guid);
    else if (errno == EACCES)
        (void)fprintf(stderr, _("Permission denied. Try it as root.\n"));
    else
        (void)fprintf(stderr, _("The output cannot be read: %s\n"), strerror(errno));
    return -errno;
}

static int report_write(void) {
    int r = -errno;

    (void)fprintf(stderr, _("The output cannot be written: %s\n"), strerror(-r));
    return r;
}

static void put_gap(const JobOutput *o, uint64_t bytes, FILE *to) {
    char gap[JOB_OUTPUT_GAP_SIZE];

    job_output_gap(o, bytes, gap);
    terminal_pass(to, gap, strlen(gap));
}

/* Copies in pieces, because the stream may be large. */
static int write_stream(const JobOutput *o, FILE *to) {
    static char buf[PIECE_SIZE];
    uint64_t reached = 0, at;
    size_t kept = 0, size;
    ssize_t n;

    while ((n = job_output_read_at(o, reached, buf + kept, sizeof(buf) - kept, &at)) > 0) {
        if (at > reached) {
            terminal_pass(to, buf, kept);
            put_gap(o, at - reached, to);
            memmove(buf, buf + kept, (size_t)n);
            kept = 0;
        }
        size = utf8_whole(buf, kept + (size_t)n);
        terminal_pass(to, buf, size);
        if (ferror(to))
            return report_write();
        kept += (size_t)n - size;
        memmove(buf, buf + size, kept);
        reached = at + (uint64_t)n;
    }
    terminal_pass(to, buf, kept);
    if (n < 0) {
        (void)fprintf(stderr, _("The output cannot be read: %s\n"), strerror((int)-n));
        return (int)n;
    }
    if (o->has_ended && o->summary.total_bytes > reached)
        put_gap(o, o->summary.total_bytes - reached, to);
    return fflush(to) == 0 ? 0 : report_write();
}

static int copy_stream(int dir_fd, const char *name, FILE *to) {
    _cleanup_(job_output_done) JobOutput o = JOB_OUTPUT_INIT;
    int r;

    r = job_output_open(dir_fd, name, NULL, &o);
    if (r >= 0)
        return write_stream(&o, to);
    if (r == -ENOENT)
        (void)fprintf(stderr, _("The output of that job is no longer kept.\n"));
    else
        (void)fprintf(stderr, _("The output cannot be read: %s\n"), strerror(-r));
    return r;
}

/* For a running job prints what exists so far. */
int verb_output(const Context *c, int argc, char *argv[]) {
    _cleanup_close_ int dir_fd = open_job(argv[0]);

    if (dir_fd < 0)
        return dir_fd;
    TRY(copy_stream(dir_fd, "stdout", stdout));
    return copy_stream(dir_fd, "stderr", stderr);
}
