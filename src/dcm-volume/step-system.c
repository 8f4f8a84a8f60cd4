/* SPDX-License-Identifier: Apache-2.0 */
/* Mounting is systemd's work: a mount in the namespace of a job is invisible outside, and the truth
 * about mounts is what PID 1 has. */
#include "dcm-volume/step-system.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/bounds.h"
#include "basic/fd-util.h"
#include "basic/file-util.h"
#include "basic/strv.h"
#include "dcm-volume/busy.h"
#include "dcm-volume/child.h"
#include "dcm-volume/look.h"
#include "dcm-volume/progress.h"
#include "dcm-volume/record.h"
#include "dcm-volume/signature.h"
#include "dcm-volume/tabs.h"
#include "dcm-volume/unit-name.h"

#define COMPARE_USEC (90 * USEC_PER_SEC)
#define FSTAB "/etc/fstab"
#define CRYPTTAB "/etc/crypttab"
/* the name that systemd-cryptsetup of systemd 252 asks for */
#define CREDENTIAL "cryptsetup.passphrase"

static int fail_tab(Work *w, const char *path, const char *target, int r) {
    if (r == -ENOMEM)
        return r;
    if (r == -EEXIST)
        return work_fail(w,
                         "%s has a line for %s already, which dcm-volume did not write; remove "
                         "it, or choose another name",
                         path, target);
    return work_fail(w, "%s cannot be changed: %s", path,
                     r == -EBUSY ? "it is a mount point" : strerror(-r));
}

static int write_line(Work *w, const char *path, const TabLine *line) {
    int r = tab_file_add(path, line);

    if (r < 0)
        return fail_tab(w, path, line->target, r);
    w->needs_reload = true;
    return 0;
}

/* Keeps ours that is there, for undoing. */
static int keep_former(Work *w, const char *path, TabType type, const char *target) {
    TabEntry *former = &w->former[type];
    int r;

    tab_entry_done(former);
    r = tab_file_find(path, type, target, former);
    return r < 0 ? fail_tab(w, path, target, r) : 0;
}

static int add_line(Work *w, const char *path, const TabLine *line) {
    TRY(keep_former(w, path, line->type, line->target));
    return write_line(w, path, line);
}

static int remove_line(Work *w, const char *path, TabType type, const char *target) {
    bool foreign = false;
    int r;

    TRY(keep_former(w, path, type, target));
    r = tab_file_remove(path, type, target, &foreign);
    if (r < 0)
        return fail_tab(w, path, target, r);
    if (foreign)
        TRY(work_note(w,
                      "The line for %s in %s was not written by dcm-volume, or was edited: it "
                      "stays",
                      target, path));
    w->needs_reload = w->needs_reload || r > 0;
    return 0;
}

/* Undoes add_line() and remove_line(): what was there before is there again. */
static int restore_line(Work *w, const char *path, TabType type, const char *target) {
    const TabEntry *former = &w->former[type];

    if (!former->target)
        return remove_line(w, path, type, target);
    return write_line(w, path,
                      &(TabLine){.type = type,
                                 .source = former->source,
                                 .target = former->target,
                                 .fs_type = former->fs_type,
                                 .options = former->options});
}

/* The name of the mapping: of a step that removes, or of the plan. NULL: there is none. */
static const char *mapping_of(const Work *w, const Step *s) {
    return s->result ?: w->plan->mapping;
}

/* --- keys ----------------------------------------------------------------------------------- */

static int credential_path(const char *mapping, char **ret) {
    return asprintf(ret, RECORD_DIRECTORY "/%s.cred", mapping) < 0 ? -ENOMEM : 0;
}

static int drop_in_path(const char *mapping, char **ret_directory, char **ret_file) {
    _cleanup_free_ char *unit = NULL;

    TRY(unit_name_of_mapping(mapping, &unit));
    if (asprintf(ret_directory, UNIT_DIRECTORY "/%s.d", unit) < 0)
        return -ENOMEM;
    return asprintf(ret_file, "%s/dcm-volume.conf", *ret_directory) < 0 ? -ENOMEM : 0;
}

