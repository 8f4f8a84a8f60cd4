/* SPDX-License-Identifier: Apache-2.0 */
/* dcm-agentctl output: from the executor's directory, so that it works without the agent. What a
 * piece of it has of its last character, if that is not whole, waits for the next piece. */
#include <dirent.h>
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
#define FOLLOW_USEC ((useconds_t)250 * 1000) /* between two looks at what is new */

static void close_directory(DIR **d) {
    if (*d)
        (void)closedir(*d);
}

/* Of a job, whose name is its GUID where that is plain (basic/guid.h); the one that begins with
 * `text`, if there is just one. -ENOTUNIQ: there are more. */
static int find_name(const char *text, char ret[static JOB_NAME_SIZE]) {
    _cleanup_(close_directory) DIR *d = NULL;
    const struct dirent *entry;
    unsigned n = 0;

    guid_to_job_name(text, ret);
    d = opendir(JOBSDIR);
    if (!d)
        return errno == ENOENT ? 0 : -errno;
    while ((entry = readdir(d))) {
        if (streq(entry->d_name, ret))
            return 0;
        n += strncmp(entry->d_name, text, strlen(text)) == 0 && entry->d_name[0] != '.';
    }
    if (n != 1)
        return n > 1 ? -ENOTUNIQ : 0;
    rewinddir(d);
    while ((entry = readdir(d)))
        if (strncmp(entry->d_name, text, strlen(text)) == 0 &&
            strlen(entry->d_name) < JOB_NAME_SIZE)
            (void)stpcpy(ret, entry->d_name);
    return 0;
}

static int report_open(const char *guid, int error) {
    if (error == -ENOENT)
        terminal_printf(
            stderr,
            _("There is no output of %s: the job did not run, or its output was removed.\n"), guid);
    else if (error == -ENOTUNIQ)
        terminal_printf(stderr, _("Several jobs begin with %s; give more of the GUID\n"), guid);
    else if (error == -EACCES)
        (void)fprintf(stderr, _("Permission denied. Try it as root.\n"));
    else
        (void)fprintf(stderr, _("The output cannot be read: %s\n"), strerror(-error));
    return error;
}

static int open_job(const char *guid) {
    char path[sizeof(JOBSDIR) + JOB_NAME_SIZE + 1], name[JOB_NAME_SIZE];
    int fd, r;

    if (!guid_is_valid(guid)) {
        terminal_printf(stderr, _("Not a GUID: %s\n"), guid);
        return -EINVAL;
    }
    r = find_name(guid, name);
    if (r < 0)
        return report_open(guid, r);
    (void)snprintf(path, sizeof(path), "%s/%s", JOBSDIR, name);
    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd >= 0 ? fd : report_open(guid, -errno);
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

typedef struct Stream {
    const char *name;
    FILE *to;
    uint64_t reached; /* what was read of it */
    char buf[PIECE_SIZE];
    size_t kept; /* the beginning of a character, at the start of `buf` */
    bool done;
} Stream;

/* All there is, in pieces: it may be large. */
static int write_stream(Stream *s, const JobOutput *o) {
    uint64_t at;
    size_t size;
    ssize_t n;

    while ((n = job_output_read_at(o, s->reached, s->buf + s->kept, sizeof(s->buf) - s->kept,
                                   &at)) > 0) {
        if (at > s->reached) {
            terminal_pass(s->to, s->buf, s->kept);
            put_gap(o, at - s->reached, s->to);
            memmove(s->buf, s->buf + s->kept, (size_t)n);
            s->kept = 0;
        }
        size = utf8_whole(s->buf, s->kept + (size_t)n);
        terminal_pass(s->to, s->buf, size);
        if (ferror(s->to))
            return report_write();
        s->kept += (size_t)n - size;
        memmove(s->buf, s->buf + size, s->kept);
        s->reached = at + (uint64_t)n;
    }
    if (n < 0) {
        (void)fprintf(stderr, _("The output cannot be read: %s\n"), strerror((int)-n));
        return (int)n;
    }
    return fflush(s->to) == 0 ? 0 : report_write();
}

static int end_stream(Stream *s, const JobOutput *o) {
    terminal_pass(s->to, s->buf, s->kept);
    if (o->has_ended && o->summary.total_bytes > s->reached)
        put_gap(o, o->summary.total_bytes - s->reached, s->to);
    return fflush(s->to) == 0 ? 0 : report_write();
}

/* What there is by now; all, if the job has ended or is not followed. */
static int copy_stream(int dir_fd, Stream *s, bool follow) {
    _cleanup_(job_output_done) JobOutput o = JOB_OUTPUT_INIT;
    int r;

    r = job_output_open(dir_fd, s->name, NULL, &o);
    if (r == -ENOENT && follow && faccessat(dir_fd, "exit", F_OK, 0) < 0)
        return 0; /* not begun */
    if (r == -ENOENT)
        (void)fprintf(stderr, _("The output of that job is no longer kept.\n"));
    else if (r < 0)
        (void)fprintf(stderr, _("The output cannot be read: %s\n"), strerror(-r));
    if (r < 0)
        return r;
    s->done = !follow || o.has_ended;
    TRY(write_stream(s, &o));
    return s->done ? end_stream(s, &o) : 0;
}

int verb_output(const Context *c, int argc, char *argv[]) {
    static Stream out = {.name = "stdout"}, err = {.name = "stderr"};
    _cleanup_close_ int dir_fd = open_job(argv[0]);

    if (dir_fd < 0)
        return dir_fd;
    out.to = stdout;
    err.to = stderr;
    for (;;) {
        TRY(out.done ? 0 : copy_stream(dir_fd, &out, c->follow));
        TRY(err.done ? 0 : copy_stream(dir_fd, &err, c->follow));
        if (out.done && err.done)
            return 0;
        (void)usleep(FOLLOW_USEC);
    }
}
