/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-backup/work.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/bounds.h"
#include "basic/fd-util.h"
#include "basic/log.h"
#include "basic/strv.h"
#include "basic/time-util.h"
#include "site/storage.h"

/* /var/tmp is on a disk, and large; in a job it is the job's own, and goes with it */
#define DIRECTORY_TEMPLATE "/var/tmp/dcm-backup-XXXXXX"
#define TIME_USEC (23 * 3600 * USEC_PER_SEC) /* less than the job has */

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

int work_fail_pipeline(Work *w, const Pipeline *p) {
    return work_fail(w, "failed", "%s", pipeline_error(p));
}

/* --- files of the run --------------------------------------------------------------------------
 */

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw) {
    return remove(path);
}

static void remove_directory(char *path) {
    if (path && nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS) < 0 && errno != ENOENT)
        log_warning_errno(errno, "%s cannot be removed: %m", path);
    free(path);
}

int work_make_directory(Work *w) {
    char path[] = DIRECTORY_TEMPLATE;

    if (w->directory)
        return 0;
    if (!mkdtemp(path))
        return work_fail(w, "no-space-here", "A directory in /var/tmp cannot be made: %m");
    w->directory = strdup(path);
    if (w->directory)
        return 0;
    (void)rmdir(path);
    return -ENOMEM;
}

int work_path(Work *w, const char *name, char **ret) {
    TRY(work_make_directory(w));
    return asprintf(ret, "%s/%s", w->directory, name) < 0 ? -ENOMEM : 0;
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
    remove_directory(w->directory);
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

/* The kernel drops it with this process. The file stays: who removed it would let two others lock
 * two files of the same name. */
int work_lock(Work *w) {
    const char *id = w->series.id ?: "other";
    _cleanup_free_ char *path = NULL;

    if (mkdir(BACKUP_RUN_DIRECTORY, 0755) < 0 && errno != EEXIST)
        return work_fail(w, "failed", "%s cannot be made: %m", BACKUP_RUN_DIRECTORY);
    if (asprintf(&path, BACKUP_RUN_DIRECTORY "/%s.lock", id) < 0)
        return -ENOMEM;
    w->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (w->lock_fd < 0)
        return work_fail(w, "failed", "%s cannot be opened: %m", path);
    if (flock(w->lock_fd, LOCK_EX | LOCK_NB) < 0)
        return work_fail(w, "busy",
                         "Another backup or restore of %s is running; try again when it has ended",
                         id);
    return 0;
}

/* --- programs ----------------------------------------------------------------------------------
 */

static int run(Work *w, Pipeline *p, const char *const *argv, char **ret_output) {
    const Stage stage = {.name = argv[0], .argv = argv};
    const int i = pipeline_add(p, &stage);
    int r;

    TRY(i);
    r = pipeline_run(p);
    if (r < 0 && (pipeline_status(p, i) <= 0 || pipeline_status(p, i) == PROCESS_CANNOT_RUN))
        return r;
    if (ret_output && r >= 0) {
        *ret_output = strdup(pipeline_output(p, i, NULL));
        if (!*ret_output)
            return -ENOMEM;
    }
    return pipeline_status(p, i);
}

int work_try_tool(Work *w, const char *const *argv, char **ret_output) {
    _cleanup_(pipeline_freep) Pipeline *p = pipeline_new(w->deadline_usec);

    return p ? run(w, p, argv, ret_output) : -ENOMEM;
}

int work_tool(Work *w, const char *const *argv, char **ret_output) {
    _cleanup_(pipeline_freep) Pipeline *p = pipeline_new(w->deadline_usec);
    int r;

    if (!p)
        return -ENOMEM;
    r = run(w, p, argv, ret_output);
    return r == 0 ? 0 : work_fail_pipeline(w, p);
}
