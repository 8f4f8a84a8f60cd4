/* SPDX-License-Identifier: Apache-2.0 */
/* md.rst of the kernel documents the files. An array that md refuses to start, since a disk is
 * missing and the rest was not written in an orderly way, is "inactive" and has no file `degraded`.
 */
#include "health/md-array.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>

#include "basic/array.h"
#include "basic/bounds.h"
#include "basic/file-util.h"
#include "basic/md-disks.h"
#include "health/scan.h"

#define VALUE_MAX ((size_t)256)

void md_array_table_done(MdArrayTable *t) {
    free(t->arrays);
    *t = (MdArrayTable){};
}

/* One line of an array; "" if there is none. */
static void read_line(int root_fd, const char *name, const char *file, char ret[static VALUE_MAX]) {
    _cleanup_free_ char *text = NULL;
    char path[96];

    *ret = 0;
    (void)snprintf(path, sizeof(path), "sys/block/%.31s/md/%s", name, file);
    if (read_file_at(root_fd, path, VALUE_MAX - 1, &text, NULL) >= 0)
        (void)snprintf(ret, VALUE_MAX, "%.*s", (int)strcspn(text, "\n"), text);
}

static uint64_t read_number(int root_fd, const char *name, const char *file) {
    char line[VALUE_MAX];
    const char *p = line;
    uint64_t n = 0;

    read_line(root_fd, name, file, line);
    return scan_u64(&p, &n) ? n : 0;
}

/* "1024 / 4096"; other words mean that nothing runs, or not yet. */
static double read_synced(int root_fd, const char *name) {
    char line[VALUE_MAX];
    const char *p = line;
    uint64_t done, all;

    read_line(root_fd, name, "sync_completed", line);
    if (!scan_u64(&p, &done) || strncmp(p, " / ", 3) != 0)
        return NAN;
    p += 3;
    return scan_u64(&p, &all) && all > 0 ? (double)done / (double)all : NAN;
}

static int add(MdArrayTable *t, int root_fd, const char *name) {
    char state[VALUE_MAX], directory[64];
    MdArray *a;

    if (strlen(name) >= MD_ARRAY_NAME_SIZE)
        return 0;
    read_line(root_fd, name, "array_state", state);
    if (!*state || streq(state, "clear")) /* not of md, or a number without an array */
        return 0;
    TRY(array_reserve(&t->arrays, &t->allocated, t->n + 1, HEALTH_ARRAYS_MAX));
    a = &t->arrays[t->n++];
    *a = (MdArray){.is_started = !streq(state, "inactive"), .synced = read_synced(root_fd, name)};
    (void)snprintf(a->name, sizeof(a->name), "%s", name);
    a->n_disks = read_number(root_fd, name, "raid_disks");
    (void)snprintf(directory, sizeof(directory), "sys/block/%.31s/md", name);
    a->n_missing = md_count_missing(root_fd, directory);
    return 0;
}

static int is_md(const struct dirent *entry) {
    return strncmp(entry->d_name, "md", 2) == 0;
}

int md_array_table_read(MdArrayTable *t, int root_fd) {
    struct dirent **entries = NULL;
    int n, r = 0;

    t->n = 0;
    n = scandirat(root_fd, "sys/block", &entries, is_md, versionsort);
    if (n < 0)
        return errno == ENOENT ? 0 : -errno;
    for (int i = 0; i < n; i++) {
        if (r >= 0)
            r = add(t, root_fd, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    return r == -ENOBUFS ? 0 : r;
}
