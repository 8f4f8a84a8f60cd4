/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-executord/job-dir.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/bounds.h"
#include "basic/file-util.h"
#include "basic/time-util.h"

#define DIR_MODE 0750
#define SCRIPT_MODE 0755
#define OUTPUT_MODE 0640 /* dcm-agent only reads */
#define PIPE_MODE 0642   /* the job's user counts as others, and only writes */
#define NOTE_MODE 0640
#define COPY_SIZE ((size_t)64 * 1024)

static const char *const file_names[] = {"script", "pre",      "post", "stdout", "stderr",   "exit",
                                         "log",    "log-pipe", "keep", "finish", "cancelled"};

static const char *const script_names[_JOB_SCRIPT_MAX] = {
    [JOB_SCRIPT_ITSELF] = "script", [JOB_SCRIPT_PRE] = "pre", [JOB_SCRIPT_POST] = "post"};

void job_dir_done(JobDir *d) {
    d->dir_fd = safe_close(d->dir_fd);
    d->out_fd = safe_close(d->out_fd);
    d->err_fd = safe_close(d->err_fd);
    job_files_done(&d->files);
}

/* The umask of the process is 0 (main.c), so a file has its final mode from the beginning. */
static int make_file(int dir_fd, const char *name, mode_t mode) {
    int fd = openat(dir_fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);

    return fd < 0 ? -errno : fd;
}

static int copy_script(int to_fd, int from_fd, uint64_t size) {
    static char buf[COPY_SIZE];

    for (uint64_t done = 0; done < size;) {
        ssize_t n = pread(from_fd, buf, MIN(size - done, sizeof(buf)), (off_t)done);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return -EBADMSG;
        TRY(write_full(to_fd, buf, (size_t)n));
        done += (uint64_t)n;
    }
    return fdatasync(to_fd) < 0 ? -errno
                                : 0; /* complete, if the start is resumed after a power loss */
}

/* Reserves blocks now, so that the record can be written even when the disk is full. */
static int reserve_exit_file(int fd) {
    if (fd < 0)
        return fd;
    if (fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, EXIT_RECORD_MAX) < 0 && errno != EOPNOTSUPP)
        return -errno;
    return 0;
}

/* dcm-run opens the FIFO for both directions: so no writer blocks, and the FIFO has no end. */
static int open_pipe(int dir_fd) {
    int fd = openat(dir_fd, "log-pipe", O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);

    return fd < 0 ? -errno : fd;
}

static int make_pipe(int dir_fd) {
    return mkfifoat(dir_fd, "log-pipe", PIPE_MODE) < 0 ? -errno : open_pipe(dir_fd);
}

static int make_output(JobDir *d) {
    d->out_fd = make_file(d->dir_fd, "stdout", OUTPUT_MODE);
    if (d->out_fd < 0)
        return d->out_fd;
    d->err_fd = make_file(d->dir_fd, "stderr", OUTPUT_MODE);
    if (d->err_fd < 0)
        return d->err_fd;
    d->files.log_fd = make_file(d->dir_fd, "log", OUTPUT_MODE);
    if (d->files.log_fd < 0)
        return d->files.log_fd;
    d->files.pipe_fd = make_pipe(d->dir_fd);
    return MIN(d->files.pipe_fd, 0);
}

static int make_script(const JobDir *d, const char *name, const JobScript *s) {
    _cleanup_close_ int copy_fd = -1;

    if (s->fd < 0)
        return 0;
    copy_fd = make_file(d->dir_fd, name, SCRIPT_MODE);
    return copy_fd < 0 ? copy_fd : copy_script(copy_fd, s->fd, s->size);
}

static int make_files(JobDir *d, const JobScripts *scripts) {
    int r = 0;

    for (JobScriptKind k = 0; k < _JOB_SCRIPT_MAX && r >= 0; k++)
        r = make_script(d, script_names[k], &scripts->of[k]);
    if (r >= 0)
        r = make_output(d);
    if (r < 0)
        return r;
    /* the last file: if it exists, all others do */
    d->files.record_fd = make_file(d->dir_fd, "exit", OUTPUT_MODE);
    return reserve_exit_file(d->files.record_fd);
}

int job_dir_remove(const JobDir *d, int error) {
    for (size_t i = 0; d->dir_fd >= 0 && i < ELEMENTSOF(file_names); i++)
        if (unlinkat(d->dir_fd, file_names[i], 0) < 0 && errno != ENOENT)
            return -ENOTRECOVERABLE;
    if (unlinkat(d->parent_fd, d->name, AT_REMOVEDIR) < 0 || fsync_directory(d->parent_fd) < 0)
        return -ENOTRECOVERABLE;
    return error;
}

