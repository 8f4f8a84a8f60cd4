/* SPDX-License-Identifier: Apache-2.0 */
/* Proves that nothing a peer said can drive a terminal. */
#include <glib.h>

#include "dcm-manager/table.h"

/* Columns are those of the screen, and no cell leaves its own. */
static void test_columns(void) {
    _cleanup_(table_freep) Table *t = table_new(3, (const char *[]){"A", "B", "C"});
    FILE *f = tmpfile();
    char text[256] = "";

    g_assert_cmpint(table_add(t, (const char *[]){"gr\xc3\xbc\xc3\x9f", "\x1b[2J\r\n\x7f", NULL}),
                    ==, 0);
    g_assert_cmpint(table_add(t, (const char *[]){"\xe4\xb8\xad\xe4\xb8\xad", "", "\xc2\x9b\t"}),
                    ==, 0);
    table_print(t, f);
    rewind(f);
    g_assert_cmpuint(fread(text, 1, sizeof(text) - 1, f), >, 0);
    (void)fclose(f);
    g_assert_cmpstr(text, ==,
                    "A     B        C\n"
                    "gr\xc3\xbc\xc3\x9f  ?[2J???  -\n"
                    "\xe4\xb8\xad\xe4\xb8\xad  -        ??\n");
}

static void test_time(void) {
    char text[32];

    format_time(0, text, sizeof(text));
    g_assert_cmpstr(text, ==, "-");
    format_time(-1, text, sizeof(text));
    g_assert_cmpstr(text, ==, "-");
}

int main(int argc, char *argv[]) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/manager/table/columns", test_columns);
    g_test_add_func("/manager/table/time", test_time);
    return g_test_run();
}
