/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-backup/work.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/bounds.h"
#include "basic/fd-util.h"
#include "basic/log.h"
#include "basic/strv.h"
#include "basic/time-util.h"
#include "dcm-backup/lock-file.h"
#include "site/storage.h"

/* /var/tmp is on a disk, and large; in a job it is the job's own, and goes with it */
#define DIRECTORY "/var/tmp"
#define WAIT_USEC (2 * USEC_PER_SEC)                  /* for who only looks at a lock */
#define SCHEDULED_WAIT_USEC (6 * 3600 * USEC_PER_SEC) /* for another run of the same series */
#define TIME_USEC (23 * 3600 * USEC_PER_SEC)          /* less than the job has */

/* --- errors ------------------------------------------------------------------------------------
 */

static int _printf_(1, 0) format_list(const char *format, va_list list, char **ret) {
    if (vasprintf(ret, format, list) >= 0)
        return 0;
    *ret = NULL;
    return -ENOMEM;
}

int work_fail(Work *w, const char *code, const char *format, ...) {
    _cleanup_free_ char *text = NULL;
    va_list list;
    int r;

    if (w->reply->error_message)
        return -EIO;
    va_start(list, format);
    r = format_list(format, list, &text);
    va_end(list);
    TRY(r);
    TRY(reply_set_error(w->reply, REPLY_FAILED, code, text));
    return -EIO;
}

int work_join_failures(Work *w, char *earlier) {
    char *later = w->reply->error_message, *joined;

    if (!earlier || !later) {
        w->reply->error_message = later ?: earlier;
        return 0;
    }
    if (asprintf(&joined, "%s\n%s", earlier, later) < 0) {
        free(earlier);
        return -ENOMEM;
    }
    free(earlier);
    free(later);
    w->reply->error_message = joined;
    return 0;
}

int work_note(Work *w, const char *format, ...) {
    _cleanup_free_ char *text = NULL;
    va_list list;
    int r;

    va_start(list, format);
    r = format_list(format, list, &text);
    va_end(list);
    TRY(r);
    return reply_add_line(w->reply, text);
}

int work_fail_link(Work *w, const char *path) {
    return work_fail(w, "bad-argument",
                     "%s goes through a symbolic link that others than root can change: give "
                     "the path that it leads to",
                     path);
}

int work_fail_pipeline(Work *w, const Pipeline *p) {
    return work_fail(w, "failed", "%s", pipeline_error(p));
}

/* --- files of the run --------------------------------------------------------------------------
 */

int work_open_temporary(Work *w) {
    char path[] = DIRECTORY "/dcm-backup-XXXXXX";
    int fd = open(DIRECTORY, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

    if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR)) { /* not every file system can */
        fd = mkostemp(path, O_CLOEXEC);
        if (fd >= 0)
            (void)unlink(path);
    }
    return fd < 0 ? work_fail(w, "no-space-here", "A file in " DIRECTORY " cannot be made: %m")
                  : fd;
}

/* --- life --------------------------------------------------------------------------------------
 */

int work_find_service(Work *w) {
    struct stat st;

    TRY(storage_get_services_dir(&w->services));
    if (!w->request.service_id)
        return 0;
    if (asprintf(&w->service, "%s/%s", w->services, w->request.service_id) < 0) {
        w->service = NULL;
        return -ENOMEM;
    }
    if (w->request.command == BACKUP_RESTORE_SERVICE || w->request.command == BACKUP_LIST_BACKUPS ||
        w->request.command == BACKUP_VERIFY_BACKUP || w->request.command == BACKUP_REMOVE_FORMER)
        return 0;
    if (stat(w->service, &st) < 0 || !S_ISDIR(st.st_mode))
        return work_fail(w, "no-such-service", "There is no service %s: %s is not a directory",
                         w->request.service_id, w->service);
    return 0;
}

static int read_request(Work *w, BackupCommand command) {
    _cleanup_free_ char *problem = NULL;
    int r;

    r = backup_request_parse(command, w->arguments, &w->request, &problem);
    if (r == -EINVAL)
        return work_fail(w, "bad-argument", "%s", problem);
    TRY(r);
    r = backup_request_series(&w->request, &w->series);
    return r == -ENOENT ? 0 : r;
}

