/* SPDX-License-Identifier: Apache-2.0 */
/* What is read becomes a file of this run, or a stream; a stream needs no space here. A file it is
 * where a hook writes one, where the storage must know the size beforehand, and where what is
 * locked should not wait for the storage. */
#include "dcm-backup/backup.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/bounds.h"
#include "basic/fd-util.h"
#include "basic/strv.h"
#include "basic/time-util.h"
#include "dcm-backup/archive.h"
#include "dcm-backup/begun.h"
#include "dcm-backup/catalogue.h"
#include "dcm-backup/guard.h"
#include "dcm-backup/hook.h"
#include "dcm-backup/object.h"
#include "dcm-backup/places.h"
#include "dcm-backup/retain.h"
#include "dcm-backup/safe-path.h"
#include "dcm-backup/schedules.h"
#include "dcm-backup/send.h"
#include "dcm-backup/status.h"

#define HOOK_DATA_SOURCE "backupDataSource"
#define HOOK_SERVICE "backupService"

typedef struct Backup {
    Work *w;
    Record record;
    char name[CATALOGUE_NAME_SIZE]; /* of the record's file */
    Guard *guard;
    int file_fd;      /* what a hook, zip or spool() has made; -1: it is a stream of tar */
    Pipeline *stream; /* until it is sent */
    int tar_stage;
} Backup;

static void backup_done(Backup *b) {
    (void)pipeline_free(b->stream);
    record_done(&b->record);
    safe_close(b->file_fd);
}

/* --- the source --------------------------------------------------------------------------------
 */

static int take_file(Backup *b, const Hook *hook, const HandOver *files, const char *name) {
    const int r = hand_over_take_file(files, name, &b->file_fd);

    return r < 0 ? work_fail(b->w, "hook-failed",
                             "The hook %s/bin/enstratus-%s reports success, but has not written "
                             "the file %s/%s, or not as a plain file",
                             b->w->service, hook->name, files->path, name)
                 : 0;
}

/* As the Python agent did it, the name has .zip behind that of the object. */
static int choose_file(Backup *b, const HandOver *files, char **ret_name, char **ret_path) {
    if (asprintf(ret_name, "%s.zip", b->record.object) < 0) {
        *ret_name = NULL;
        return -ENOMEM;
    }
    return hand_over_path(files, *ret_name, ret_path);
}

static int read_data_source(Backup *b, const HandOver *files) {
    const BackupRequest *q = &b->w->request;
    _cleanup_free_ char *configuration = NULL, *name = NULL, *path = NULL;
    const char *arguments[] = {q->service_id, q->data_source, NULL, NULL, NULL};
    const Hook hook = {.name = HOOK_DATA_SOURCE,
                       .arguments = arguments,
                       .absent_status = 10,
                       .forbidden_status = 10};

    TRY(choose_file(b, files, &name, &path));
    TRY(hook_write_configuration(b->w, q->configuration, &configuration));
    arguments[2] = configuration;
    arguments[3] = path;
    TRY(hook_run(b->w, &hook, files));
    return take_file(b, &hook, files, name);
}

static int read_service(Backup *b, const HandOver *files) {
    _cleanup_free_ char *name = NULL, *path = NULL;
    const char *arguments[] = {b->w->request.service_id, NULL, NULL};
    const Hook hook = {.name = HOOK_SERVICE, .arguments = arguments, .forbidden_status = 10};

    TRY(choose_file(b, files, &name, &path));
    arguments[1] = path;
    TRY(hook_run(b->w, &hook, files));
    return take_file(b, &hook, files, name);
}

static int make_zip(Backup *b) {
    b->file_fd = work_open_temporary(b->w);
    TRY(b->file_fd);
    return archive_make_zip(b->w, b->guard, b->w->service, b->file_fd);
}

static int read_by_hook(Backup *b) {
    HandOver files = HAND_OVER_NONE;
    int r;

    if (b->w->request.command == BACKUP_BACKUP_SERVICE && !hook_is_there(b->w, HOOK_SERVICE))
        return make_zip(b);
    r = hand_over_begin(b->w, &files);
    if (r >= 0)
        r = b->w->request.command == BACKUP_BACKUP_DATA_SOURCE ? read_data_source(b, &files)
                                                               : read_service(b, &files);
    hand_over_done(&files);
    return r;
}

