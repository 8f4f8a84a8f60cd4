/* SPDX-License-Identifier: Apache-2.0 */
/* A repair may be interrupted at any point:
 *
 *   PATH is damaged ─▶ PATH.salvaging, row by row ─▶ PATH.salvaged, complete
 *                   ─▶ PATH set aside ─▶ PATH.salvaged becomes PATH
 *
 * The next start begins again at the first step, or at the third if PATH.salvaged exists. */
#include "core/storage.h"

#include <fcntl.h>
#include <stdio.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "basic/fd-util.h"
#include "basic/file-util.h"
#include "basic/log-fields.h"
#include "basic/log.h"
#include "basic/time-util.h"
#include "store/repair.h"

#define META_BOOT_ID "boot_id"
#define BOOT_ID_FILE "/proc/sys/kernel/random/boot_id"
#define CHECK_LIMIT_USEC (1800 * USEC_PER_SEC)

typedef struct Paths {
    const char *database;
    char *salvaging, *salvaged, *check;
} Paths;

static void paths_done(Paths *p) {
    free(p->salvaging);
    free(p->salvaged);
    free(p->check);
}

static int paths_init(Paths *p, const char *database) {
    p->database = database;
    return asprintf(&p->salvaging, "%s.salvaging", database) < 0 ||
                   asprintf(&p->salvaged, "%s.salvaged", database) < 0 ||
                   asprintf(&p->check, "%s.check", database) < 0
               ? -ENOMEM
               : 0;
}

static void say_busy(const char *what) {
    (void)sd_notifyf(false, "EXTEND_TIMEOUT_USEC=%llu\nSTATUS=%s",
                     (unsigned long long)CHECK_LIMIT_USEC, what);
}

static int sync_directory_of(const char *path) {
    _cleanup_free_ char *directory = strndup(path, (size_t)(strrchr(path, '/') - path));
    _cleanup_close_ int fd = -1;

    if (!directory)
        return -ENOMEM;
    fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -errno : fsync_directory(fd);
}

static int remove_database(const char *path) {
    static const char *const suffixes[] = {"", "-wal", "-shm"};

    for (size_t i = 0; i < ELEMENTSOF(suffixes); i++) {
        _cleanup_free_ char *name = NULL;

        if (asprintf(&name, "%s%s", path, suffixes[i]) < 0)
            return -ENOMEM;
        if (unlink(name) < 0 && errno != ENOENT)
            return -errno;
    }
    return 0;
}

/* Closing the database ends its journal, so that the file is complete. */
static int salvage(const Paths *p) {
    _cleanup_(store_closep) Store *s = NULL;
    int n;

    TRY(remove_database(p->salvaging));
    TRY(store_open(p->salvaging, &s));
    n = store_salvage(s, p->database);
    if (n < 0)
        return n;
    s = store_close(s);
    if (rename(p->salvaging, p->salvaged) < 0)
        return -errno;
    TRY(sync_directory_of(p->database));
    return n;
}

static int put_in_place(const Paths *p) {
    _cleanup_free_ char *aside = NULL;
    int r;

    r = store_set_aside(p->database, &aside);
    if (r < 0 && r != -ENOENT)
        return r;
    if (r >= 0)
        (void)log_struct(
            LOG_ERR, EUCLEAN, LOG_FIELDS(LOG_ID(DCM_MESSAGE_STORE_FAILED)),
            "%s is damaged and was moved to %s; the agent salvages what it can into a new database",
            p->database, aside);
    r = sync_directory_of(p->database);
    if (r >= 0 && rename(p->salvaged, p->database) < 0)
        r = -errno;
    return r < 0 ? r : sync_directory_of(p->database);
}

static int repair(const Paths *p) {
    int n, r;

    say_busy("Salvaging a damaged database");
    n = salvage(p);
    r = n < 0 ? n : put_in_place(p);
    if (r < 0)
        return log_error_errno(r, "Salvaging the database failed: %m");
    log_notice("Salvaged %d requests from the damaged database", n);
    return 0;
}

static int read_boot_id(char **ret) {
    size_t size;
    int r;

    r = read_file_at(AT_FDCWD, BOOT_ID_FILE, 64, ret, &size);
    if (r >= 0)
        (*ret)[strcspn(*ret, "\n")] = 0;
    return r;
}

/* Power may have been lost since then, and some disks lose data that they reported as written. */
static int check(const Paths *p, Store *s) {
    _cleanup_free_ char *now = NULL, *checked = NULL;
    bool noted = access(p->check, F_OK) >= 0;
    int r;

    r = read_boot_id(&now);
    if (r >= 0)
        r = store_get_meta(s, META_BOOT_ID, &checked);
    if (r < 0 || (!noted && streq_ptr(now, checked)))
        return r;
    if (noted || checked) {
        say_busy("Checking the database");
        r = store_check(s);
    }
    if (r >= 0 && noted && unlink(p->check) < 0)
        r = -errno;
    if (r >= 0 &&
        store_set_fact(s, META_BOOT_ID, now) < 0) /* on a full disk the next start checks again */
        log_debug("The check of the database could not be recorded");
    return r;
}

static int open_checked(const Paths *p, Store **ret) {
    _cleanup_(store_closep) Store *s = NULL;
    int r;

    r = store_open(p->database, &s);
    if (r >= 0)
        r = check(p, s);
    if (r >= 0)
        *ret = TAKE_PTR(s);
    return r;
}

int storage_open(const char *path, Store **ret) {
    _cleanup_(paths_done) Paths p = {};
    int r;

    r = paths_init(&p, path);
    if (r >= 0 && access(p.salvaged, F_OK) >= 0)
        r = put_in_place(&p);
    if (r >= 0)
        r = open_checked(&p, ret);
    if (r == -EUCLEAN) {
        r = repair(&p);
        if (r >= 0)
            r = open_checked(&p, ret);
    }
    if (r == -EPROTONOSUPPORT)
        return log_struct(
            LOG_ERR, r, LOG_FIELDS(LOG_ID(DCM_MESSAGE_STORE_FAILED)),
            "A newer version of dcm-agent made the database %s, which this one, " PROJECT_VERSION
            ", does not understand and leaves as it is. Install that "
            "version again. Or move the database away and start the agent: what it "
            "had promised to the manager is then forgotten",
            path);
    if (r < 0)
        return log_struct(LOG_ERR, r, LOG_FIELDS(LOG_ID(DCM_MESSAGE_STORE_FAILED)),
                          "The database %s cannot be opened: %m%s", path,
                          r == -EACCES || r == -EPERM ? "; run: chown -R dcm-agent: " STATEDIR
                                                      : "");
    return 0;
}

void storage_note_damage(const char *path) {
    _cleanup_(paths_done) Paths p = {};
    _cleanup_close_ int fd = -1;

    if (paths_init(&p, path) >= 0)
        fd = open(p.check, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        log_warning("The damage of the database could not be recorded");
}
