/* SPDX-License-Identifier: Apache-2.0 */
/* Proves that the key is taken from the job's credentials as it is, all of its bytes, into memory
 * that nobody can change; that one of 0 bytes, or of too many, is refused with words; and that
 * nothing waits for a file that is none. Also the names of units, beside those that
 * systemd-escape(1) makes. */
#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <unistd.h>

#include "basic/fd-util.h"
#include "dcm-volume/key.h"
#include "dcm-volume/unit-name.h"
#include "temporary.h"

#define NAME "encryptedFsEncryptionKey"

static void assert_refused(const char *words) {
    _cleanup_free_ char *problem = NULL;
    int fd = 7;

    g_assert_cmpint(key_load(&fd, &problem), ==, -EINVAL);
    g_assert_cmpint(fd, ==, -1);
    if (!strstr(problem, words))
        g_error("no \"%s\" in: %s", words, problem);
}

static void assert_none(void) {
    _cleanup_free_ char *problem = NULL;
    int fd = 7;

    g_assert_cmpint(key_load(&fd, &problem), ==, 0);
    g_assert_cmpint(fd, ==, -1);
}

static void assert_key(const char *bytes, size_t size) {
    g_autofree char *found = g_malloc0(size + 1);
    _cleanup_free_ char *problem = NULL;
    _cleanup_close_ int fd = -1;

    g_assert_cmpint(key_load(&fd, &problem), ==, 0);
    g_assert_cmpint(fd, >=, 0);
    g_assert_cmpint(lseek(fd, 0, SEEK_CUR), ==, 0);
    g_assert_cmpint(read(fd, found, size + 1), ==, (ssize_t)size);
    g_assert_cmpint(memcmp(found, bytes, size), ==, 0);
    g_assert_cmpint(write(fd, "x", 1), <, 0);
    g_assert_cmpint(ftruncate(fd, 0), <, 0);
    g_assert_cmpint(fcntl(fd, F_GETFD) & FD_CLOEXEC, ==, FD_CLOEXEC);
}

static void test_key(void) {
    static const struct {
        const char *bytes;
        size_t size;
    } keys[] = {{"k", 1}, {"with a newline\n", 15}, {"with\0zero", 9}, {"\0", 1}, {"\xff\xfe", 2}};
    _cleanup_temporary_ char *dir = temporary_new();
    g_autofree char *big = g_malloc0(512 * 1024 + 1);

    g_setenv("CREDENTIALS_DIRECTORY", dir, true);
    assert_none();
    for (size_t i = 0; i < ELEMENTSOF(keys); i++) {
        temporary_write(dir, NAME, keys[i].bytes, keys[i].size);
        assert_key(keys[i].bytes, keys[i].size);
    }
    memset(big, 'x', 512 * 1024);
    temporary_write(dir, NAME, big, 512 * 1024);
    assert_key(big, 512 * 1024);
    temporary_write(dir, NAME, big, 512 * 1024 + 1);
    assert_refused("has 524289 bytes, at most 524288");
    temporary_write(dir, NAME, "", 0);
    assert_refused("is empty: a key has at least one byte");
}

static void test_no_file(void) {
    _cleanup_temporary_ char *dir = temporary_new();
    g_autofree char *path = g_build_filename(dir, NAME, NULL);

    g_unsetenv("CREDENTIALS_DIRECTORY");
    assert_none();
    g_setenv("CREDENTIALS_DIRECTORY", "", true);
    assert_none();
    g_setenv("CREDENTIALS_DIRECTORY", dir, true);
    g_assert_cmpint(mkfifo(path, 0600), ==, 0);
    assert_refused("is empty");
    g_assert_cmpint(g_unlink(path), ==, 0);
    g_assert_cmpint(g_mkdir(path, 0700), ==, 0);
    assert_refused("is empty");
    g_assert_cmpint(g_rmdir(path), ==, 0);
    g_assert_cmpint(symlink(NAME, path), ==, 0);
    assert_refused("cannot be read: Too many levels of symbolic links");
}

static void test_unit_names(void) {
    static const struct {
        const char *text, *mount, *mapping;
    } rows[] = {
        {"/mnt/data", "mnt-data.mount", "systemd-cryptsetup@-mnt-data.service"},
        {"/mnt/my data", "mnt-my\\x20data.mount", "systemd-cryptsetup@-mnt-my\\x20data.service"},
        {"/.hidden", "\\x2ehidden.mount", "systemd-cryptsetup@-.hidden.service"},
        {"/a-b/c.d_e:f", "a\\x2db-c.d_e:f.mount", "systemd-cryptsetup@-a\\x2db-c.d_e:f.service"},
        {"/", "-.mount", "systemd-cryptsetup@-.service"},
        {"esdata", "esdata.mount", "systemd-cryptsetup@esdata.service"},
        {"/\xc3\xbc", "\\xc3\\xbc.mount", "systemd-cryptsetup@-\\xc3\\xbc.service"},
        {".x", "\\x2ex.mount", "systemd-cryptsetup@\\x2ex.service"},
    };

    for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
        _cleanup_free_ char *mount = NULL, *mapping = NULL, *back = NULL;

        g_assert_cmpint(unit_name_of_mount(rows[i].text, &mount), ==, 0);
        g_assert_cmpstr(mount, ==, rows[i].mount);
        g_assert_cmpint(unit_name_of_mapping(rows[i].text, &mapping), ==, 0);
        g_assert_cmpstr(mapping, ==, rows[i].mapping);
        g_assert_cmpint(unit_name_to_mapping(mapping, &back), ==, 1);
        g_assert_cmpstr(back, ==, rows[i].text);
    }
}

static void test_other_units(void) {
    static const char *const names[] = {"", "systemd-cryptsetup@", "systemd-cryptsetup@.service",
                                        "systemd-cryptsetup@x.socket", "x@esdata.service"};
    _cleanup_free_ char *name = NULL;

    for (size_t i = 0; i < ELEMENTSOF(names); i++)
        g_assert_cmpint(unit_name_to_mapping(names[i], &name), ==, 0);
    g_assert_cmpint(unit_name_to_mapping("systemd-cryptsetup@esdata.service.d", &name), ==, 1);
    g_assert_cmpstr(name, ==, "esdata");
}

/* What systemd itself says, of each byte. */
static void test_unit_names_beside_systemd(void) {
    g_autofree char *program = g_find_program_in_path("systemd-escape");

    if (!program) {
        g_test_skip("there is no systemd-escape");
        return;
    }
    for (unsigned c = 1; c < 256; c++) {
        const char text[] = {'/', 'a', (char)c, 'b', (char)c, 0};
        const char *argv[] = {program, "--path", "--suffix=mount", "--", text, NULL};
        g_autofree char *found = NULL;
        _cleanup_free_ char *own = NULL;

        if (c == '/')
            continue;
        g_assert_true(g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_STDERR_TO_DEV_NULL, NULL,
                                   NULL, &found, NULL, NULL, NULL));
        if (!*found)
            continue; /* it takes no such path */
        g_assert_cmpint(unit_name_of_mount(text, &own), ==, 0);
        g_assert_cmpstr(own, ==, g_strchomp(found));
    }
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/volume-key/key", test_key);
    g_test_add_func("/volume-key/no-file", test_no_file);
    g_test_add_func("/volume-key/unit-names", test_unit_names);
    g_test_add_func("/volume-key/other-units", test_other_units);
    g_test_add_func("/volume-key/unit-names-beside-systemd", test_unit_names_beside_systemd);
    return g_test_run();
}
