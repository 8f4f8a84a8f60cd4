/* SPDX-License-Identifier: Apache-2.0 */
/* Proves that no text can drive a terminal, turn or hide what stands beside it, or push a column
 * out of its place; and that JSON says the same with and without that care. */
#include <glib.h>
#include <json-c/json.h>
#include <locale.h>
#include <pty.h>
#include <unistd.h>

#include "basic/terminal.h"
#include "basic/utf8.h"

#define FFFD "\xef\xbf\xbd"
#define COMBINING "\xcc\x81" /* U+0301 */
#define WIDE "\xe4\xb8\xad"  /* U+4E2D */

static void check_size(const char *text, size_t size, TerminalFlags flags, const char *expected) {
    g_autofree char *clean = terminal_clean(text, size, flags);

    g_assert_cmpstr(clean, ==, expected);
    g_assert_true(g_utf8_validate(clean, -1, NULL));
}

static void check(const char *text, TerminalFlags flags, const char *expected) {
    check_size(text, strlen(text), flags, expected);
}

static void test_controls(void) {
    check("plain", 0, "plain");
    check("", 0, "");
    check("\x1b[2J\x1b]0;x\x07\r\n\b\x7f", 0, "?[2J?]0;x?????");
    check("\xc2\x9b"
          "31m\xc2\x80\xc2\x85\xc2\x9f",
          0, "?31m???");
    check("\x9b"
          "31m\x80\x9f",
          0, FFFD "31m" FFFD FFFD); /* C1 of terminals of eight bits */
    check("a\tb", TERMINAL_TABS, "a\tb");
    check("a\tb", 0, "a?b");
    check("a\nb\r\nc\rd", TERMINAL_LINES, "a\nb\nc?d");
    check("a\nb", TERMINAL_TABS, "a?b");
    check_size("a\0b", 3, 0, "a?b");
    for (char c = 1; c < 0x20; c++)
        check((const char[]){c, 0}, 0, "?");
}

/* Each alone, and between letters; whatever is asked for. */
static void test_hidden(void) {
    static const uint32_t ranges[][2] = {
        {0x80, 0x9f},     {0xad, 0xad},     {0x61c, 0x61c},     {0x200b, 0x200f},
        {0x2028, 0x202e}, {0x2060, 0x206f}, {0xfe00, 0xfe0f},   {0xfeff, 0xfeff},
        {0xfff9, 0xfffb}, {0x180e, 0x180e}, {0xe0001, 0xe0001}, {0xe0020, 0xe007f},
        {0x3164, 0x3164},
    };

    for (size_t i = 0; i < ELEMENTSOF(ranges); i++)
        for (uint32_t c = ranges[i][0]; c <= ranges[i][1]; c++) {
            char text[16] = "a";
            int n = g_unichar_to_utf8(c, text + 1);

            memcpy(text + 1 + n, "b", 2);
            check(text, 0, "a?b");
            check(text, TERMINAL_TABS | TERMINAL_LINES, "a?b");
        }
}

static void test_invalid(void) {
    check("\xff", 0, FFFD);
    check("a\xc3", 0, "a" FFFD);
    check("\xe2\x82", 0, FFFD FFFD);
    check("\xc0\xaf", 0, FFFD FFFD);
    check("\xed\xa0\x80", 0, FFFD FFFD FFFD); /* a surrogate */
    check("\xed\xa0\xbd\xed\xb8\x80", 0, FFFD FFFD FFFD FFFD FFFD FFFD);
    check("\xf4\x90\x80\x80", 0, FFFD FFFD FFFD FFFD); /* beyond U+10FFFF */
    check("\xef\xbf\xbe\xef\xbf\xbf", 0, "??");        /* U+FFFE, U+FFFF */
    check("\xff\xc3", TERMINAL_ASCII, "??");
}

