/* SPDX-License-Identifier: Apache-2.0 */
/* Proves which entries of an archive are unpacked and where: whatever paths and links it has, and
 * in whatever order, nothing leads out of the directory; its kind, modes and limits. Ids and units
 * of services. */
#include <glib.h>

#include "basic/bounds.h"
#include "service/archive-rule.h"
#include "service/service-id.h"
#include "site/storage.h"

static void test_paths(void) {
    static const struct {
        const char *name, *path; /* NULL: refused */
    } rows[] = {
        {"a", "a"},
        {"./a//b/", "a/b"},
        {"", ""},
        {".", ""},
        {"./", ""},
        {"a/./b", "a/b"},
        {"..a/b..", "..a/b.."},
        {"a b", "a b"},
        {"\xc3\xa4", "\xc3\xa4"},
        {"...", "..."},
        {"/a", NULL},
        {"//a", NULL},
        {"..", NULL},
        {"../a", NULL},
        {"a/..", NULL},
        {"a/../b", NULL},
        {"./../a", NULL},
        {"a/b/../../..", NULL},
        {"a\nb", NULL},
        {"a\x7f", NULL},
        {"a\x1b[2J", NULL},
    };

    for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
        g_autofree char *path = NULL;
        const char *why = NULL;
        const int r = archive_path_make(rows[i].name, &path, &why);

        g_assert_cmpint(r, ==, rows[i].path ? 0 : -EINVAL);
        g_assert_cmpstr(path, ==, rows[i].path);
        g_assert_true(rows[i].path || why);
    }
}

static void test_long_paths(void) {
    g_autofree char *longest = g_strnfill(ARCHIVE_NAME_MAX, 'x'), *path = NULL, *none = NULL;
    g_autofree char *longer = g_strnfill(ARCHIVE_NAME_MAX + 1, 'x');
    g_autoptr(GString) deep = g_string_new("d");
    const char *why = NULL;

    g_assert_cmpint(archive_path_make(longest, &path, &why), ==, 0);
    g_assert_cmpint(archive_path_make(longer, &none, &why), ==, -EINVAL);
    for (size_t i = 1; i < ARCHIVE_DEPTH_MAX; i++)
        g_string_append(deep, "/d");
    g_clear_pointer(&path, g_free);
    g_assert_cmpint(archive_path_make(deep->str, &path, &why), ==, 0);
    g_string_append(deep, "/d");
    g_assert_cmpint(archive_path_make(deep->str, &none, &why), ==, -EINVAL);
    while (deep->len <= ARCHIVE_PATH_MAX)
        g_string_append(deep, "/.");
    g_assert_cmpint(archive_path_make(deep->str, &none, &why), ==, -EINVAL);
}

static void test_links(void) {
    static const struct {
        const char *path, *target;
        bool is_good;
    } rows[] = {
        {"l", "a", true},
        {"l", "a/b", true},
        {"l", ".", true},
        {"l", "./a", true},
        {"a/l", "..", true},
        {"a/l", "../b", true},
        {"a/b/l", "../../c", true},
        {"a/b/l", ".././../c", true},
        {"l", "..a", true},
        {"l", "", false},
        {"l", "/", false},
        {"l", "/a", false},
        {"l", "..", false},
        {"l", "../a", false},
        {"a/l", "../..", false},
        {"a/l", "b/..", false},
        {"a/l", "../b/../c", false},
        {"l", "a/../..", false},
        {"l", "a\nb", false},
    };

    for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
        const char *why = NULL;
        const int r = archive_link_check(rows[i].path, rows[i].target, &why);

        g_assert_cmpint(r, ==, rows[i].is_good ? 0 : -EINVAL);
        g_assert_true(rows[i].is_good || why);
    }
}

/* --- links of links -------------------------------------------------------------------------- */

#define NODES 12

/* A made-up tree: directories, and links that the rule has accepted. */
typedef struct Tree {
    char *paths[NODES], *targets[NODES]; /* without target it is a directory */
    size_t n;
} Tree;

static const char *target_of(const Tree *t, const char *path) {
    for (size_t i = 0; i < t->n; i++)
        if (streq(t->paths[i], path))
            return t->targets[i];
    return NULL;
}

/* Something is there already: no link takes its place. */
static bool is_taken(const Tree *t, const char *path) {
    for (size_t i = 0; i < t->n; i++)
        if (g_str_has_prefix(t->paths[i], path) && strchr("/", t->paths[i][strlen(path)]))
            return true;
    return false;
}

