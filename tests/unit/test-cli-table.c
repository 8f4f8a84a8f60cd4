/* SPDX-License-Identifier: Apache-2.0 */
/* Proves that no row is wider than the screen while anything can give, in which order columns give,
 * that nothing a peer said can drive a terminal, and that colours cost no columns. */
#include <glib.h>
#include <limits.h>

#include "cli/listing.h"

static char *print(const Table *t, int width, bool legend) {
    FILE *f = tmpfile();
    char text[4096] = "";

    table_print(t, f, width, legend, "\n");
    rewind(f);
    g_assert_cmpuint(fread(text, 1, sizeof(text) - 1, f), >, 0);
    (void)fclose(f);
    return g_strdup(text);
}

static void assert_printed(const Table *t, int width, const char *expected) {
    g_autofree char *text = print(t, width, true);

    g_assert_cmpstr(text, ==, expected);
}

/* Columns are those of the screen, and no cell leaves its own. */
static void test_columns(void) {
    static const TableColumn columns[] = {{"A"}, {"B", COLUMN_RIGHT}, {"C"}};
    _cleanup_(table_freep) Table *t = table_new(columns, 3);
    g_autofree char *bare = NULL;

    g_assert_cmpint(table_add(t, (const char *[]){"grüß", "\x1b[2J\r\n\x7f", NULL}), ==, 0);
    g_assert_cmpint(table_add(t, (const char *[]){"中中", "", "\xc2\x9b\t"}), ==, 0);
    assert_printed(t, INT_MAX,
                   "A           B  C\n"
                   "grüß  ?[2J???  -\n"
                   "中中        -  ??\n");
    bare = print(t, INT_MAX, false);
    g_assert_true(g_str_has_prefix(bare, "grüß"));
}

/* The widest gives first, down to its minimum; then optional columns go, the last one first, and
 * the others have their room back. */
static void test_narrow(void) {
    static const TableColumn columns[] = {
        {"GUID", COLUMN_SHRINKS, 5}, {"N"}, {"X", COLUMN_OPTIONAL}, {"TEXT", COLUMN_SHRINKS, 5}};
    _cleanup_(table_freep) Table *t = table_new(columns, 4);

    g_assert_cmpint(table_add(t, (const char *[]){"0123456789", "7", "xxxx", "abcdefgh"}), ==, 0);
    assert_printed(t, 29, "GUID        N  X     TEXT\n0123456789  7  xxxx  abcdefgh\n");
    assert_printed(t, 27, "GUID      N  X     TEXT\n0123456…  7  xxxx  abcdefgh\n");
    assert_printed(t, 21, "GUID   N  X     TEXT\n0123…  7  xxxx  abcd…\n");
    assert_printed(t, 20, "GUID      N  TEXT\n0123456…  7  abcdef…\n");
    assert_printed(t, 15, "GUID   N  TEXT\n0123…  7  abcd…\n");
    assert_printed(t, 13, "GUID  N  TEXT\n012…  7  abc…\n");
    assert_printed(t, 12, "GUID  N\n012…  7\n");
    assert_printed(t, 3, "GUID\n012…\n"); /* it cannot be less */
}

static void test_every_width(void) {
    static const TableColumn columns[] = {{"A", COLUMN_SHRINKS, 3},
                                          {"B", COLUMN_SHRINKS | COLUMN_OPTIONAL, 3},
                                          {"中文", COLUMN_SHRINKS, 4}};
    _cleanup_(table_freep) Table *t = table_new(columns, 3);

    g_assert_cmpint(table_add(t, (const char *[]){"中文中文中文", "éééééééé", "中文中文"}), ==, 0);
    for (int width = 12; width < 60; width++) {
        g_autofree char *text = print(t, width, true);
        g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

        for (char **line = lines; *line; line++) {
            glong columns_used = 0;

            for (const char *p = *line; *p; p = g_utf8_next_char(p))
                columns_used += g_unichar_iswide(g_utf8_get_char(p)) ? 2 : 1;
            g_assert_cmpint(columns_used, <=, width);
        }
    }
}

static void format_twice(struct json_object *row, char buf[static LISTING_CELL_SIZE]) {
    (void)g_snprintf(buf, LISTING_CELL_SIZE, "%d", 2 * json_object_get_int(json_get(row, "n")));
}

/* Of every kind of value, also one that is not there, or is of another kind. */
static void test_listing(void) {
    static const ListingColumn columns[] = {
        {"TEXT", "text"},
        {"BYTES", "n", LISTING_BYTES},
        {"SPAN", "n", LISTING_SPAN},
        {"TIME", "time", LISTING_TIME},
        {"TWICE", .format = format_twice},
    };
    static const Listing l = {columns, ELEMENTSOF(columns), "time", "none"};
    _cleanup_json_ struct json_object *rows =
        json_tokener_parse("[{\"text\": \"a\", \"n\": 1536, \"time\": 1}, {\"text\": [1], \"n\": "
                           "null, \"time\": {}}]");
    _cleanup_(table_freep) Table *t = listing_make(&l, rows);

    assert_printed(t, INT_MAX,
                   "TEXT   BYTES  SPAN  TIME                     TWICE\n"
                   "a      1.5K   1ms   1970-01-01 00:00:00 UTC  3072\n"
                   "[ 1 ]  -      -     -                        0\n");
}

int main(int argc, char *argv[]) {
    g_setenv("TZ", "UTC", TRUE);
    g_setenv("LC_ALL", "C.UTF-8", TRUE);
    g_unsetenv("SYSTEMD_COLORS");
    g_setenv("NO_COLOR", "1", TRUE);
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/cli/table/columns", test_columns);
    g_test_add_func("/cli/table/narrow", test_narrow);
    g_test_add_func("/cli/table/every-width", test_every_width);
    g_test_add_func("/cli/table/listing", test_listing);
    return g_test_run();
}