static int open_dir(JobDir *d) {
    d->dir_fd = openat(d->parent_fd, d->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    return d->dir_fd < 0 ? -errno : 0;
}

static int fill(JobDir *d, const JobScripts *scripts) {
    int r;

    TRY(open_dir(d));
    r = make_files(d, scripts);
    if (r < 0)
        return r;
    /* otherwise a durable record could be in a directory entry that is not */
    r = fsync_directory(d->dir_fd);
    if (r < 0)
        return r;
    return fsync_directory(d->parent_fd);
}

int job_dir_make(int parent_fd, const char *guid, const JobScripts *scripts, JobDir *ret) {
    _cleanup_(job_dir_done) JobDir d = JOB_DIR_INIT;
    int r;

    d.parent_fd = parent_fd;
    guid_to_job_name(guid, d.name);
    if (mkdirat(parent_fd, d.name, DIR_MODE) < 0)
        return -errno;
    r = fill(&d, scripts);
    if (r < 0)
        return job_dir_remove(&d, r);
    *ret = d;
    d = JOB_DIR_INIT;
    return 0;
}

/* -EEXIST: the directory has a different script; or none, because the job has ended
 * (job_dir_drop_script). */
static int compare_script(const JobDir *d, int script_fd, uint64_t size) {
    _cleanup_free_ char *ours = NULL, *theirs = malloc(size + 1);
    size_t n;
    int r;

    if (!theirs)
        return -ENOMEM;
    r = read_file_at(d->dir_fd, "script", SCRIPT_SIZE_MAX, &ours, &n);
    if (r < 0)
        return r == -ENOENT ? -EEXIST : r;
    if (pread(script_fd, theirs, size, 0) != (ssize_t)size)
        return -EBADMSG;
    return n == size && memcmp(ours, theirs, size) == 0 ? 0 : -EEXIST;
}

/* -EEXIST: none, because the job has ended. */
static int find_script(const JobDir *d) {
    if (faccessat(d->dir_fd, "script", F_OK, AT_SYMLINK_NOFOLLOW) >= 0)
        return 0;
    return errno == ENOENT ? -EEXIST : -errno;
}

/* Does nothing if dcm-run has locked the file: then the script has run. */
static int refuse_cancelled(const JobDir *d) {
    _cleanup_close_ int fd = -1;
    struct stat st;

    fd = openat(d->dir_fd, "exit", O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return -errno;
    if (flock(fd, LOCK_EX | LOCK_NB) < 0)
        return errno == EWOULDBLOCK ? -EEXIST : -errno;
    if (fstat(fd, &st) < 0)
        return -errno;
    TRY(st.st_size > 0 ? 0 : job_dir_write_start_failure(d, ECANCELED));
    return -EEXIST;
}

static int open_file(const JobDir *d, const char *name, int *ret) {
    *ret = openat(d->dir_fd, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    return *ret < 0 ? -errno : 0;
}

/* A directory by an older version has no FIFO, and two files that the job could have written to. */
static int take_over(JobDir *d) {
    d->files.pipe_fd = make_pipe(d->dir_fd);
    if (d->files.pipe_fd == -EEXIST)
        d->files.pipe_fd = open_pipe(d->dir_fd);
    if (d->files.pipe_fd < 0)
        return d->files.pipe_fd;
    return fchmod(d->files.record_fd, OUTPUT_MODE) < 0 || fchmod(d->files.log_fd, OUTPUT_MODE) < 0
               ? -errno
               : 0;
}

static int complete(JobDir *d) {
    TRY(open_file(d, "stdout", &d->out_fd));
    TRY(open_file(d, "stderr", &d->err_fd));
    TRY(open_file(d, "log", &d->files.log_fd));
    TRY(open_file(d, "exit", &d->files.record_fd));
    TRY(take_over(d));
    TRY(reserve_exit_file(d->files.record_fd));
    TRY(fsync_directory(d->dir_fd));
    return fsync_directory(d->parent_fd);
}

/* No unit can have been started with an incomplete directory. */
static int make_again(JobDir *d, const char *guid, const JobScripts *scripts, bool cancelled) {
    int parent_fd = d->parent_fd, r;

    r = job_dir_remove(d, 0);
    job_dir_done(d);
    if (r >= 0)
        r = job_dir_make(parent_fd, guid, scripts, d);
    return r >= 0 && cancelled ? refuse_cancelled(d) : r;
}

int job_dir_resume(int parent_fd, const char *guid, const JobScripts *scripts, bool same_script,
                   JobDir *ret) {
    const JobScript *script = &scripts->of[JOB_SCRIPT_ITSELF];
    _cleanup_(job_dir_done) JobDir d = JOB_DIR_INIT;
    bool cancelled;
    struct stat st;
    int r;

    r = job_dir_open(parent_fd, guid, &d);
    if (r < 0)
        return r;
    cancelled = faccessat(d.dir_fd, "cancelled", F_OK, 0) >= 0;
    if (fstatat(d.dir_fd, "exit", &st, AT_SYMLINK_NOFOLLOW) < 0)
        r = errno == ENOENT && script->fd >= 0 ? make_again(&d, guid, scripts, cancelled) : -errno;
    else if (st.st_size > 0)
        r = -EEXIST;
    else if (cancelled)
        r = refuse_cancelled(&d);
    else {
        r = same_script ? compare_script(&d, script->fd, script->size) : find_script(&d);
        if (r >= 0)
            r = complete(&d);
    }
    if (r < 0)
        return r;
    *ret = d;
    d = JOB_DIR_INIT;
    return 0;
}

int job_dir_open(int parent_fd, const char *guid, JobDir *ret) {
    char name[JOB_NAME_SIZE];

    guid_to_job_name(guid, name);
    return job_dir_open_named(parent_fd, name, ret);
}

int job_dir_open_named(int parent_fd, const char *name, JobDir *ret) {
    JobDir d = JOB_DIR_INIT;

    d.parent_fd = parent_fd;
    (void)snprintf(d.name, sizeof(d.name), "%s", name);
    TRY(open_dir(&d));
    *ret = d;
    return 0;
}

void job_dir_drop_script(const JobDir *d) {
    for (JobScriptKind k = 0; k < _JOB_SCRIPT_MAX; k++)
        (void)unlinkat(d->dir_fd, script_names[k], 0);
}

bool job_dir_has_script(const JobDir *d, JobScriptKind kind) {
    return faccessat(d->dir_fd, script_names[kind], F_OK, AT_SYMLINK_NOFOLLOW) >= 0;
}

int job_dir_drop_output(const JobDir *d) {
    static const char *const names[] = {"script", "pre",    "post",   "log",   "log-pipe",
                                        "keep",   "finish", "stderr", "stdout"};

    if (faccessat(d->dir_fd, "exit", F_OK, AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    for (size_t i = 0; i < ELEMENTSOF(names); i++)
        if (unlinkat(d->dir_fd, names[i], 0) < 0 && errno != ENOENT)
            return -errno;
    return fsync_directory(d->dir_fd);
}

int job_dir_write_start_failure(const JobDir *d, int error) {
    ExitRecord record = {.kind = EXIT_KIND_START_FAILED, .status = error ?: EIO};
    _cleanup_free_ char *text = NULL;
    _cleanup_close_ int fd = -1;

    record.started_usec = record.ended_usec = now_usec(CLOCK_REALTIME);
    sha256_hex("", 0, record.out.sha256);
    sha256_hex("", 0, record.err.sha256);
    TRY(exit_record_render(&record, &text));
    fd = openat(d->dir_fd, "exit", O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return -errno;
    TRY(write_full(fd, text, strlen(text)));
    return fsync(fd) < 0 ? -errno : 0;
}

bool job_dir_has_ended(const JobDir *d) {
    _cleanup_free_ char *text = NULL;
    ExitRecord record;
    size_t size;

    return read_file_at(d->dir_fd, "exit", EXIT_RECORD_MAX, &text, &size) >= 0 &&
           exit_record_parse(text, size, &record) >= 0;
}

static int note(const JobDir *d, const char *name) {
    _cleanup_close_ int fd = make_file(d->dir_fd, name, NOTE_MODE);

    return fd < 0 && fd != -EEXIST ? fd : 0;
}

static bool is_noted(const JobDir *d, const char *name) {
    return faccessat(d->dir_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) >= 0;
}

int job_dir_note_keep(const JobDir *d) {
    return note(d, "keep");
}

bool job_dir_keeps(const JobDir *d) {
    return is_noted(d, "keep");
}

int job_dir_note_finish(const JobDir *d) {
    return note(d, "finish");
}

bool job_dir_finishes(const JobDir *d) {
    return is_noted(d, "finish");
}

int job_dir_note_cancel(const JobDir *d) {
    _cleanup_close_ int fd = -1;

    if (job_dir_has_ended(d))
        return 0;
    fd = make_file(d->dir_fd, "cancelled", NOTE_MODE);
    if (fd < 0 && fd != -EEXIST)
        return fd;
    return fsync_directory(d->dir_fd);
}
