/* SPDX-License-Identifier: Apache-2.0 */
/* Nothing of an object is used before all of it has come, has the hash that it must have, and was
 * decrypted to its end. */
#include "dcm-backup/restore.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/fd-util.h"
#include "basic/memfd-util.h"
#include "basic/strv.h"
#include "dcm-backup/archive.h"
#include "dcm-backup/catalogue.h"
#include "dcm-backup/hook.h"
#include "dcm-backup/object.h"
#include "dcm-backup/places.h"
#include "dcm-backup/retain.h"
#include "dcm-backup/swap.h"

#define HOOK_INSTALL "enstratus-installds"

typedef struct Restore {
    Work *w;
    char *object, *sha256; /* sha256 is NULL: nobody knows it */
    int identity_fd;
} Restore;

static void restore_done(Restore *r) {
    free(r->object);
    free(r->sha256);
    safe_close(r->identity_fd);
}

/* --- which object ------------------------------------------------------------------------------
 */

static int find_newest(Restore *r) {
    Work *w = r->w;
    _cleanup_(strv_freep) char **names = NULL;
    _cleanup_free_ uint64_t *times = NULL;
    _cleanup_free_ char *text = NULL;
    size_t n = 0, best = 0;
    int k;

    k = retain_list(w, &w->targets[0], &names, &times, &n, &text);
    if (k == -EIO)
        return work_fail(w, "storage", "%s", strempty(text));
    TRY(k);
    if (n == 0)
        return work_fail(w, "no-such-object", "There is no backup of %s: no object %s...",
                         w->series.id, w->series.prefix);
    for (size_t i = 1; i < n; i++)
        if (times[i] > times[best])
            best = i;
    return free_and_strdup(&r->object, names[best]);
}

static int find_hash(Restore *r) {
    _cleanup_(catalogue_done) Catalogue c = {};
    const Record *record;

    TRY(catalogue_load(&c));
    record = catalogue_find(&c, r->object);
    return record ? free_and_strdup(&r->sha256, record->sha256) : 0;
}

static int prepare(Restore *r) {
    const BackupRequest *q = &r->w->request;

    TRY(places_need(r->w));
    TRY(work_lock(r->w));
    if (q->identity)
        TRY(memfd_new_sealed("dcm-backup-identity", q->identity, strlen(q->identity),
                             &r->identity_fd));
    TRY(q->object ? free_and_strdup(&r->object, q->object) : find_newest(r));
    return find_hash(r);
}

/* --- what it holds -----------------------------------------------------------------------------
 */

static int start_get(Restore *r, Pipeline **ret) {
    _cleanup_(pipeline_freep) Pipeline *p = pipeline_new(r->w->deadline_usec);
    int k;

    if (!p)
        return -ENOMEM;
    k = object_add_get(p, &r->w->targets[0], r->object, r->sha256);
    if (k < 0)
        return k == -ENOMEM ? k : work_fail_pipeline(r->w, p);
    *ret = TAKE_PTR(p);
    return 0;
}

static int finish(Restore *r, Pipeline *p, int k) {
    if (k >= 0)
        k = pipeline_run(p);
    return k < 0 && k != -ENOMEM ? object_fail_get(r->w, p) : k;
}

/* All that comes out of the pipeline, into a file of the run. */
static int copy_to_file(Restore *r, Pipeline *p, const char *name, char **ret_path) {
    _cleanup_free_ char *path = NULL;
    _cleanup_close_ int fd = -1;

    TRY(work_path(r->w, name, &path));
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return work_fail(r->w, "no-space-here", "%s cannot be made: %m", path);
    TRY(finish(r, p, archive_add_copy(p, fd)));
    if (fchmod(fd, 0750) < 0) /* the old script's mode */
        return work_fail(r->w, "failed", "%s cannot be changed: %m", path);
    *ret_path = TAKE_PTR(path);
    return 0;
}

/* --- to a hook ---------------------------------------------------------------------------------
 */

static const char *last_part(const char *object) {
    const char *slash = strrchr(object, '/');

    return slash ? slash + 1 : object;
}

/* An encrypted image of install_data_source without a key is the hook's affair, as it was. */
static int fetch_image(Restore *r, char **ret_path) {
    _cleanup_(pipeline_freep) Pipeline *p = NULL;
    _cleanup_free_ char *name = NULL;
    ContentType type;

    if (asprintf(&name, "image-%s", last_part(r->object)) < 0) {
        name = NULL;
        return -ENOMEM;
    }
    TRY(start_get(r, &p));
    if (r->w->request.command != BACKUP_INSTALL_DATA_SOURCE || r->identity_fd >= 0)
        TRY(archive_add_openers(p, r->w, r->identity_fd, OPEN_OURS, &type));
    return copy_to_file(r, p, name, ret_path);
}