static int flush_file(const char *path) {
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);

    return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

static int seal(Work *w, const char *path) {
    static const char name[] = "--name=" CREDENTIAL;
    _cleanup_free_ char *temporary = NULL;

    if (asprintf(&temporary, "%s" FILE_NEW_SUFFIX, path) < 0)
        return -ENOMEM;
    (void)unlink(temporary);
    TRY(work_tool_with_key(w, (const char *const[]){"systemd-creds", "encrypt", name,
                                                    CHILD_KEY_PATH, temporary, NULL}));
    if (chmod(temporary, 0600) < 0 || flush_file(temporary) < 0 || rename(temporary, path) < 0)
        return work_fail(w, "%s cannot be written: %s", path, strerror(errno));
    return 0;
}

static int write_drop_in(Work *w, const char *credential) {
    _cleanup_free_ char *directory = NULL, *file = NULL, *text = NULL;
    int r;

    TRY(drop_in_path(w->plan->mapping, &directory, &file));
    if (asprintf(&text,
                 "# dcm-volume wrote this file; unmount_volume removes it.\n"
                 "[Unit]\nRequiresMountsFor=/var/lib/systemd " RECORD_DIRECTORY "\n"
                 "[Service]\nLoadCredentialEncrypted=" CREDENTIAL ":%s\n",
                 credential) < 0)
        return -ENOMEM;
    if (mkdir(directory, 0755) < 0 && errno != EEXIST)
        return work_fail(w, "%s cannot be made: %s", directory, strerror(errno));
    r = write_file_alone(file, text, strlen(text), 0644);
    return r < 0 ? work_fail(w, "%s cannot be written: %s", file, strerror(-r)) : 0;
}

static bool has_opened(const Work *w) {
    for (const Work *x = w; x; x = x->before)
        for (size_t i = 0; x->done_now && i < x->plan->n_steps; i++)
            if (x->done_now[i] && x->plan->steps[i].type == STEP_LUKS_OPEN)
                return true;
    return false;
}

/* A volume that was open before says nothing about the key that came now. */
static int check_key(Work *w) {
    static const char key_file[] = "--key-file=" CHILD_KEY_PATH;
    _cleanup_free_ char *device = NULL;

    if (has_opened(w))
        return 0;
    if (asprintf(&device, "/dev/disk/by-uuid/%s", w->plan->luks_uuid) < 0) {
        device = NULL;
        return -ENOMEM;
    }
    return work_tool_with_key(w, (const char *const[]){"cryptsetup", "open", "--test-passphrase",
                                                       "--batch-mode", key_file, device, NULL});
}

/* The shell compares, so that no copy stays in this process. */
int key_is_sealed(const Work *w) {
    static const char command[] = "systemd-creds decrypt --name=" CREDENTIAL
                                  " \"$1\" - 2>/dev/null | cmp -s - " CHILD_KEY_PATH;
    _cleanup_free_ char *path = NULL, *tail = NULL;
    Child c;
    int r;

    TRY(credential_path(w->plan->mapping, &path));
    c = (Child){.argv = (const char *const[]){"sh", "-c", command, "sh", path, NULL},
                .key_fd = w->key_fd,
                .timeout_usec = COMPARE_USEC};
    r = child_run(&c, &tail);
    return r == -ENOMEM ? r : r == 0;
}

int key_seal(Work *w, const Step *s) {
    _cleanup_free_ char *path = NULL;

    TRY(check_key(w));
    TRY(credential_path(w->plan->mapping, &path));
    w->had_key = access(path, F_OK) == 0;
    TRY(seal(w, path));
    TRY(write_drop_in(w, path));
    return work_note(w,
                     "The key is kept in %s, sealed for this machine: it protects a disk, or a "
                     "copy of it, that is taken away alone; who has the whole machine can unlock "
                     "the volume",
                     path);
}

