/* SPDX-License-Identifier: Apache-2.0 */
/* Proves that any GUID becomes a safe name, that no two share one, and what is no GUID. */
#include <glib.h>

#include "basic/guid.h"

static void check_name(const char *guid, const char *expected) {
    g_autofree char *unit = NULL;
    char name[JOB_NAME_SIZE], unit_name[JOB_UNIT_SIZE];

    guid_to_job_name(guid, name);
    if (expected)
        g_assert_cmpstr(name, ==, expected);
    g_assert_null(strchr(name, '/'));
    g_assert_cmpint(name[0], !=, '.');
    guid_to_unit_name(guid, unit_name);
    unit = g_strdup_printf("dcm-job-%s.service", name);
    g_assert_cmpstr(unit_name, ==, unit);
}

static void test_plain(void) {
    g_autofree char *longest = g_strnfill(GUID_PLAIN_MAX, 'x');

    check_name("0c1f63a8-7d0f-4b6e-9b1e-1e1f0f3a2b4c", "0c1f63a8-7d0f-4b6e-9b1e-1e1f0f3a2b4c");
    check_name("A.z_9-", "A.z_9-");
    check_name("-x", "-x");
    check_name("h", "h");
    check_name(longest, longest);
}

static void test_hashed(void) {
    g_autofree char *too_long = g_strnfill(GUID_PLAIN_MAX + 1, 'x');
    const char *const guids[] = {".",   "..",       ".hidden", "../../x", "a/b",
                                 "a b", "\xc3\xbc", "h-",      "h-x",     too_long};

    for (size_t i = 0; i < G_N_ELEMENTS(guids); i++) {
        g_autofree char *hash = g_compute_checksum_for_string(G_CHECKSUM_SHA256, guids[i], -1);
        g_autofree char *expected = g_strconcat("h-", hash, NULL);

        check_name(guids[i], expected);
        check_name(expected, NULL);
    }
}

/* A GUID that looks like the hashed name of another one. */
static void test_distinct(void) {
    char first[JOB_NAME_SIZE], second[JOB_NAME_SIZE];

    guid_to_job_name("a/b", first);
    guid_to_job_name(first, second);
    g_assert_cmpstr(first, !=, second);
}

static void test_valid(void) {
    g_autofree char *longest = g_strnfill(GUID_SIZE_MAX, 'x');
    g_autofree char *too_long = g_strnfill(GUID_SIZE_MAX + 1, 'x');

    g_assert_true(guid_is_valid("x"));
    g_assert_true(guid_is_valid("../../x y"));
    g_assert_true(guid_is_valid("\xc3\xbc"));
    g_assert_true(guid_is_valid(longest));
    g_assert_false(guid_is_valid(too_long));
    g_assert_false(guid_is_valid(""));
    g_assert_false(guid_is_valid("a\nb"));
    g_assert_false(guid_is_valid("\x7f"));
    g_assert_false(guid_is_valid("a\x01"));
    g_assert_false(guid_is_valid("\xc3")); /* no UTF-8, or no text for D-Bus */
    g_assert_false(guid_is_valid("a\xef\xbf\xbf"));
    g_assert_false(guid_is_valid("\xef\xb7\x90"));
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/guid/plain", test_plain);
    g_test_add_func("/guid/hashed", test_hashed);
    g_test_add_func("/guid/distinct", test_distinct);
    g_test_add_func("/guid/valid", test_valid);
    return g_test_run();
}
