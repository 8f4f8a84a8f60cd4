/* SPDX-License-Identifier: Apache-2.0 */
/* Proves the token's form (protocol, section 2), that it stays the same once it is made, and that
 * one which cannot be used is replaced, whole and readable for nobody else. */
#include <glib.h>

#include "core/token.h"
#include "temporary.h"

#define ALPHABET "A-Za-z0-9_!@#^(),.=+-"
#define FORM                                                                                       \
    "^[" ALPHABET "]{30,59}[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"

static void test_form(void) {
    _cleanup_temporary_ char *dir = temporary_new();
    g_autofree char *path = g_build_filename(dir, "token", NULL);
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    size_t shortest = SIZE_MAX, longest = 0;

    for (unsigned i = 0; i < 500; i++) {
        char token[TOKEN_SIZE];

        g_assert_cmpint(token_create(path, token), ==, 0);
        g_assert_true(g_regex_match_simple(FORM, token, 0, 0));
        g_assert_true(g_hash_table_add(seen, g_strdup(token)));
        shortest = MIN(shortest, strlen(token));
        longest = MAX(longest, strlen(token));
    }
    g_assert_cmpuint(shortest, >=, 66);
    g_assert_cmpuint(longest, <=, 95);
    g_assert_cmpuint(longest - shortest, >, 20);
}

static void test_kept(void) {
    static const char *const ends[] = {"", "\n", "\r\n"};
    _cleanup_temporary_ char *dir = temporary_new();
    g_autofree char *path = g_build_filename(dir, "token", NULL);
    char first[TOKEN_SIZE], again[TOKEN_SIZE];

    g_assert_cmpint(token_load_or_create(path, first), ==, 0);
    g_assert_cmpint(temporary_mode(path), ==, 0600);
    for (size_t i = 0; i < ELEMENTSOF(ends); i++) {
        g_autofree char *text = g_strconcat(first, ends[i], NULL);

        temporary_write(dir, "token", text, strlen(text));
        g_assert_cmpint(token_load_or_create(path, again), ==, 0);
        g_assert_cmpstr(again, ==, first);
    }
}

#define UUID "5eac5a497-142f-45f4-93a4-d2a9c93faeb"

static void test_shortest_and_longest(void) {
    static const struct {
        size_t random;
        const char *end;
        bool kept;
    } cases[] = {
        {29, "", false}, {30, "", true}, {59, "", true}, {59, "\n", true}, {60, "", false},
    };
    _cleanup_temporary_ char *dir = temporary_new();
    g_autofree char *path = g_build_filename(dir, "token", NULL);

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        g_autofree char *random = g_strnfill(cases[i].random, 'x');
        g_autofree char *text = g_strconcat(random, UUID, cases[i].end, NULL);
        char token[TOKEN_SIZE];

        temporary_write(dir, "token", text, strlen(text));
        g_assert_cmpint(token_load_or_create(path, token), ==, 0);
        g_assert_cmpint(g_str_has_prefix(text, token), ==, cases[i].kept);
    }
}

static void test_replaced(void) {
    static const struct {
        const char *text;
        size_t size;
    } cases[] = {
        {"", 0},
        {"\n", 1},
        {"short", 5},
        {"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", 68}, /* a blank */
        {"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\0xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", 68},
        {"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\xffxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", 68},
        {"\nxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", 70},
    };
    g_autofree char *huge = g_strnfill(100000, 'x');
    _cleanup_temporary_ char *dir = temporary_new();
    g_autofree char *path = g_build_filename(dir, "token", NULL);

    for (size_t i = 0; i <= ELEMENTSOF(cases); i++) {
        bool last = i == ELEMENTSOF(cases);
        char token[TOKEN_SIZE], again[TOKEN_SIZE];

        temporary_write(dir, "token", last ? huge : cases[i].text, last ? 100000 : cases[i].size);
        g_assert_cmpint(token_load_or_create(path, token), ==, 0);
        g_assert_true(g_regex_match_simple(FORM, token, 0, 0));
        g_assert_cmpint(token_load_or_create(path, again), ==, 0);
        g_assert_cmpstr(again, ==, token);
        g_assert_cmpint(temporary_mode(path), ==, 0600);
    }
}

/* A new file takes the place of the old one; nothing else is left in the directory. */
static void test_atomic(void) {
    _cleanup_temporary_ char *dir = temporary_new();
    g_autofree char *path = g_build_filename(dir, "token", NULL);
    g_autoptr(GDir) entries = NULL;
    char token[TOKEN_SIZE];
    struct stat before, after;

    g_assert_cmpint(token_create(path, token), ==, 0);
    g_assert_cmpint(stat(path, &before), ==, 0);
    g_assert_cmpint(token_create(path, token), ==, 0);
    g_assert_cmpint(stat(path, &after), ==, 0);
    g_assert_cmpuint(before.st_ino, !=, after.st_ino);
    entries = g_dir_open(dir, 0, NULL);
    g_assert_cmpstr(g_dir_read_name(entries), ==, "token");
    g_assert_null(g_dir_read_name(entries));
}

static void test_errors(void) {
    char token[TOKEN_SIZE] = "untouched";

    g_assert_cmpint(token_load_or_create("/nonexistent/token", token), ==, -ENOENT);
    g_assert_cmpint(token_load_or_create("/", token), ==, -EISDIR);
    g_assert_cmpstr(token, ==, "untouched");
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/token/form", test_form);
    g_test_add_func("/token/kept", test_kept);
    g_test_add_func("/token/shortest-and-longest", test_shortest_and_longest);
    g_test_add_func("/token/replaced", test_replaced);
    g_test_add_func("/token/atomic", test_atomic);
    g_test_add_func("/token/errors", test_errors);
    return g_test_run();
}
