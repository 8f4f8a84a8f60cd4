/* SPDX-License-Identifier: Apache-2.0 */
/* Proves that our lines in fstab(5) and crypttab(5) are added and removed exactly, that every other
 * byte stays, that a line edited by hand is not ours any more, and that the file keeps mode, owner
 * and links, or stays as it was. */
#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>

#include "dcm-volume/tabs.h"
#include "temporary.h"

static const TabLine data = {TAB_FSTAB, "UUID=1111-2222", "/mnt/data", "ext4", "defaults,nofail"};

static char *added(const char *text, const TabLine *line) {
    char *all = NULL;

    g_assert_cmpint(tab_add(text, line, &all), ==, 0);
    return all;
}

static void assert_removed(const char *text, TabType type, const char *target, const char *expected,
                           bool foreign) {
    _cleanup_free_ char *rest = NULL;
    bool is_foreign;

    g_assert_cmpint(tab_remove(text, type, target, &rest, &is_foreign), >=, 0);
    g_assert_cmpstr(rest, ==, expected);
    g_assert_cmpint(is_foreign, ==, foreign);
}

/* What comes of any text and goes again is the text. */
static void test_round_trip(void) {
    static const char *const texts[] = {
        "",
        "# comment\n",
        "UUID=a / ext4 errors=remount-ro 0 1\n",
        "UUID=a / ext4 defaults 0 1\n\n\n# /mnt/data is not here\n\t\n/dev/sr0\t/media iso9660\n",
        "UUID=a /mnt/data2 ext4 defaults\n/dev/b /mnt/data/below xfs defaults 0 0\n",
        "# dcm-volume 12345678 of nothing\nUUID=a / ext4 defaults 0 1\n",
    };

    for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
        _cleanup_free_ char *all = added(texts[i], &data), *again = added(all, &data);

        g_assert_true(g_str_has_prefix(all, texts[i]));
        g_assert_true(
            g_str_has_suffix(all, "\nUUID=1111-2222 /mnt/data ext4 defaults,nofail 0 2\n"));
        g_assert_cmpstr(again, ==, all);
        assert_removed(all, TAB_FSTAB, "/mnt/data", texts[i], false);
        assert_removed(all, TAB_FSTAB, "/mnt/data/", texts[i], false);
        assert_removed(all, TAB_FSTAB, "/mnt/dat", all, false);
    }
}

/* A last line without newline gets one, or ours would be a part of it. */
static void test_no_newline(void) {
    _cleanup_free_ char *all = added("UUID=a / ext4 defaults 0 1", &data);

    assert_removed(all, TAB_FSTAB, "/mnt/data", "UUID=a / ext4 defaults 0 1\n", false);
}

static void test_edited(void) {
    _cleanup_free_ char *all = added("", &data), *again = NULL;
    g_auto(GStrv) parts = g_strsplit(all, "nofail", 2);
    g_autofree char *edited = g_strjoinv("noatime", parts);
    TabEntry *entries;
    size_t n;

    assert_removed(edited, TAB_FSTAB, "/mnt/data", edited, true);
    g_assert_cmpint(tab_add(edited, &data, &again), ==, -EEXIST);
    g_assert_cmpint(tab_parse(edited, TAB_FSTAB, &entries, &n), ==, 0);
    g_assert_cmpuint(n, ==, 1);
    g_assert_false(entries[0].ours);
    tab_entries_free(entries, n);
}

/* A line for the same place that was there before, below it or above it. */
static void test_foreign(void) {
    static const char foreign[] = "/dev/sdb1 /mnt/data ext4 defaults 0 2\n";
    _cleanup_free_ char *all = NULL, *ours = added("", &data);
    g_autofree char *both = g_strconcat(ours, foreign, NULL);

    g_assert_cmpint(tab_add(foreign, &data, &all), ==, -EEXIST);
    assert_removed(both, TAB_FSTAB, "/mnt/data", foreign, true);
}

static void test_escapes(void) {
    const TabLine line = {TAB_FSTAB, "UUID=1", "/mnt/my #1 \\data", "xfs", "defaults"};
    _cleanup_free_ char *all = added("", &line), *bad = NULL;
    const TabLine broken = {TAB_FSTAB, "UUID=1", "/mnt/a\n/b", "xfs", "defaults"};
    const TabLine empty = {TAB_FSTAB, "UUID=1", "", "xfs", "defaults"};
    TabEntry *entries;
    size_t n;

    g_assert_nonnull(strstr(all, " /mnt/my\\040\\0431\\040\\134data xfs "));
    g_assert_cmpint(tab_parse(all, TAB_FSTAB, &entries, &n), ==, 0);
    g_assert_cmpuint(n, ==, 1);
    g_assert_cmpstr(entries[0].target, ==, line.target);
    g_assert_cmpstr(entries[0].source, ==, "UUID=1");
    g_assert_cmpstr(entries[0].fs_type, ==, "xfs");
    g_assert_true(entries[0].ours);
    tab_entries_free(entries, n);
    assert_removed(all, TAB_FSTAB, line.target, "", false);
    g_assert_cmpint(tab_add("", &broken, &bad), ==, -EINVAL);
    g_assert_cmpint(tab_add("", &empty, &bad), ==, -EINVAL);
}

