/* SPDX-License-Identifier: Apache-2.0 */
/* Proves that files are read whole within their bound, and replaced whole or not at all. */
#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <limits.h>
#include <sys/stat.h>

#include "basic/file-util.h"
#include "temporary.h"

static void test_read(void) {
    g_autofree char *dir = g_dir_make_tmp("dcm-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(dir, "file", NULL);
    g_autofree char *data = g_strnfill(20000, 'x');

    for (gssize size = 0; size <= 20000; size += size < 10 ? 1 : 1999) {
        _cleanup_free_ char *text = NULL;
        size_t n = 0;

        g_assert_true(g_file_set_contents(path, data, size, NULL));
        g_assert_cmpint(read_file_at(AT_FDCWD, path, (size_t)size, &text, &n), ==, 0);
        g_assert_cmpmem(text, n, data, (size_t)size);
        g_assert_cmpint(text[n], ==, 0);
        if (size > 0)
            g_assert_cmpint(read_file_at(AT_FDCWD, path, (size_t)size - 1, &text, &n), ==, -EFBIG);
    }
    g_unlink(path);
    g_rmdir(dir);
}

static void test_read_special(void) {
    char *text = NULL;
    size_t n;

    g_assert_cmpint(read_file_at(AT_FDCWD, "/proc/self/status", 65536, &text, &n), ==, 0);
    g_assert_cmpuint(n, >, 100);
    free(text);
    text = NULL;
    g_assert_cmpint(read_file_at(AT_FDCWD, "/dev/zero", 100000, &text, &n), ==, -EFBIG);
    g_assert_cmpint(read_file_at(AT_FDCWD, "/", 10, &text, &n), ==, -EISDIR);
    g_assert_cmpint(read_file_at(AT_FDCWD, "/nonexistent", 10, &text, &n), ==, -ENOENT);
    g_assert_null(text);
}

static void test_write(void) {
    g_autofree char *dir = g_dir_make_tmp("dcm-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(dir, "file", NULL);
    g_autofree char *missing = g_build_filename(dir, "missing", "file", NULL);
    g_autofree char *text = NULL;
    g_autoptr(GDir) entries = NULL;
    struct stat st;

    g_assert_cmpint(write_file_atomic(path, "first", 5, 0600), ==, 0);
    g_assert_cmpint(write_file_atomic(path, "second", 6, 0640), ==, 0);
    g_assert_cmpint(write_file_atomic(missing, "x", 1, 0600), ==, -ENOENT);
    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    g_assert_cmpstr(text, ==, "second");
    g_assert_cmpint(stat(path, &st), ==, 0);
    g_assert_cmpint(st.st_mode & 07777, ==, 0640);

    entries = g_dir_open(dir, 0, NULL);
    g_assert_cmpstr(g_dir_read_name(entries), ==, "file");
    g_assert_null(g_dir_read_name(entries));
    g_unlink(path);
    g_rmdir(dir);
}

/* What a killed writer left is used up, and a link in its place is not followed. */
static void test_write_alone(void) {
    _cleanup_temporary_ char *dir = temporary_new();
    g_autofree char *path = g_build_filename(dir, "file", NULL);
    g_autofree char *other = g_build_filename(dir, "other", NULL);
    g_autofree char *rest = g_build_filename(dir, "file.new", NULL), *text = NULL;

    g_assert_true(g_file_set_contents(rest, "the rest of a long text", -1, NULL));
    g_assert_cmpint(write_file_alone(path, "first", 5, 0600), ==, 0);
    g_assert_false(g_file_test(rest, G_FILE_TEST_EXISTS));
    g_assert_cmpint(symlink(other, rest), ==, 0);
    g_assert_cmpint(write_file_alone(path, "second", 6, 0640), ==, 0);
    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    g_assert_cmpstr(text, ==, "second");
    g_assert_false(g_file_test(other, G_FILE_TEST_EXISTS));
    g_assert_cmpint(temporary_mode(path), ==, 0640);
    g_assert_cmpint(g_mkdir(rest, 0700), ==, 0);
    g_assert_cmpint(write_file_alone(path, "third", 5, 0600), ==, -EISDIR);
}

/* Root enters every directory. */
static void test_closed(void) {
    _cleanup_temporary_ char *dir = temporary_new();
    g_autofree char *outer = g_build_filename(dir, "outer", NULL);
    g_autofree char *file = g_build_filename(outer, "inner", "file", NULL);
    char found[PATH_MAX];

    g_assert_false(path_find_closed(file, found, sizeof(found))); /* nothing is there */
    g_assert_cmpint(g_mkdir(outer, 0600), ==, 0);
    if (geteuid() == 0) {
        g_assert_false(path_find_closed(file, found, sizeof(found)));
        g_assert_cmpint(g_chmod(dir, 0711), ==, 0);
        g_assert_cmpint(seteuid(65534), ==, 0);
    }
    g_assert_true(path_find_closed(file, found, sizeof(found)));
    g_assert_cmpstr(found, ==, outer);
    g_assert_false(path_find_closed(outer, found, sizeof(found)));
    g_assert_false(path_find_closed(file, found, strlen(outer)));
    g_assert_cmpint(seteuid(getuid()), ==, 0);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/file-util/read", test_read);
    g_test_add_func("/file-util/read-special", test_read_special);
    g_test_add_func("/file-util/closed", test_closed);
    g_test_add_func("/file-util/write", test_write);
    g_test_add_func("/file-util/write-alone", test_write_alone);
    return g_test_run();
}