/* Walks as the kernel does. False: it has left the tree. */
static bool stays_inside(const Tree *t, GString *at, const char *path, unsigned *left) {
    g_auto(GStrv) parts = g_strsplit(path, "/", -1);

    for (char **part = parts; *part; part++) {
        const char *target, *slash;
        gsize length = at->len;

        if (!**part || streq(*part, "."))
            continue;
        if (streq(*part, "..")) {
            if (at->len == 0)
                return false;
            slash = strrchr(at->str, '/');
            g_string_truncate(at, slash ? (gsize)(slash - at->str) : 0);
            continue;
        }
        g_string_append_printf(at, "%s%s", at->len > 0 ? "/" : "", *part);
        target = target_of(t, at->str);
        if (!target)
            continue;
        if (--*left == 0)
            return true; /* too many links: the kernel gives up */
        g_string_truncate(at, length);
        if (!stays_inside(t, at, target, left))
            return false;
    }
    return true;
}

/* A path whose directories are no links, as the unpacker has it. */
static char *random_path(const Tree *t) {
    g_autoptr(GString) path = g_string_new(NULL);

    for (int depth = g_test_rand_int_range(1, 4); depth > 0; depth--) {
        if (path->len > 0)
            g_string_append_c(path, '/');
        g_string_append_c(path, (char)g_test_rand_int_range('a', 'e'));
        if (target_of(t, path->str))
            break;
    }
    return g_string_free(g_steal_pointer(&path), FALSE);
}

static char *random_target(void) {
    static const char *const parts[] = {"..", "a", "b", "c", "d", ".", ".."};
    g_autoptr(GString) target = g_string_new(parts[g_test_rand_int_range(0, ELEMENTSOF(parts))]);

    for (int n = g_test_rand_int_range(0, 5); n > 0; n--)
        g_string_append_printf(target, "/%s", parts[g_test_rand_int_range(0, ELEMENTSOF(parts))]);
    return g_string_free(g_steal_pointer(&target), FALSE);
}

static size_t check_tree(void) {
    Tree t = {};
    const char *why = NULL;

    for (int tries = 0; tries < 40 && t.n < NODES; tries++) {
        char *path = random_path(&t), *target = random_target();

        if (!is_taken(&t, path) && archive_link_check(path, target, &why) == 0) {
            t.paths[t.n] = path;
            t.targets[t.n++] = target;
            continue;
        }
        g_free(path);
        g_free(target);
    }
    for (size_t i = 0; i < t.n; i++) {
        g_autoptr(GString) at = g_string_new(NULL);
        unsigned left = 40;

        g_assert_true(stays_inside(&t, at, t.paths[i], &left));
    }
    for (size_t i = 0; i < t.n; i++) {
        g_free(t.paths[i]);
        g_free(t.targets[i]);
    }
    return t.n;
}

static void test_links_of_links(void) {
    size_t n = 0;

    for (int i = 0; i < 20000; i++)
        n += check_tree();
    g_assert_cmpuint(n, >, 20000);
}

/* --- the rest -------------------------------------------------------------------------------- */

static void test_modes(void) {
    g_assert_cmpint(archive_mode("", S_IFDIR | 0700, false), ==, 01775);
    g_assert_cmpint(archive_mode("bin", S_IFDIR | 0700, false), ==, 02755);
    g_assert_cmpint(archive_mode("bin", S_IFREG | 0777, false), ==, 0750);
    g_assert_cmpint(archive_mode("bin/x", S_IFREG | 0644, false), ==, 0750);
    g_assert_cmpint(archive_mode("bin/d", S_IFDIR | 0755, false), ==, 0755);
    g_assert_cmpint(archive_mode("bin/d", S_IFDIR | 0777, false), ==, 0755);
    g_assert_cmpint(archive_mode("bin/d", S_IFDIR | 01777, true), ==, 01755);
    g_assert_cmpint(archive_mode("binary", S_IFREG | 0644, false), ==, 0644);
    g_assert_cmpint(archive_mode("cfg", S_IFDIR | 0755, false), ==, 0770);
    g_assert_cmpint(archive_mode("cfg/a/b", S_IFREG | 0600, false), ==, 0770);
    g_assert_cmpint(archive_mode("a", S_IFREG | 06777, false), ==, 0775);
    g_assert_cmpint(archive_mode("a", S_IFREG | 06755, true), ==, 06755);
    g_assert_cmpint(archive_mode("a", S_IFREG, false), ==, 0600);
    g_assert_cmpint(archive_mode("a", S_IFDIR | 01777, false), ==, 0775);
}

static void test_limits(void) {
    const ArchiveLimits l = {.size_max = 10, .entries_max = 2};
    ArchiveCount c = {};
    const char *why = NULL;

    g_assert_cmpint(archive_count_entry(&c, &l, &why), ==, 0);
    g_assert_cmpint(archive_count_entry(&c, &l, &why), ==, 0);
    g_assert_cmpint(archive_count_entry(&c, &l, &why), ==, -EFBIG);
    g_assert_cmpint(archive_count_bytes(&c, &l, 4, &why), ==, 0);
    g_assert_cmpint(archive_count_bytes(&c, &l, UINT64_MAX, &why), ==, -EFBIG);
    g_assert_cmpint(archive_count_bytes(&c, &l, 6, &why), ==, 0);
    g_assert_cmpint(archive_count_bytes(&c, &l, 1, &why), ==, -EFBIG);
}