static void test_letters_stay(void) {
    check("gr\xc3\xbc\xc3\x9f " WIDE " \xd7\xa9 \xf0\x9f\x98\x80", 0,
          "gr\xc3\xbc\xc3\x9f " WIDE " \xd7\xa9 \xf0\x9f\x98\x80");
    check("gr\xc3\xbc\xc3\x9f " WIDE, TERMINAL_ASCII, "gr?? ?");
}

static void test_combining(void) {
    check("e" COMBINING "x", 0, "e" COMBINING "x");
    check(COMBINING "x", 0, "?x"); /* it would be upon what stands before the text */
    check("a\n" COMBINING, TERMINAL_LINES, "a\n?");
    check("e" COMBINING COMBINING COMBINING COMBINING COMBINING "x", 0,
          "e" COMBINING COMBINING COMBINING "?" COMBINING "x");
}

static void test_width(void) {
    int columns;

    g_assert_cmpint(terminal_width(stderr, "abc"), ==, 3);
    g_assert_cmpint(terminal_width(stderr, WIDE WIDE "e" COMBINING "\xc3\xbc\x1b"), ==, 7);
    g_assert_cmpuint(terminal_fit("a" WIDE "b", 2, SIZE_MAX, &columns), ==, 1);
    g_assert_cmpint(columns, ==, 1);
    g_assert_cmpuint(terminal_fit("a" WIDE "b", 3, SIZE_MAX, &columns), ==, 4);
    g_assert_cmpint(columns, ==, 3);
    g_assert_cmpuint(terminal_fit("e" COMBINING "b", 1, SIZE_MAX, &columns), ==, 3);
    g_assert_cmpuint(terminal_fit("a" WIDE "b", 9, 3, &columns), ==, 1);
    g_assert_cmpuint(terminal_fit("abc", 0, SIZE_MAX, &columns), ==, 0);
}

static void test_whole(void) {
    static const char text[] = "a\xf0\x9f\x98\x80";

    g_assert_cmpuint(utf8_whole(text, 5), ==, 5);
    for (size_t size = 1; size < 5; size++)
        g_assert_cmpuint(utf8_whole(text, size), ==, 1);
    g_assert_cmpuint(utf8_whole(text, 0), ==, 0);
    g_assert_cmpuint(utf8_whole("\x80\x80\x80\x80", 4), ==, 4);
    g_assert_cmpuint(utf8_whole("a\xff", 2), ==, 2);
    g_assert_cmpuint(utf8_whole("\xc3\xbc\xc3", 3), ==, 2);
}

/* --- streams ------------------------------------------------------------------------------------
 */

typedef struct Stream {
    FILE *f;
} Stream;

static FILE *stream_open(Stream *s) {
    *s = (Stream){.f = tmpfile()};
    g_assert_nonnull(s->f);
    return s->f;
}

/* All that was written; the stream ends. */
static char *stream_take(Stream *s) {
    char *text = g_malloc0(4096);

    rewind(s->f);
    g_assert_cmpuint(fread(text, 1, 4095, s->f), >, 0);
    (void)fclose(s->f);
    return text;
}

static void stream_expect(Stream *s, const char *expected) {
    g_autofree char *text = stream_take(s);

    g_assert_cmpstr(text, ==, expected);
}

static void test_rows(void) {
    static const int widths[] = {6, -5, 0};
    Stream s;

    (void)stream_open(&s);
    terminal_put_row(s.f, 3, widths, (const char *[]){"ab", "c", "d\x1b\n"}, "\n");
    terminal_put_row(s.f, 3, widths, (const char *[]){WIDE "e" COMBINING, "\xc3\xbc", ""}, "|");
    terminal_put_row(s.f, 3, widths, (const char *[]){"longer-than-that", "\t", NULL}, "\n");
    stream_expect(&s, "ab          c  d??\n" WIDE "e" COMBINING
                      "         \xc3\xbc  |longer-than-that      ?  \n");
}

