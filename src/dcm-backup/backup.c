/* SPDX-License-Identifier: Apache-2.0 */
/* What is read becomes a file of this run, or a stream; a stream needs no space here. A file it is
 * where a hook writes one, where the storage must know the size beforehand, and where what is
 * locked should not wait for the storage. */
#include "dcm-backup/backup.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/fd-util.h"
#include "basic/strv.h"
#include "basic/time-util.h"
#include "dcm-backup/archive.h"
#include "dcm-backup/catalogue.h"
#include "dcm-backup/guard.h"
#include "dcm-backup/hook.h"
#include "dcm-backup/places.h"
#include "dcm-backup/retain.h"
#include "dcm-backup/schedules.h"
#include "dcm-backup/send.h"
#include "dcm-backup/status.h"

#define HOOK_DATA_SOURCE "enstratus-backupDataSource"
#define HOOK_SERVICE "enstratus-backupService"

typedef struct Backup {
    Work *w;
    Record record;
    char name[CATALOGUE_NAME_SIZE]; /* of the record's file */
    Guard *guard;
    char *file;       /* what a hook, or zip, has made; NULL: it is a stream of tar */
    Pipeline *stream; /* until it is sent */
    int tar_stage;
} Backup;

static void backup_done(Backup *b) {
    (void)pipeline_free(b->stream);
    record_done(&b->record);
    free(b->file);
}

/* --- the source --------------------------------------------------------------------------------
 */

static int check_file(Work *w, const char *hook, const char *file) {
    struct stat st;

    if (lstat(file, &st) < 0 || !S_ISREG(st.st_mode))
        return work_fail(w, "hook-failed",
                         "The hook %s/bin/%s reports success, but has not written the file %s",
                         w->service, hook, file);
    return 0;
}

static int read_data_source(Backup *b) {
    Work *w = b->w;
    const BackupRequest *q = &w->request;
    _cleanup_free_ char *configuration = NULL;

    TRY(hook_write_configuration(w, q->configuration, &configuration));
    TRY(hook_run(w, &(Hook){.name = HOOK_DATA_SOURCE,
                            .arguments = (const char *const[]){q->service_id, q->data_source,
                                                               configuration, b->file, NULL},
                            .absent_status = 10,
                            .forbidden_status = 10}));
    return check_file(w, HOOK_DATA_SOURCE, b->file);
}

static int read_service(Backup *b) {
    Work *w = b->w;

    if (!hook_is_there(w, HOOK_SERVICE))
        return archive_make_zip(w, w->service, b->file);
    TRY(hook_run(w,
                 &(Hook){.name = HOOK_SERVICE,
                         .arguments = (const char *const[]){w->request.service_id, b->file, NULL},
                         .forbidden_status = 10}));
    return check_file(w, HOOK_SERVICE, b->file);
}

/* A service without a hook, unless it is to be a zip file; directories. */
static bool is_tar(const Work *w) {
    return w->request.command == BACKUP_BACKUP_PATHS ||
           (w->request.command == BACKUP_BACKUP_SERVICE &&
            w->request.compression != COMPRESSION_ZIP && !hook_is_there(w, HOOK_SERVICE));
}

/* As the Python agent did it, the name has .zip behind that of the object. */
static int choose_file(Backup *b) {
    _cleanup_free_ char *name = NULL;

    if (asprintf(&name, "%s.zip", b->record.object) < 0) {
        name = NULL;
        return -ENOMEM;
    }
    return work_path(b->w, name, &b->file);
}

static int check_paths(Work *w) {
    struct stat st;

    for (char *const *p = w->request.paths; p && *p; p++)
        if (lstat(*p, &st) < 0)
            return work_fail(w, "no-such-path", "%s cannot be backed up: %s", *p, strerror(errno));
    return 0;
}