static void test_kinds(void) {
    static const char *const names[] = {"x.tar.gz", "x.tgz",    "x.tar.bz2", "x.zip",
                                        "x.tar",    "x.tar.xz", "x.tar.zst"};
    static const char *const others[] = {"x", "x.gz", ".zip", "x.ZIP", "x.zip.exe", "xzip", ""};

    for (size_t i = 0; i < ELEMENTSOF(names); i++) {
        const ArchiveKind kind = archive_kind_of(names[i]);

        g_assert_cmpint(kind, !=, ARCHIVE_KIND_UNKNOWN);
        g_assert_cmpint(archive_kind_from_name(archive_kind_name(kind)), ==, kind);
    }
    for (size_t i = 0; i < ELEMENTSOF(others); i++)
        g_assert_cmpint(archive_kind_of(others[i]), ==, ARCHIVE_KIND_UNKNOWN);
    g_assert_cmpint(archive_kind_from_name("unknown"), ==, ARCHIVE_KIND_UNKNOWN);
    g_assert_cmpint(archive_kind_from_name("x"), ==, ARCHIVE_KIND_UNKNOWN);
}

static void test_ids(void) {
    g_autofree char *longest = g_strnfill(SERVICE_ID_MAX, 'a');
    g_autofree char *longer = g_strnfill(SERVICE_ID_MAX + 1, 'a');
    const char *good[] = {"a", "a1", "a.b-c_D", longest};
    const char *bad[] = {"", "b", "A1", "1a", ".a", "a/b", "a b", "a\n", "a%", "\xc3\xa4", longer};
    g_autofree char *unit = NULL;

    for (size_t i = 0; i < ELEMENTSOF(good); i++)
        g_assert_true(service_id_is_valid(good[i]));
    for (size_t i = 0; i < ELEMENTSOF(bad); i++)
        g_assert_false(service_id_is_valid(bad[i]));
    g_assert_false(service_id_is_valid(NULL));
    g_assert_cmpint(service_unit_name("a1", &unit), ==, 0);
    g_assert_cmpstr(unit, ==, "dcm-service-a1.service");
}

static void test_directories(void) {
    const char *good[] = {"/srv/dcm/services", "/a", "/a.b/..c", "/mnt/x-1@2+3"};
    const char *bad[] = {"",      "/",      "a",    "/a/",  "/a//b", "/a/../b",
                         "/a/..", "/a/./b", "/a b", "/a%b", "/a$b",  "/a\"b"};

    for (size_t i = 0; i < ELEMENTSOF(good); i++)
        g_assert_true(storage_services_dir_is_valid(good[i]));
    for (size_t i = 0; i < ELEMENTSOF(bad); i++)
        g_assert_false(storage_services_dir_is_valid(bad[i]));
}

static void test_unit(void) {
    static const char text[] = "[Service]\nExecStart=/bin/true\n";
    g_autofree char *unit = NULL, *large = g_strnfill(SERVICE_UNIT_MAX + 1, 'x'), *none = NULL;

    g_assert_cmpint(service_unit_make("a1", "/srv/a1", "u", text, strlen(text), &unit), ==, 0);
    g_assert_nonnull(strstr(unit, "\nUser=u\n"));
    g_assert_nonnull(strstr(unit, "\nWorkingDirectory=/srv/a1\n"));
    g_assert_nonnull(strstr(unit, "\nRequiresMountsFor=/srv/a1\n"));
    /* what it says itself comes last, and so counts */
    g_assert_true(strstr(unit, text) > strstr(unit, "User="));
    g_assert_cmpint(service_unit_make("a1", "/srv/a1", "u", "a\0b", 3, &none), ==, -EINVAL);
    g_assert_cmpint(service_unit_make("a1", "/srv/a1", "u", "\xff", 1, &none), ==, -EINVAL);
    g_assert_cmpint(service_unit_make("a1", "/srv/a1", "u", large, SERVICE_UNIT_MAX + 1, &none), ==,
                    -EINVAL);
}

int main(int argc, char *argv[]) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/service-archive/paths", test_paths);
    g_test_add_func("/service-archive/long-paths", test_long_paths);
    g_test_add_func("/service-archive/links", test_links);
    g_test_add_func("/service-archive/links-of-links", test_links_of_links);
    g_test_add_func("/service-archive/modes", test_modes);
    g_test_add_func("/service-archive/limits", test_limits);
    g_test_add_func("/service-archive/kinds", test_kinds);
    g_test_add_func("/service-archive/ids", test_ids);
    g_test_add_func("/service-archive/directories", test_directories);
    g_test_add_func("/service-archive/unit", test_unit);
    return g_test_run();
}