static void test_lines(void) {
    Stream s;

    (void)stream_open(&s);
    terminal_printf(s.f, "%s: %d\n", "a\nb\x1b", 7);
    terminal_printf(s.f, "%s", "no end\n\n");
    terminal_put_block(s.f, "one\n\ttwo\x1b[m");
    terminal_put_block(s.f, "");
    terminal_put(s.f, WIDE "\t\x7f");
    stream_expect(&s, "a?b?: 7\nno end?\none\n\ttwo?[m\n" WIDE "\t?");
}

/* A line break of the text gains no line of its own. */
static void test_hanging(void) {
    Stream s;

    (void)stream_open(&s);
    terminal_put_hanging(s.f, "one two three four", 9, 2);
    terminal_put_hanging(s.f, "one\ntwo", 80, 2);
    terminal_put_hanging(s.f, "a-word-that-is-wider x", 9, 2);
    terminal_put_hanging(s.f, "", 9, 2);
    stream_expect(&s, "one two\n  three\n  four\none?two\na-word-that-is-wider\n  x\n\n");
}

static void test_json(void) {
    static const char value[] = "a\x1b\x7f\xc2\x9b\xe2\x80\xae\xf3\xa0\x80\x81\xc3\xbc\"\n";
    struct json_object *o = json_object_new_object(), *again;
    g_autofree char *text = NULL;
    Stream s;

    json_object_object_add(o, value, json_object_new_string(value));
    (void)stream_open(&s);
    terminal_put_json(s.f, json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY));
    text = stream_take(&s);
    g_assert_nonnull(strstr(text, "\\u007f\\u009b\\u202e\\udb40\\udc01\xc3\xbc"));
    again = json_tokener_parse(text);
    g_assert_true(json_object_equal(o, again));
    json_object_put(again);
    json_object_put(o);
}

static char *pass_to_file(const char *data, size_t size) {
    Stream s;

    terminal_pass(stream_open(&s), data, size);
    return stream_take(&s);
}

static char *pass_to_terminal(const char *data, size_t size) {
    char *text = g_malloc0(4096);
    int ours, theirs;
    FILE *f;

    g_assert_cmpint(openpty(&ours, &theirs, NULL, NULL, NULL), ==, 0);
    f = fdopen(theirs, "w");
    terminal_pass(f, data, size);
    g_assert_cmpint(fflush(f), ==, 0);
    g_assert_cmpint(read(ours, text, 4095), >, 0);
    (void)fclose(f);
    close(ours);
    return text;
}

static void test_output_of_others(void) {
    static const char data[] = "a\x1b[m\xc2\x9b\xff\xc3\xbc\r\n";
    g_autofree char *raw = pass_to_file(data, sizeof(data) - 1), *safe, *ascii;

    g_assert_cmpstr(raw, ==, data);
    g_assert_nonnull(setlocale(LC_CTYPE, "C.UTF-8"));
    safe = pass_to_terminal(data, sizeof(data) - 1);
    g_assert_cmpstr(safe, ==, "a?[m?" FFFD "\xc3\xbc\r\n"); /* CR is the line discipline's */
    g_assert_nonnull(setlocale(LC_CTYPE, "C"));
    ascii = pass_to_terminal(data, sizeof(data) - 1);
    g_assert_cmpstr(ascii, ==, "a?[m???\r\n");
}

int main(int argc, char *argv[]) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/terminal/controls", test_controls);
    g_test_add_func("/terminal/hidden", test_hidden);
    g_test_add_func("/terminal/invalid", test_invalid);
    g_test_add_func("/terminal/letters-stay", test_letters_stay);
    g_test_add_func("/terminal/combining", test_combining);
    g_test_add_func("/terminal/width", test_width);
    g_test_add_func("/terminal/whole", test_whole);
    g_test_add_func("/terminal/rows", test_rows);
    g_test_add_func("/terminal/lines", test_lines);
    g_test_add_func("/terminal/hanging", test_hanging);
    g_test_add_func("/terminal/json", test_json);
    g_test_add_func("/terminal/output-of-others", test_output_of_others);
    return g_test_run();
}