/* A service without a hook, unless it is to be a zip file; directories. */
static bool is_tar(const Work *w) {
    return w->request.command == BACKUP_BACKUP_PATHS ||
           (w->request.command == BACKUP_BACKUP_SERVICE &&
            w->request.compression != COMPRESSION_ZIP && !hook_is_there(w, HOOK_SERVICE));
}

/* tar's child looks again; here the reason has words. */
static int check_way(Work *w, const char *path) {
    SafePath safe;
    const int r = safe_open_path(path, &safe);

    if (r == -EXDEV)
        return work_fail_link(w, path);
    if (r < 0)
        return work_fail(w, "no-such-path", "%s cannot be backed up: %s", path, strerror(-r));
    safe_path_done(&safe);
    return 0;
}

static int check_path(Work *w, const char *path) {
    char to[PATH_MAX] = "";
    struct stat st;

    if (lstat(path, &st) < 0)
        return work_fail(w, "no-such-path", "%s cannot be backed up: %s", path, strerror(errno));
    if (!S_ISLNK(st.st_mode))
        return check_way(w, path);
    (void)!realpath(path, to);
    return work_fail(w, "bad-argument",
                     "%s is a symbolic link, and nothing else would be backed up: give what it "
                     "leads to, %s",
                     path, to);
}

static int check_paths(Work *w) {
    for (char *const *p = w->request.paths; p && *p; p++)
        TRY(check_path(w, *p));
    return 0;
}

/* The last moment at which a stream can be kept from becoming an object. */
static int check_guard(void *userdata) {
    const Backup *b = userdata;

    return guard_check(b->w, b->guard);
}

static int start_tar(Backup *b) {
    Work *w = b->w;
    const bool is_service = w->request.command == BACKUP_BACKUP_SERVICE;

    b->stream = pipeline_new(w->deadline_usec);
    if (!b->stream)
        return -ENOMEM;
    pipeline_set_check(b->stream, check_guard, b);
    b->tar_stage =
        archive_add_tar(b->stream, w, b->guard, is_service ? w->service : NULL, w->request.paths);
    return b->tar_stage < 0 ? work_fail_pipeline(w, b->stream) : 0;
}

/* --- to a file ---------------------------------------------------------------------------------
 */

static bool must_be_file(const Work *w) {
    for (size_t i = 0; i < w->n_targets; i++)
        if (w->targets[i].place.kind == PLACE_WEBDAV)
            return true;
    return w->request.consistency == CONSISTENCY_LOCK;
}

/* Ends the stream in a file. */
static int spool(Backup *b, Pipeline *p, int in_fd) {
    Work *w = b->w;
    _cleanup_close_ int fd = work_open_temporary(w);
    Progress progress;
    int r;

    TRY(fd);
    r = archive_add_filters(p, &w->request, in_fd);
    if (r >= 0)
        r = archive_add_copy(p, fd);
    if (r >= 0)
        r = send_count(p, &b->record, &progress);
    if (r >= 0)
        r = pipeline_run(p);
    if (r < 0)
        return r == -ENOMEM ? r : work_fail_pipeline(w, p);
    safe_close(b->file_fd);
    b->file_fd = TAKE_FD(fd);
    return 0;
}

/* --- the object --------------------------------------------------------------------------------
 */

static int note_changes(Backup *b) {
    if (pipeline_status(b->stream, b->tar_stage) == 0)
        return 0;
    return work_note(b->w, "Some files changed while they were read: %s",
                     pipeline_messages(b->stream, b->tar_stage));
}

static int add_filters(Backup *b, int in_fd) {
    const int r = archive_add_filters(b->stream, &b->w->request, in_fd);

    return r < 0 && r != -ENOMEM ? work_fail_pipeline(b->w, b->stream) : MIN(r, 0);
}

