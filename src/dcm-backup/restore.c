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
#include "service/service-turn.h"

#define HOOK_INSTALL "installds"

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

static int find_hash(Restore *r) {
    _cleanup_(catalogue_done) Catalogue c = {};
    const CatalogueEntry *e;

    TRY(catalogue_load(&c));
    e = catalogue_find(&c, r->object);
    return e ? free_and_strdup(&r->sha256, e->record.sha256) : 0;
}

static int prepare(Restore *r) {
    const BackupRequest *q = &r->w->request;

    TRY(places_need(r->w));
    TRY(work_lock(r->w));
    TRY(retain_check_series(r->w));
    if (q->identity)
        TRY(memfd_new_sealed("dcm-backup-identity", q->identity, strlen(q->identity),
                             &r->identity_fd));
    TRY(q->object ? free_and_strdup(&r->object, q->object)
                  : retain_find_newest(r->w, &r->w->targets[0], &r->object));
    return find_hash(r);
}

/* --- what it holds -----------------------------------------------------------------------------
 */

static int start_get(Restore *r, Pipeline **ret) {
    _cleanup_(pipeline_freep) Pipeline *p = pipeline_new(r->w->deadline_usec);
    int k;

    if (!p)
        return -ENOMEM;
    k = object_add_get(p, &r->w->targets[0], r->object, r->sha256, PROGRESS_ALL);
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

/* --- to a hook ---------------------------------------------------------------------------------
 */

static const char *last_part(const char *object) {
    const char *slash = strrchr(object, '/');

    return slash ? slash + 1 : object;
}

/* An encrypted image of install_data_source without a key is the hook's affair, as it was. */
static int fetch_image(Restore *r, const HandOver *files, char **ret_path) {
    _cleanup_(pipeline_freep) Pipeline *p = NULL;
    const char *name = last_part(r->object);
    _cleanup_close_ int fd = -1;
    Content content;

    TRY(start_get(r, &p));
    if (r->w->request.command != BACKUP_INSTALL_DATA_SOURCE || r->identity_fd >= 0)
        TRY(archive_add_openers(p, r->w, r->identity_fd, OPEN_OURS, &content));
    TRY(hand_over_open_new(r->w, files, name, &fd));
    TRY(finish(r, p, archive_add_copy(p, fd)));
    return hand_over_path(files, name, ret_path);
}

/* A service without this hook needs no installation; what is restored must go somewhere. */
static int absent_status(const Work *w) {
    return w->request.command == BACKUP_INSTALL_DATA_SOURCE ? 0 : 10;
}

/* Two directories, because an object may have any name. */
static int install(Restore *r, const HandOver *settings, const HandOver *files) {
    Work *w = r->w;
    _cleanup_free_ char *configuration = NULL, *image = NULL;
    const char *arguments[] = {w->request.service_id, NULL, NULL, NULL};
    const Hook hook = {.name = HOOK_INSTALL,
                       .arguments = arguments,
                       .absent_status = absent_status(w),
                       .forbidden_status = 22};

    TRY(fetch_image(r, files, &image));
    TRY(hand_over_write(w, settings, "installds.cfg", strempty(w->request.configuration),
                        &configuration));
    arguments[1] = configuration;
    arguments[2] = image;
    TRY(hand_over_give(w, settings));
    return hook_run(w, &hook, files);
}

static int check_hook(Work *w) {
    return hook_check(
        w,
        &(Hook){.name = HOOK_INSTALL, .absent_status = absent_status(w), .forbidden_status = 22});
}

int restore_data_source(Work *w) {
    _cleanup_(restore_done) Restore r = {.w = w, .identity_fd = -1};
    HandOver settings = HAND_OVER_NONE, files = HAND_OVER_NONE;
    int k;

    TRY(prepare(&r));
    TRY(check_hook(w)); /* before much is read for nothing */
    k = hand_over_begin(w, &settings);
    if (k >= 0)
        k = hand_over_begin(w, &files);
    if (k >= 0)
        k = install(&r, &settings, &files);
    hand_over_done(&files);
    hand_over_done(&settings);
    TRY(k);
    return w->request.command == BACKUP_INSTALL_DATA_SOURCE ? 0
                                                            : work_note(w, "Restored %s", r.object);
}

/* --- to a directory ----------------------------------------------------------------------------
 */

/* unzip(1) reads its list of members at the file's end. */
static int unpack_zip(Restore *r, Pipeline *p, const Swap *s) {
    _cleanup_close_ int fd = work_open_temporary(r->w);

    TRY(fd);
    TRY(finish(r, p, archive_add_copy(p, fd)));
    return archive_unzip(r->w, s->new_fd, fd);
}

static int unpack(Restore *r, const Swap *s) {
    _cleanup_(pipeline_freep) Pipeline *p = NULL;
    const char *path = r->w->request.path;
    Content content;

    TRY(start_get(r, &p));
    TRY(archive_add_openers(p, r->w, r->identity_fd, OPEN_ALL, &content));
    if (content.type == CONTENT_ZIP && !path) {
        TRY(unpack_zip(r, p, s));
        return swap_copy_owner(r->w, s); /* a zip file has no entry for the directory itself */
    }
    if (content.type != CONTENT_TAR)
        return work_fail(r->w, "damaged", "%s is not what can be restored: it holds %s", r->object,
                         content.type == CONTENT_ZIP ? "a zip file, which has no path"
                                                     : "neither a tar archive nor a zip file");
    TRY(finish(r, p, archive_add_untar(p, s->new_fd, path, content.is_root)));
    /* an archive of paths has none either */
    return path || content.is_root ? 0 : swap_copy_owner(r->w, s);
}

/* Of what was unpacked: what takes the place of the target; NULL: all of it. */
static int find_source(Work *w, const Swap *s, const char **ret) {
    const char *path = w->request.path, *name = path && path[1] ? last_part(path) : NULL;

    if (name && faccessat(s->new_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
        return work_fail(w, "no-such-path", "The backup does not have %s", path);
    *ret = name;
    return 0;
}

static int restore(Restore *r, Swap *s) {
    _cleanup_free_ char *former = NULL;
    const char *source = NULL;

    TRY(unpack(r, s));
    TRY(find_source(r->w, s, &source));
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

/* No other request may change the service meanwhile, dcm-service's included. */
static int take_turn(Work *w, const char *who, int *ret_fd) {
    _cleanup_free_ char *holder = NULL;
    int r;

    if (!w->service)
        return 0;
    r = service_turn_take(w->request.service_id, who, ret_fd, &holder);
    if (r == -EBUSY)
        return work_fail(w, "busy",
                         "Another request about %s is at work: %s; try again when it has ended",
                         w->request.service_id, holder ?: "it does not say which");
    return r < 0 ? work_fail(w, "failed", "The turn of %s cannot be had: %s", w->request.service_id,
                             strerror(-r))
                 : 0;
}

int restore_directory(Work *w) {
    _cleanup_(restore_done) Restore r = {.w = w, .identity_fd = -1};
    _cleanup_(swap_done) Swap s = SWAP_EMPTY;
    _cleanup_close_ int turn = -1;
    int k;

    TRY(prepare(&r));
    TRY(take_turn(w, "restore_service", &turn));
    k = swap_begin(w, live_of(w), &s);
    if (k >= 0)
        k = restore(&r, &s);
    if (k < 0)
        swap_abort(w, &s);
    return k;
}

int restore_remove_former(Work *w) {
    _cleanup_close_ int turn = -1;
    size_t n = 0;

    TRY(work_lock(w));
    TRY(take_turn(w, "remove_former", &turn));
    TRY(swap_remove_former(w, live_of(w), &n));
    return work_note(w, "Removed %zu former %s of %s", n, n == 1 ? "state" : "states", live_of(w));
}
