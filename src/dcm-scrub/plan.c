/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-scrub/plan.h"

#include <fcntl.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <search.h>
#include <unistd.h>

#include "basic/array.h"
#include "basic/fd-util.h"
#include "basic/strv.h"
#include "basic/terminal.h"
#include "dcm-scrub/bounds.h"
#include "dcm-scrub/homes.h"

typedef struct Finder {
    const Beneath *beneath;
    const Rule *rule;
    Plan *plan;
} Finder;

static void keep_nothing(void *path) {
}

void plan_done(Plan *p) {
    tdestroy(p->seen, keep_nothing);
    for (size_t i = 0; i < p->n; i++)
        free(p->items[i].path);
    free(p->items);
    *p = (Plan){};
}

static int compare_paths(const void *a, const void *b) {
    return strcmp(a, b);
}

/* --- what belongs to it --------------------------------------------------------------------- */

static bool begins_as_key(int dir_fd, const char *name) {
    static const char putty[] = "PuTTY-User-Key-File";
    char head[128];
    _cleanup_close_ int fd = -1;
    ssize_t n;

    if (beneath_open_file(dir_fd, name, &fd) < 0)
        return false;
    n = read(fd, head, sizeof(head) - 1);
    if (n <= 0)
        return false;
    head[n] = 0;
    if (strncmp(head, putty, strlen(putty)) == 0)
        return true;
    head[strcspn(head, "\n")] = 0;
    return strncmp(head, "-----BEGIN ", 11) == 0 && strstr(head, "PRIVATE KEY-----");
}

/* A history that leads there holds nothing. */
static bool leads_to_null(int dir_fd, const char *name) {
    static const char null[] = "/dev/null";
    char to[sizeof(null) + 1];
    const ssize_t n = readlinkat(dir_fd, name, to, sizeof(to));

    return n == (ssize_t)strlen(null) && memcmp(to, null, (size_t)n) == 0;
}

static bool belongs(const Finder *f, int dir_fd, const char *name, const char *path,
                    const struct stat *st) {
    const Rule *rule = f->rule;

    if (S_ISLNK(st->st_mode)) {
        if (leads_to_null(dir_fd, name) || rule->part == PART_MACHINE_ID)
            return false; /* dbus has a link to the id */
        if (f->beneath->on_skip)
            f->beneath->on_skip(path, "is a symbolic link; what it leads to stays", false,
                                f->beneath->userdata);
        return !rule->is_key;
    }
    if (rule->is_emptied)
        return S_ISREG(st->st_mode) && st->st_size > 0;
    if (rule->part == PART_HISTORIES || rule->part == PART_LOGS)
        return !S_ISDIR(st->st_mode);
    return !rule->is_key || begins_as_key(dir_fd, name);
}

static int measure(const Visit *v, void *userdata) {
    Item *item = userdata;

    if (v->stage == VISIT_FILE) {
        item->n_files++;
        item->size += S_ISREG(v->st->st_mode) ? (uint64_t)v->st->st_size : 0;
        item->has_other_names |= v->st->st_nlink > 1;
    }
    return 0;
}

static int add(const Finder *f, int dir_fd, const char *name, const char *path) {
    Plan *p = f->plan;
    struct stat st;
    Item *item;

    if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : -errno;
    if (tfind(path, &p->seen, compare_paths) || !belongs(f, dir_fd, name, path, &st))
        return 0;
    TRY(array_reserve(&p->items, &p->allocated, p->n + 1, ITEMS_MAX));
    item = &p->items[p->n];
    *item = (Item){.path = strdup(path), .rule = f->rule, .is_directory = S_ISDIR(st.st_mode)};
    if (!item->path)
        return -ENOMEM;
    p->n++;
    if (!tsearch(item->path, &p->seen, compare_paths))
        return -ENOMEM;
    return beneath_walk(f->beneath, path, measure, item);
}

/* --- patterns ------------------------------------------------------------------------------- */

static int find(const Finder *f, int dir_fd, const char *directory, const char *place,
                unsigned depth);

static int enter(const Finder *f, int dir_fd, const char *name, const char *path, const char *place,
                 unsigned depth) {
    _cleanup_close_ int fd = -1;
    const int r = depth < TREE_DEPTH_MAX ? beneath_enter(f->beneath, dir_fd, name, path, &fd) : 0;

    if (r == -ENOENT || r == -ESTALE || fd < 0)
        return r == -ENOENT || r == -ESTALE ? 0 : r;
    return find(f, fd, path, place, depth + 1);
}