int restore_data_source(Work *w) {
    _cleanup_(restore_done) Restore r = {.w = w, .identity_fd = -1};
    _cleanup_free_ char *configuration = NULL, *image = NULL;

    TRY(prepare(&r));
    TRY(hook_write_file(w, "installds.cfg", strempty(w->request.configuration), &configuration));
    TRY(fetch_image(&r, &image));
    TRY(hook_run(w, &(Hook){.name = HOOK_INSTALL,
                            .arguments = (const char *const[]){w->request.service_id, configuration,
                                                               image, NULL},
                            .forbidden_status = 22}));
    if (w->request.command == BACKUP_INSTALL_DATA_SOURCE)
        return 0;
    return work_note(w, "Restored %s", r.object);
}

/* --- to a directory ----------------------------------------------------------------------------
 */

/* A zip file has no entry for the directory itself. */
static int copy_owner(Work *w, const Swap *s) {
    struct stat st;

    if (lstat(s->live, &st) < 0 || !S_ISDIR(st.st_mode))
        return chmod(s->new, 0755) < 0 ? work_fail(w, "failed", "%s cannot be changed: %m", s->new)
                                       : 0;
    if (chown(s->new, st.st_uid, st.st_gid) < 0 || chmod(s->new, st.st_mode & 07777) < 0)
        return work_fail(w, "failed", "%s cannot be changed: %m", s->new);
    return 0;
}

/* unzip(1) reads its list of members at the file's end. */
static int unpack_zip(Restore *r, Pipeline *p, const Swap *s) {
    _cleanup_free_ char *path = NULL;

    TRY(copy_to_file(r, p, "archive.zip", &path));
    TRY(work_tool(r->w,
                  (const char *const[]){"unzip", "-q", "-X", "-K", "-o", path, "-d", s->new, NULL},
                  NULL));
    return copy_owner(r->w, s);
}

static int unpack(Restore *r, const Swap *s) {
    _cleanup_(pipeline_freep) Pipeline *p = NULL;
    ContentType type;

    TRY(start_get(r, &p));
    TRY(archive_add_openers(p, r->w, r->identity_fd, OPEN_ALL, &type));
    if (type == CONTENT_ZIP && !r->w->request.path)
        return unpack_zip(r, p, s);
    if (type != CONTENT_TAR)
        return work_fail(r->w, "damaged", "%s is not what can be restored: it holds %s", r->object,
                         type == CONTENT_ZIP ? "a zip file, which has no path"
                                             : "neither a tar archive nor a zip file");
    return finish(r, p, archive_add_untar(p, s->new, r->w->request.path));
}

static int source_of(Work *w, const Swap *s, char **ret) {
    const char *path = w->request.path;
    struct stat st;

    if (asprintf(ret, "%s%s%s", s->new, path && path[1] ? "/" : "",
                 path && path[1] ? last_part(path) : "") < 0) {
        *ret = NULL;
        return -ENOMEM;
    }
    return lstat(*ret, &st) < 0 ? work_fail(w, "no-such-path", "The backup does not have %s", path)
                                : 0;
}

static int restore(Restore *r, Swap *s) {
    _cleanup_free_ char *source = NULL, *former = NULL;

    TRY(unpack(r, s));
    TRY(source_of(r->w, s, &source));
    TRY(swap_commit(r->w, s, source, &former));
    TRY(work_note(r->w, "Restored %s to %s", r->object, s->live));
    if (!r->sha256)
        TRY(work_note(r->w, "This server has no record of %s: its hash was not compared",
                      r->object));
    return former ? work_note(r->w,
                              "What was there before is kept as %s; the command remove_former "
                              "removes it",
                              former)
                  : 0;
}

static const char *live_of(const Work *w) {
    return w->service ?: w->request.target;
}

int restore_directory(Work *w) {
    _cleanup_(restore_done) Restore r = {.w = w, .identity_fd = -1};
    _cleanup_(swap_done) Swap s = {};
    int k;

    TRY(prepare(&r));
    k = swap_begin(w, live_of(w), &s);
    if (k >= 0)
        k = restore(&r, &s);
    if (k < 0)
        swap_abort(w, &s);
    return k;
}

int restore_remove_former(Work *w) {
    size_t n = 0;

    TRY(work_lock(w));
    TRY(swap_remove_former(w, live_of(w), &n));
    return work_note(w, "Removed %zu former %s of %s", n, n == 1 ? "state" : "states", live_of(w));
}
