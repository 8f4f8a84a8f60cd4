/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-volume/busy.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "basic/fd-util.h"
#include "basic/file-util.h"
#include "basic/parse-util.h"
#include "basic/strv.h"
#include "basic/utf8.h"
#include "dcm-volume/child.h"

#define PROC_TEXT_MAX ((size_t)16 * 1024 * 1024) /* maps of a big program */
#define NAMED_MAX 10u                            /* processes in the text; the others are counted */

/* --- services ------------------------------------------------------------------------------- */

static bool is_active(const char *unit) {
    return child_call((const char *const[]){"systemctl", "is-active", "--quiet", unit, NULL},
                      NULL) == 0;
}

/* local-fs.target and its like need it, too; they do nothing with it. */
static bool is_worker(const char *unit) {
    const char *suffix = strrchr(unit, '.');

    return suffix && !streq(suffix, ".target") && !streq(suffix, ".slice");
}

int busy_find_services(const char *mount_unit, char ***ret) {
    _cleanup_(strv_freep) char **units = NULL, **found = NULL;
    _cleanup_free_ char *text = NULL;
    size_t n = 0;
    int r;

    r = child_call((const char *const[]){"systemctl", "show", "--property=RequiredBy,BoundBy",
                                         "--value", mount_unit, NULL},
                   &text);
    if (r != 0)
        return r < 0 ? r : -EIO;
    for (char *p = text; *p; p++)
        if (*p == '\n')
            *p = ' ';
    TRY(parse_words(text, &units));
    for (char **u = units; u && *u; u++)
        if (is_worker(*u) && is_active(*u))
            TRY(strv_push(&found, &n, strdup(*u)));
    *ret = TAKE_PTR(found);
    return 0;
}

/* --- processes ------------------------------------------------------------------------------ */

typedef struct Search {
    dev_t device;
    char *const *services;
    char *text;
    unsigned n;
} Search;

static bool is_there(int dir_fd, const char *name, dev_t device) {
    struct stat st;

    return fstatat(dir_fd, name, &st, 0) >= 0 && st.st_dev == device;
}

static bool has_descriptor(int proc_fd, dev_t device) {
    int fd = openat(proc_fd, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *e;
    bool has = false;

    if (!d) {
        safe_close(fd);
        return false;
    }
    while (!has && (e = readdir(d)))
        has = isdigit((unsigned char)*e->d_name) && is_there(fd, e->d_name, device);
    (void)closedir(d);
    return has;
}

/* "7f00-7f01 r-xp 00000000 fd:02 1234 /path" */
static bool has_mapping(int proc_fd, dev_t device) {
    _cleanup_free_ char *text = NULL;
    char wanted[32];

    if (read_file_at(proc_fd, "maps", PROC_TEXT_MAX, &text, NULL) < 0)
        return false;
    (void)snprintf(wanted, sizeof(wanted), " %02x:%02x ", major(device), minor(device));
    return strstr(text, wanted) != NULL;
}

static bool uses(int proc_fd, dev_t device) {
    return is_there(proc_fd, "cwd", device) || is_there(proc_fd, "root", device) ||
           is_there(proc_fd, "exe", device) || has_descriptor(proc_fd, device) ||
           has_mapping(proc_fd, device);
}

static bool is_of_service(int proc_fd, char *const *services) {
    _cleanup_free_ char *text = NULL;
    const char *p;

    if (!services || read_file_at(proc_fd, "cgroup", PROC_TEXT_MAX, &text, NULL) < 0)
        return false;
    for (char *const *s = services; *s; s++) {
        p = strstr(text, *s);
        if (p && p > text && p[-1] == '/' && strchr("/\n", p[strlen(*s)]))
            return true;
    }
    return false;
}

static int add_process(Search *s, int proc_fd, const char *pid) {
    _cleanup_free_ char *name = NULL, *old = NULL;
    char shown[64];

    if (++s->n > NAMED_MAX)
        return 0;
    old = TAKE_PTR(s->text);
    if (read_file_at(proc_fd, "comm", PROC_TEXT_MAX, &name, NULL) >= 0)
        name[strcspn(name, "\n")] = 0;
    (void)utf8_format(shown, sizeof(shown), "%s", strempty(name));
    if (asprintf(&s->text, "%s%s%s (%s)", strempty(old), old ? ", " : "", shown, pid) < 0) {
        s->text = TAKE_PTR(old);
        return -ENOMEM;
    }
    return 0;
}

/* A process that ends meanwhile uses nothing. */
static int look_at(Search *s, int all_fd, const char *pid) {
    _cleanup_close_ int fd = openat(all_fd, pid, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0 || !uses(fd, s->device) || is_of_service(fd, s->services))
        return 0;
    return add_process(s, fd, pid);
}

static int count_others(Search *s) {
    _cleanup_free_ char *old = NULL;

    if (s->n <= NAMED_MAX)
        return 0;
    old = TAKE_PTR(s->text);
    if (asprintf(&s->text, "%s and %u more", strempty(old), s->n - NAMED_MAX) >= 0)
        return 0;
    s->text = NULL;
    return -ENOMEM;
}

int busy_find_processes(const char *mount_point, char *const *services, char **ret) {
    Search s = {.services = services};
    struct dirent *e;
    struct stat st;
    int r = 0;
    DIR *d;

    if (stat(mount_point, &st) < 0)
        return -errno;
    s.device = st.st_dev;
    d = opendir("/proc");
    if (!d)
        return -errno;
    while (r >= 0 && (e = readdir(d)))
        if (isdigit((unsigned char)*e->d_name))
            r = look_at(&s, dirfd(d), e->d_name);
    (void)closedir(d);
    if (r >= 0)
        r = count_others(&s);
    if (r < 0) {
        free(s.text);
        return r;
    }
    *ret = s.text;
    return 0;
}