static void test_crypttab(void) {
    static const char old[] = "# name device key options\nswap /dev/sdb /dev/urandom swap\n";
    const TabLine line = {TAB_CRYPTTAB, "UUID=1", "esdata", NULL, "luks,noauto"};
    _cleanup_free_ char *all = added(old, &line);
    TabEntry *entries;
    size_t n;

    g_assert_true(g_str_has_suffix(all, "\nesdata UUID=1 none luks,noauto\n"));
    g_assert_cmpint(tab_parse(all, TAB_CRYPTTAB, &entries, &n), ==, 0);
    g_assert_cmpuint(n, ==, 2);
    g_assert_cmpstr(entries[0].target, ==, "swap");
    g_assert_cmpstr(entries[0].source, ==, "/dev/sdb");
    g_assert_false(entries[0].ours);
    g_assert_cmpstr(entries[1].target, ==, "esdata");
    g_assert_cmpstr(entries[1].options, ==, "luks,noauto");
    g_assert_true(entries[1].ours);
    tab_entries_free(entries, n);
    assert_removed(all, TAB_CRYPTTAB, "esdata", old, false);
}

/* Two of ours, removed in either order. */
static void test_two(void) {
    const TabLine other = {TAB_FSTAB, "UUID=3", "/mnt/other", "xfs", "defaults"};
    _cleanup_free_ char *one = added("# x\n", &data), *two = added(one, &other);
    _cleanup_free_ char *rest = NULL;

    assert_removed(two, TAB_FSTAB, "/mnt/other", one, false);
    g_assert_cmpint(tab_remove(two, TAB_FSTAB, "/mnt/data", &rest, NULL), ==, 1);
    assert_removed(rest, TAB_FSTAB, "/mnt/other", "# x\n", false);
}

static char *contents(const char *path) {
    char *text;

    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    return text;
}

static void test_file(void) {
    _cleanup_temporary_ char *dir = temporary_new();
    g_autofree char *path = g_build_filename(dir, "fstab", NULL);
    g_autofree char *link = g_build_filename(dir, "link", NULL), *text = NULL;
    bool foreign;

    g_assert_cmpint(tab_file_remove(path, TAB_FSTAB, "/mnt/data", &foreign), ==, 0);
    g_assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
    g_assert_cmpint(tab_file_add(path, &data), ==, 1);
    g_assert_cmpint(temporary_mode(path), ==, 0644);
    g_assert_cmpint(tab_file_add(path, &data), ==, 0);
    g_assert_cmpint(chmod(path, 0640), ==, 0);
    g_assert_cmpint(symlink(path, link), ==, 0);
    g_assert_cmpint(tab_file_remove(link, TAB_FSTAB, "/mnt/data", &foreign), ==, 1);
    g_assert_cmpint(temporary_mode(path), ==, 0640);
    g_assert_true(g_file_test(link, G_FILE_TEST_IS_SYMLINK));
    text = contents(path);
    g_assert_cmpstr(text, ==, "");
}

/* What a killed run left does not stay. */
static void test_file_left(void) {
    _cleanup_temporary_ char *dir = temporary_new();
    g_autofree char *path = g_build_filename(dir, "fstab", NULL);
    g_autofree char *rest = g_strdup_printf("%s.dcm-volume.new", path);
    g_autofree char *text = NULL;

    g_assert_true(g_file_set_contents(rest, "half a li", -1, NULL));
    g_assert_cmpint(tab_file_add(path, &data), ==, 1);
    g_assert_false(g_file_test(rest, G_FILE_TEST_EXISTS));
    text = contents(path);
    g_assert_null(strstr(text, "half"));
}

/* A NUL in it, or no room for the new file: the old one stays, and no other is left behind. */
static void test_file_stays(void) {
    _cleanup_temporary_ char *dir = temporary_new();
    g_autofree char *path = g_build_filename(dir, "fstab", NULL), *text = NULL;

    temporary_write(dir, "fstab", "a\0b\n", 4);
    g_assert_cmpint(tab_file_add(path, &data), ==, -EBADMSG);
    g_assert_cmpint(tab_file_add("/proc/nonexistent/fstab", &data), ==, -ENOENT);
    temporary_write(dir, "fstab", "/dev/x /mnt/data xfs defaults\n", 30);
    g_assert_cmpint(tab_file_add(path, &data), ==, -EEXIST);
    text = contents(path);
    g_assert_cmpstr(text, ==, "/dev/x /mnt/data xfs defaults\n");
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/volume-tabs/round-trip", test_round_trip);
    g_test_add_func("/volume-tabs/no-newline", test_no_newline);
    g_test_add_func("/volume-tabs/edited", test_edited);
    g_test_add_func("/volume-tabs/foreign", test_foreign);
    g_test_add_func("/volume-tabs/escapes", test_escapes);
    g_test_add_func("/volume-tabs/crypttab", test_crypttab);
    g_test_add_func("/volume-tabs/two", test_two);
    g_test_add_func("/volume-tabs/file", test_file);
    g_test_add_func("/volume-tabs/file-left", test_file_left);
    g_test_add_func("/volume-tabs/file-stays", test_file_stays);
    return g_test_run();
}