static int send_tar(Backup *b) {
    TRY(add_filters(b, -1));
    TRY(send_stream(b->w, b->stream, &b->record));
    return note_changes(b);
}

/* A file goes through the filters, if there are any. */
static int send_filtered(Backup *b) {
    Work *w = b->w;
    _cleanup_close_ int fd = TAKE_FD(b->file_fd);

    if (lseek(fd, 0, SEEK_SET) < 0)
        return work_fail(w, "failed", "What was read cannot be read again: %m");
    b->stream = pipeline_new(w->deadline_usec);
    if (!b->stream)
        return -ENOMEM;
    if (must_be_file(w)) {
        TRY(spool(b, b->stream, fd));
        return send_file(w, b->file_fd, PART_SENT, &b->record);
    }
    TRY(add_filters(b, fd));
    return send_stream(w, b->stream, &b->record);
}

/* What is read under the guard: all of a stream that goes to the storage, else the file. */
static int read_source(Backup *b) {
    Work *w = b->w;

    if (!is_tar(w))
        return read_by_hook(b);
    TRY(start_tar(b));
    if (!must_be_file(w))
        return send_tar(b);
    TRY(spool(b, b->stream, -1));
    return note_changes(b);
}

static int send_rest(Backup *b) {
    if (b->file_fd < 0) /* it is there already */
        return 0;
    if (is_tar(b->w))
        return send_file(b->w, b->file_fd, PART_SENT, &b->record);
    return archive_has_filters(&b->w->request)
               ? send_filtered(b)
               : send_file(b->w, b->file_fd, PROGRESS_ALL, &b->record);
}

static char *const *guarded_paths(Work *w, char *service[static 2]) {
    if (w->request.command == BACKUP_BACKUP_PATHS)
        return w->request.paths;
    service[0] = w->service;
    service[1] = NULL;
    return service;
}

/* Snapshots are seen by programs that are started here, not by hooks. */
static int check_consistency(Work *w) {
    if (w->request.consistency != CONSISTENCY_SNAPSHOT ||
        w->request.command != BACKUP_BACKUP_SERVICE || !hook_is_there(w, HOOK_SERVICE))
        return 0;
    return work_fail(
        w, "bad-argument",
        "consistency cannot be snapshot: the service has a hook bin/enstratus-" HOOK_SERVICE
        ", which does not see it");
}

static int make(Backup *b) {
    Work *w = b->w;
    const uint64_t deadline_usec = w->deadline_usec;
    char *service[2];
    int r, k;

    TRY(check_consistency(w));
    TRY(check_paths(w));
    TRY(guard_begin(w, guarded_paths(w, service), &b->guard));
    if (w->request.consistency == CONSISTENCY_LOCK) /* later the lock has ended */
        w->deadline_usec =
            MIN(deadline_usec, now_usec(CLOCK_BOOTTIME) + GUARD_LOCK_SEC_MAX * USEC_PER_SEC);
    r = read_source(b);
    w->deadline_usec = deadline_usec;
    k = guard_end(w, TAKE_PTR(b->guard));
    TRY(r);
    TRY(k);
    return send_rest(b);
}

/* --- the record --------------------------------------------------------------------------------
 */

static int copy_texts(char *const *from, char ***to) {
    size_t n = 0;

    for (char *const *s = from; s && *s; s++)
        TRY(strv_push(to, &n, strdup(*s)));
    return 0;
}

static int begin(Backup *b) {
    Work *w = b->w;
    Record *r = &b->record;

    r->begin_usec = now_usec(CLOCK_REALTIME);
    r->kind = w->series.kind;
    r->is_scheduled = w->is_scheduled;
    TRY(series_object(&w->series, r->begin_usec, &r->object));
    TRY(free_and_strdup(&r->series, w->series.id));
    TRY(free_and_strdup(&r->data_source, w->request.data_source));
    TRY(free_and_strdup(&r->compression, compression_names[w->request.compression]));
    TRY(copy_texts(w->request.recipients, &r->recipients));
    TRY(send_prepare(w, r));
    TRY(catalogue_add(r, b->name));
    if (w->is_scheduled)
        begun_mark();
    (void)status_write(); /* that it runs; it has logged why not */
    return 0;
}

