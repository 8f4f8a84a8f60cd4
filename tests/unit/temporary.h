/* SPDX-License-Identifier: Apache-2.0 */
/* A directory that goes away, with all that is in it, at the end of its scope. */
#pragma once

#include <ftw.h>
#include <glib.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/macro.h"

static inline int temporary_remove_one(const char *path, const struct stat *st, int type,
                                       struct FTW *ftw) {
    return remove(path);
}

static inline void temporary_remove(char **dir) {
    if (!*dir)
        return;
    (void)nftw(*dir, temporary_remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
    g_free(*dir);
}

#define _cleanup_temporary_ _cleanup_(temporary_remove)

static inline char *temporary_new(void) {
    char *dir = g_dir_make_tmp("dcm-XXXXXX", NULL);

    g_assert_nonnull(dir);
    return dir;
}

static inline void temporary_write(const char *dir, const char *name, const void *data,
                                   size_t size) {
    g_autofree char *path = g_build_filename(dir, name, NULL);

    g_assert_true(g_file_set_contents(path, data, (gssize)size, NULL));
}

static inline mode_t temporary_mode(const char *path) {
    struct stat st;

    g_assert_cmpint(stat(path, &st), ==, 0);
    return st.st_mode & 07777;
}
