/* SPDX-License-Identifier: Apache-2.0 */
/* Proves that nothing a peer said can drive a terminal. */
#include <glib.h>

#include "manager/table.h"

static void check(const char *text, bool keep_tabs, const char *expected) {
    g_autofree char *safe = text_for_terminal(text, keep_tabs);

    g_assert_cmpstr(safe, ==, expected);
}

static void test_controls(void) {
    check("plain", false, "plain");
    check("\x1b[2J\r\n\x7f", false, "?[2J???");
    check("a\tb", true, "a\tb");
    check("a\tb", false, "a?b");
    check("\xc2\x9b"
          "31m",
          false, "??31m"); /* C1 CSI */
    check("gr\xc3\xbc\xc3\x9f", false, "gr\xc3\xbc\xc3\x9f");
    check("\xff", false, "\xef\xbf\xbd");
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
    g_test_add_func("/manager/table/controls", test_controls);
    g_test_add_func("/manager/table/time", test_time);
    return g_test_run();
}