static int start_tar(Backup *b) {
    Work *w = b->w;
    const bool is_service = w->request.command == BACKUP_BACKUP_SERVICE;

    b->stream = pipeline_new(w->deadline_usec);
    if (!b->stream)
        return -ENOMEM;
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

static int open_new(Work *w, const char *path) {
    const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    return fd < 0 ? work_fail(w, "no-space-here", "%s cannot be made: %m", path) : fd;
}

/* Ends the stream in a file, which takes the place of b->file. */
static int spool(Backup *b, Pipeline *p, int in_fd) {
    Work *w = b->w;
    _cleanup_free_ char *path = NULL;
    _cleanup_close_ int fd = -1;
    int r;

    TRY(work_path(w, "object", &path));
    fd = open_new(w, path);
    TRY(fd);
    r = archive_has_filters(&w->request) ? archive_add_filters(p, &w->request, in_fd, fd)
                                         : archive_add_copy(p, fd);
    if (r >= 0)
        r = pipeline_run(p);
    if (r < 0)
        return r == -ENOMEM ? r : work_fail_pipeline(w, p);
    if (b->file)
        (void)unlink(b->file);
    free(b->file);
    b->file = TAKE_PTR(path);
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
    const int r = archive_add_filters(b->stream, &b->w->request, in_fd, -1);

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
    _cleanup_close_ int fd = open(b->file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

    if (fd < 0)
        return work_fail(w, "failed", "%s cannot be read: %m", b->file);
    b->stream = pipeline_new(w->deadline_usec);
    if (!b->stream)
        return -ENOMEM;
    if (must_be_file(w)) {
        TRY(spool(b, b->stream, fd));
        return send_file(w, b->file, &b->record);
    }
    TRY(add_filters(b, fd));
    return send_stream(w, b->stream, &b->record);
}

/* What is read under the guard: all of a stream that goes to the storage, else the file. */
static int read_source(Backup *b) {
    Work *w = b->w;

    if (!is_tar(w)) {
        TRY(choose_file(b));
        return w->request.command == BACKUP_BACKUP_DATA_SOURCE ? read_data_source(b)
                                                               : read_service(b);
    }
    TRY(check_paths(w));
    TRY(start_tar(b));
    if (!must_be_file(w))
        return send_tar(b);
    TRY(spool(b, b->stream, -1));
    return note_changes(b);
}

static int send_rest(Backup *b) {
    if (!b->file) /* it is there already */
        return 0;
    return archive_has_filters(&b->w->request) && !is_tar(b->w)
               ? send_filtered(b)
               : send_file(b->w, b->file, &b->record);
}

static char *const *guarded_paths(Work *w, char *service[static 2]) {
    if (w->request.command == BACKUP_BACKUP_PATHS)
        return w->request.paths;
    service[0] = w->service;
    service[1] = NULL;
    return service;
}

static int make(Backup *b) {
    char *service[2];
    int r, k;

    TRY(guard_begin(b->w, guarded_paths(b->w, service), &b->guard));
    r = read_source(b);
    k = guard_end(b->w, TAKE_PTR(b->guard));
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
    TRY(free_and_strdup(&r->compression, compression_names[w->request.compression]));
    TRY(copy_texts(w->request.recipients, &r->recipients));
    TRY(send_prepare(w, r));
    TRY(catalogue_name(r->begin_usec, b->name));
    TRY(catalogue_write(b->name, r));
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

/* The Python agent's replies of its commands were void. */
static int reply(Backup *b) {
    Reply *to = b->w->reply;

    TRY(work_note(b->w, "Backed up as %s (%llu bytes)", b->record.object,
                  (unsigned long long)b->record.size_bytes));
    if (b->w->request.command != BACKUP_BACKUP_PATHS)
        return 0;
    to->reply_type = "backup";
    return record_to_json(&b->record, &to->object);
}

int backup_run(Work *w) {
    _cleanup_(backup_done) Backup b = {.w = w, .tar_stage = -1};
    int r, k;

    TRY(places_need(w));
    TRY(schedule_validate(w));
    TRY(work_lock(w));
    TRY(begin(&b));
    r = make(&b);
    k = finish(&b, r);
    TRY(r);
    TRY(k);
    if (w->reply->error_message)
        return -EIO;
    TRY(retain(&b));
    TRY(schedule_install(w));
    return reply(&b);
}