static int remove_file(Work *w, const char *path) {
    return unlink(path) < 0 && errno != ENOENT
               ? work_fail(w, "%s cannot be removed: %s", path, strerror(errno))
               : 0;
}

/* And what is left of it where writing it was cut. */
static int remove_file_and_new(Work *w, const char *path) {
    _cleanup_free_ char *temporary = NULL;

    if (asprintf(&temporary, "%s" FILE_NEW_SUFFIX, path) < 0) {
        temporary = NULL;
        return -ENOMEM;
    }
    TRY(remove_file(w, temporary));
    return remove_file(w, path);
}

int key_remove(Work *w, const Step *s) {
    _cleanup_free_ char *path = NULL, *directory = NULL, *file = NULL;
    const char *mapping = mapping_of(w, s);

    if (!mapping)
        return 0;
    TRY(credential_path(mapping, &path));
    TRY(drop_in_path(mapping, &directory, &file));
    TRY(remove_file_and_new(w, file));
    (void)rmdir(directory); /* somebody else's drop-in may be there */
    TRY(remove_file_and_new(w, path));
    w->needs_reload = true;
    return 0;
}

/* A key that was sealed before is the volume's: it stays. */
int key_unseal(Work *w, const Step *s) {
    return w->had_key ? 0 : key_remove(w, s);
}

/* --- tables --------------------------------------------------------------------------------- */

int crypttab_add(Work *w, const Step *s) {
    const Plan *p = w->plan;
    _cleanup_free_ char *source = NULL;

    if (asprintf(&source, "UUID=%s", p->luks_uuid) < 0)
        return -ENOMEM;
    return add_line(
        w, CRYPTTAB,
        &(TabLine){
            .type = TAB_CRYPTTAB, .source = source, .target = p->mapping, .options = s->options});
}

int crypttab_remove(Work *w, const Step *s) {
    const char *mapping = mapping_of(w, s);

    return mapping ? remove_line(w, CRYPTTAB, TAB_CRYPTTAB, mapping) : 0;
}

int crypttab_restore(Work *w, const Step *s) {
    const char *mapping = mapping_of(w, s);

    return mapping ? restore_line(w, CRYPTTAB, TAB_CRYPTTAB, mapping) : 0;
}

int fstab_add(Work *w, const Step *s) {
    _cleanup_free_ char *source = NULL;

    if (asprintf(&source, "UUID=%s", w->plan->fs_uuid) < 0)
        return -ENOMEM;
    return add_line(w, FSTAB,
                    &(TabLine){.type = TAB_FSTAB,
                               .source = source,
                               .target = w->plan->request.mount_point,
                               .fs_type = w->plan->fs_type,
                               .options = s->options});
}

static const char *point_of(const Work *w, const Step *s) {
    return s->result ?: w->plan->request.mount_point;
}

int fstab_remove(Work *w, const Step *s) {
    return remove_line(w, FSTAB, TAB_FSTAB, point_of(w, s));
}

int fstab_restore(Work *w, const Step *s) {
    return restore_line(w, FSTAB, TAB_FSTAB, point_of(w, s));
}

/* --- the mount point ------------------------------------------------------------------------ */

/* -EEXIST: it was there. */
static int make_one(const char *path) {
    return mkdir(path, 0755) < 0 ? -errno : 0;
}

static int make_path(char *path) {
    int r;

    for (char *p = strchr(path + 1, '/'); p; p = strchr(p + 1, '/')) {
        *p = 0;
        r = make_one(path);
        *p = '/';
        if (r < 0 && r != -EEXIST)
            return r;
    }
    return make_one(path);
}

int directory_make(Work *w, const Step *s) {
    const char *point = w->plan->request.mount_point;
    _cleanup_free_ char *path = strdup(point);
    int r;

    if (!path)
        return -ENOMEM;
    r = make_path(path);
    if (r < 0 && r != -EEXIST)
        return work_fail(w, "%s cannot be made: %s", point, strerror(-r));
    w->made_directory = r >= 0;
    return 0;
}