static int finish(Backup *b, int r) {
    Record *record = &b->record;

    record->end_usec = MAX(now_usec(CLOCK_REALTIME), record->begin_usec);
    record->outcome = r < 0 || b->w->reply->error_message ? RECORD_FAILED : RECORD_COMPLETE;
    if (record->outcome == RECORD_FAILED)
        TRY(free_and_strdup(&record->error, b->w->reply->error_message ?: strerror(-r)));
    return catalogue_write(b->name, record);
}

/* Each copy that has been read back lets the old ones at its place go. */
static int retain(Backup *b) {
    for (size_t i = 0; i < b->w->n_targets; i++)
        if (b->record.copies[i].is_complete && b->record.copies[i].verified_usec > 0)
            TRY(retain_newest(b->w, &b->w->targets[i], b->record.object));
    return 0;
}

/* What uploads of this series have left that were killed a day ago or earlier. */
static int tidy_one(Work *w, const Target *t) {
    _cleanup_json_ struct json_object *o = NULL;
    _cleanup_free_ char *code = NULL, *text = NULL;
    int64_t n = 0;
    int r;

    r = object_call(w, t, (const char *const[]){"tidy", "--", w->series.prefix, NULL}, &o, &code,
                    &text);
    if (r < 0)
        return r == -EIO ? work_note(w, "What killed uploads have left cannot be removed: %s",
                                     strempty(text))
                         : r;
    (void)json_to_integer(json_get(o, "removed"), &n);
    return n > 0 ? work_note(w, "Removed what %lld killed uploads had left (%s copy)", (long long)n,
                             t->role)
                 : 0;
}

static int tidy(Backup *b) {
    for (size_t i = 0; i < b->w->n_targets; i++)
        if (b->record.copies[i].is_complete)
            TRY(tidy_one(b->w, &b->w->targets[i]));
    return 0;
}

static int note_copies(Backup *b) {
    for (size_t i = 0; i < b->w->n_targets; i++)
        if (b->record.copies[i].is_complete)
            TRY(work_note(b->w, "The %s copy is there all the same: %s", b->w->targets[i].role,
                          b->record.object));
    return 0;
}

/* The Python agent's replies of its commands were void. */
static int reply(Backup *b) {
    Reply *to = b->w->reply;

    if (to->error_message)
        return note_copies(b);
    TRY(work_note(b->w, "Backed up as %s (%llu bytes)", b->record.object,
                  (unsigned long long)b->record.size_bytes));
    if (b->w->request.command != BACKUP_BACKUP_PATHS)
        return 0;
    to->reply_type = "backup";
    return record_to_json(&b->record, &to->object);
}

/* A record that is not written lets the backup count as one that was killed. */
static int keep_record(Backup *b, int r) {
    const int k = finish(b, r);

    return k < 0 ? work_fail(b->w, "no-space-here",
                             "The record of %s cannot be written to " BACKUP_STATE_DIRECTORY ": %s",
                             b->record.object, strerror(-k))
                 : 0;
}

static int prepare(Backup *b) {
    int r;

    TRY(places_need(b->w));
    TRY(schedule_validate(b->w));
    TRY(work_lock(b->w));
    TRY(retain_check_series(b->w));
    r = begin(b);
    return r < 0 && r != -EIO
               ? work_fail(b->w, "no-space-here",
                           "A record cannot be written to " BACKUP_STATE_DIRECTORY ": %s",
                           strerror(-r))
               : r;
}

int backup_run(Work *w) {
    _cleanup_(backup_done) Backup b = {.w = w, .tar_stage = -1, .file_fd = -1};
    int r;

    TRY(prepare(&b));
    r = make(&b);
    if (keep_record(&b, r) < 0 && r >= 0)
        r = -EIO;
    if (w->reply->error_message && r >= 0)
        r = -EIO;
    TRY(reply(&b));
    (void)retain(&b); /* what fails there is told, and of no harm to the backup */
    (void)tidy(&b);   /* likewise */
    return r < 0 ? r : schedule_install(w);
}
