/* SPDX-License-Identifier: Apache-2.0 */
/* A directory with a proc and a sys of its own. Files are written in place, as those of the kernel
 * are: whoever has one open sees the change. */
#pragma once

#include "temporary.h"

static inline void tree_write(const char *root, const char *path, const char *text) {
    g_autofree char *full = g_build_filename(root, path, NULL);
    g_autofree char *directory = g_path_get_dirname(full);
    FILE *f;

    g_assert_cmpint(g_mkdir_with_parents(directory, 0700), ==, 0);
    f = fopen(full, "we");
    g_assert_nonnull(f);
    g_assert_cmpint(fputs(text, f), >=, 0);
    g_assert_cmpint(fclose(f), ==, 0);
}

static inline void tree_remove(const char *root, const char *path) {
    g_autofree char *full = g_build_filename(root, path, NULL);

    g_assert_cmpint(unlink(full), ==, 0);
}

/* An entry of /sys/block; a real one has a device. */
static inline void tree_add_disk(const char *root, const char *name, bool is_real) {
    g_autofree char *path = g_strdup_printf("sys/block/%s/%s", name, is_real ? "device" : "size");

    tree_write(root, path, "");
}