int directory_remove(Work *w, const Step *s) {
    const char *point = w->plan->request.mount_point;

    if (w->made_directory && rmdir(point) < 0 && errno != ENOENT)
        return work_fail(w, "%s cannot be removed: %s", point, strerror(errno));
    return 0;
}

/* --- mounts --------------------------------------------------------------------------------- */

static bool has_uuid(const Block *b, const char *uuid) {
    for (size_t i = 0; b && i < b->n_signatures; i++)
        if (uuid_equal(b->signatures[i].uuid, uuid))
            return true;
    return false;
}

/* 1: this file system is mounted there; 0: nothing is; -EEXIST: something else. */
static int look_at_mount(const Plan *p) {
    _cleanup_(facts_done) Facts f = {};
    const Mount *top = NULL;

    TRY(look_gather_passive(&f));
    for (size_t i = 0; i < f.n_mounts; i++)
        if (streq_ptr(f.mounts[i].target, p->request.mount_point))
            top = &f.mounts[i]; /* the last one hides the others */
    if (!top)
        return 0;
    return top->block && has_uuid(facts_find(&f, top->block), p->fs_uuid) ? 1 : -EEXIST;
}

/* The kernel must have told udev, and udev have made the link that the line of fstab(5) names. */
static int wait_for_link(Work *w, const char *device) {
    _cleanup_free_ char *link = NULL;

    if (asprintf(&link, "/dev/disk/by-uuid/%s", w->plan->fs_uuid) < 0)
        return -ENOMEM;
    if (access(link, F_OK) < 0)
        (void)child_call(
            (const char *const[]){"udevadm", "trigger", "--action=change", device, NULL}, NULL);
    return work_wait(link) ? 0
                           : work_fail(w,
                                       "%s is not there: udev has not found the file system "
                                       "on %s",
                                       link, device);
}

int volume_mount(Work *w, const Step *s) {
    const Plan *p = w->plan;
    const char *device = s->devices && *s->devices ? *s->devices : "";
    int r;

    TRY(work_reload(w));
    TRY(wait_for_link(w, device));
    TRY(work_script(w, "mount", NULL,
                    (const char *const[]){device, p->fs_type, p->request.mount_point, NULL}));
    r = look_at_mount(p);
    if (r == -EEXIST)
        return work_fail(w, "Something else is mounted on %s", p->request.mount_point);
    return r == 0 ? work_fail(w, "The script mount reports success, but nothing is mounted on %s",
                              p->request.mount_point)
                  : MIN(r, 0);
}

static int unmount(Work *w) {
    const char *point = w->plan->request.mount_point;
    int r;

    TRY(work_script(w, "unmount", NULL, (const char *const[]){point, NULL}));
    r = look_at_mount(w->plan);
    return r == 0 || r == -ENOMEM ? r : work_fail(w, "Something is still mounted on %s", point);
}

int volume_unmount_again(Work *w, const Step *s) {
    return unmount(w);
}

static int name_services(Work *w, char *const *services) {
    for (char *const *s = services; s && *s; s++) {
        _cleanup_free_ char *line = NULL;

        if (asprintf(&line, "%s needs the file system, and is stopped", *s) < 0)
            return -ENOMEM;
        progress_line(line, NULL);
        TRY(work_note(w, "%s was stopped, because it needs the file system", *s));
    }
    return 0;
}

int volume_unmount(Work *w, const Step *s) {
    const char *point = w->plan->request.mount_point;
    _cleanup_free_ char *unit = NULL, *processes = NULL;
    _cleanup_(strv_freep) char **services = NULL;
    int r;

    TRY(unit_name_of_mount(point, &unit));
    r = busy_find_services(unit, &services);
    if (r >= 0)
        r = busy_find_processes(point, services, &processes);
    if (r < 0 && r != -ENOMEM)
        return work_fail(w, "It cannot be seen who uses %s: %s", point, strerror(-r));
    TRY(r);
    if (processes)
        return work_fail(w, "%s is in use: %s", point, processes);
    TRY(name_services(w, services));
    return unmount(w);
}