static bool is_directory(int dir_fd, const struct dirent *entry) {
    struct stat st;

    if (entry->d_type != DT_UNKNOWN)
        return entry->d_type == DT_DIR;
    return fstatat(dir_fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) >= 0 && S_ISDIR(st.st_mode);
}

static int try_entry(const Finder *f, int dir_fd, const struct dirent *entry, const char *directory,
                     const char *part, const char *rest, const char *place, unsigned depth) {
    _cleanup_free_ char *path = beneath_join(directory, entry->d_name);

    if (!path)
        return -ENOMEM;
    if (streq(part, "**"))
        return is_directory(dir_fd, entry) ? enter(f, dir_fd, entry->d_name, path, place, depth)
                                           : 0;
    if (fnmatch(part, entry->d_name, 0) != 0)
        return 0;
    return *rest ? enter(f, dir_fd, entry->d_name, path, rest, depth)
                 : add(f, dir_fd, entry->d_name, path);
}

static int try_entries(const Finder *f, int dir_fd, const char *directory, const char *part,
                       const char *rest, const char *place, unsigned depth) {
    const struct dirent *entry;
    const int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int r = 0;
    DIR *d;

    if (fd < 0)
        return -errno;
    d = beneath_list(fd);
    if (!d)
        return -ENOMEM;
    while (r >= 0 && ((void)(errno = 0), (entry = readdir(d))))
        if (!streq(entry->d_name, ".") && !streq(entry->d_name, ".."))
            r = try_entry(f, dirfd(d), entry, directory, part, rest, place, depth);
    (void)closedir(d);
    return r;
}

/* `place` is what is left of the pattern, below the open directory. */
static int find(const Finder *f, int dir_fd, const char *directory, const char *place,
                unsigned depth) {
    const size_t size = strcspn(place, "/");
    const char *rest = place[size] ? place + size + 1 : "";
    _cleanup_free_ char *part = strndup(place, size), *path = NULL;

    if (!part)
        return -ENOMEM;
    if (streq(part, "**"))
        TRY(find(f, dir_fd, directory, rest, depth));
    if (strpbrk(part, "*?["))
        return try_entries(f, dir_fd, directory, part, rest, place, depth);
    path = beneath_join(directory, part);
    if (!path)
        return -ENOMEM;
    return *rest ? enter(f, dir_fd, part, path, rest, depth) : add(f, dir_fd, part, path);
}

static int find_in(const Finder *f, const char *directory, const char *place) {
    _cleanup_close_ int fd = -1;
    const int r = beneath_open_directory(f->beneath, directory, &fd);

    if (r == -ENOENT || r == -ESTALE)
        return 0;
    TRY(r);
    return find(f, fd, directory, place, 0);
}

static int find_rule(const Finder *f, char *const *homes) {
    if (f->rule->place[0] != '~')
        return find_in(f, "", f->rule->place);
    for (char *const *home = homes; *home; home++)
        TRY(find_in(f, *home, f->rule->place + 2));
    return 0;
}

int plan_make(const Beneath *b, unsigned parts, bool is_running, Plan *ret) {
    _cleanup_(strv_freep) char **homes = NULL;
    Plan plan = {};
    int r = homes_find(b, &homes);

    for (size_t i = 0; i < n_rules && r >= 0; i++) {
        const Finder f = {.beneath = b, .rule = &rules[i], .plan = &plan};

        if ((rules[i].part & parts) && !(rules[i].is_stopped && is_running))
            r = find_rule(&f, homes);
    }
    if (r < 0)
        plan_done(&plan);
    else
        *ret = plan;
    return r;
}

/* --- for people ----------------------------------------------------------------------------- */

void plan_print(const Plan *p) {
    uint64_t size = 0;

    for (size_t i = 0; i < p->n; i++) {
        const Item *item = &p->items[i];

        terminal_printf(stdout, "%s  /%s%s  %" PRIu64 " bytes%s\n", item->rule->what, item->path,
                        item->is_directory ? "/" : "", item->size,
                        item->rule->is_emptied  ? ", emptied"
                        : item->has_other_names ? ", and other names of it (hard links), which stay"
                                                : "");
        size += item->size;
    }
    if (p->n == 0)
        (void)printf("There is nothing to remove.\n");
    else
        (void)printf("%zu to remove, %" PRIu64 " bytes.\n", p->n, size);
}