int work_init(Work *w, BackupCommand command, struct json_object *arguments, Reply *reply) {
    *w = (Work){.lock_fd = -1,
                .arguments = arguments,
                .reply = reply,
                .deadline_usec = now_usec(CLOCK_BOOTTIME) + TIME_USEC};
    return read_request(w, command);
}

void work_done(Work *w) {
    for (size_t i = 0; i < w->n_targets; i++) {
        place_done(&w->targets[i].place);
        safe_close(w->targets[i].place_fd);
    }
    backup_request_done(&w->request);
    series_done(&w->series);
    safe_close(w->lock_fd);
    free(w->services);
    free(w->service);
    *w = (Work){.lock_fd = -1};
}

/* --- the lock ----------------------------------------------------------------------------------
 */

int work_lock(Work *w) {
    const char *id = w->series.id ?: "other";
    const int r =
        lock_file_take(id, w->is_scheduled ? SCHEDULED_WAIT_USEC : WAIT_USEC, &w->lock_fd);

    if (r == -EBUSY)
        return work_fail(w, "busy",
                         "Another backup or restore of %s is running; try again when it has ended",
                         id);
    return r < 0 ? work_fail(w, "failed", "The lock of %s cannot be had: %s", id, strerror(-r)) : 0;
}

/* --- programs ----------------------------------------------------------------------------------
 */

static int run(Pipeline *p, const char *const *argv, int dir_fd, int *ret_stage) {
    const Stage stage = {.name = argv[0],
                         .argv = argv,
                         .directory = dir_fd >= 0 ? "/proc/self/fd/3" : NULL,
                         .fds = {dir_fd},
                         .n_fds = dir_fd >= 0};
    int i, r;

    i = pipeline_add(p, &stage);
    TRY(i);
    *ret_stage = i;
    r = pipeline_run(p);
    if (r < 0 && (pipeline_status(p, i) <= 0 || pipeline_status(p, i) == PROCESS_CANNOT_RUN))
        return r;
    return pipeline_status(p, i);
}

static int take_text(const char *text, char **ret) {
    char *copy = ret ? strdup(text) : NULL;

    if (ret && !copy)
        return -ENOMEM;
    if (ret)
        *ret = copy;
    return 0;
}

int work_try_tool(Work *w, const char *const *argv, char **ret_output) {
    _cleanup_(pipeline_freep) Pipeline *p = pipeline_new(w->deadline_usec);
    int stage = -1, r;

    if (!p)
        return -ENOMEM;
    r = run(p, argv, -1, &stage);
    if (r == 0)
        TRY(take_text(pipeline_output(p, stage, NULL), ret_output));
    return r;
}

int work_tool_status(Work *w, const char *const *argv, char **ret_messages) {
    _cleanup_(pipeline_freep) Pipeline *p = pipeline_new(w->deadline_usec);
    int stage = -1, r;

    if (!p)
        return -ENOMEM;
    r = run(p, argv, -1, &stage);
    TRY(take_text(r < 0 || stage < 0 ? pipeline_error(p) : pipeline_messages(p, stage),
                  ret_messages));
    return r;
}

int work_tool(Work *w, const char *const *argv, char **ret_output) {
    _cleanup_(pipeline_freep) Pipeline *p = pipeline_new(w->deadline_usec);
    int stage = -1, r;

    if (!p)
        return -ENOMEM;
    r = run(p, argv, -1, &stage);
    if (r != 0)
        return work_fail_pipeline(w, p);
    return take_text(pipeline_output(p, stage, NULL), ret_output);
}

int work_tool_at(Work *w, int dir_fd, const char *const *argv) {
    _cleanup_(pipeline_freep) Pipeline *p = pipeline_new(w->deadline_usec);
    int stage = -1;

    if (!p)
        return -ENOMEM;
    return run(p, argv, dir_fd, &stage) == 0 ? 0 : work_fail_pipeline(w, p);
}
