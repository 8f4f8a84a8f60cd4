/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes for a terminal: what is left is text that no terminal obeys, cleaning it again changes
 * nothing, no line is wider than was asked for, and JSON says what it said before. */
#include "basic/terminal.h"
#include "basic/utf8.h"
#include "fuzz.h"
#include "proto/json.h"
#include "proto/text.h"

static void check_character(uint32_t c, TerminalFlags flags) {
    if (c < 0x20)
        CHECK((c == '\t' && flags & TERMINAL_TABS) || (c == '\n' && flags & TERMINAL_LINES));
    CHECK(c < 0x7f || c > 0x9f);
    CHECK(!(c >= 0x200b && c <= 0x200f) && !(c >= 0x2028 && c <= 0x202e));
    CHECK(!(c >= 0x2060 && c <= 0x206f) && c != 0x61c && c != 0xfeff);
    CHECK(c < 0x80 || !(flags & TERMINAL_ASCII));
}

static void check_characters(const char *clean, TerminalFlags flags) {
    const char *end = clean + strlen(clean);

    for (const char *p = clean; p < end;) {
        uint32_t c = 0;
        size_t n = utf8_decode(p, (size_t)(end - p), &c);

        CHECK(n > 0);
        check_character(c, flags);
        p += n;
    }
}

static void check_fit(const char *clean) {
    static const int limits[] = {0, 1, 2, 7, 80};
    size_t before = 0;

    for (size_t i = 0; i < ELEMENTSOF(limits); i++) {
        int columns = -1;
        size_t n = terminal_fit(clean, limits[i], 64, &columns);

        CHECK(columns >= 0 && columns <= limits[i] && n <= 64 && n >= before);
        CHECK(utf8_is_valid(clean, n));
        before = n;
    }
}

static void check_clean(const uint8_t *data, size_t size, TerminalFlags flags) {
    _cleanup_free_ char *clean = terminal_clean((const char *)data, size, flags), *again = NULL;

    CHECK(clean);
    check_characters(clean, flags);
    check_fit(clean);
    again = terminal_clean(clean, strlen(clean), flags);
    CHECK(again && streq(again, clean));
}

static void check_json(const uint8_t *data, size_t size) {
    _cleanup_json_ struct json_object *o = NULL, *again = NULL;
    _cleanup_free_ char *text = NULL;
    size_t text_size = 0;
    FILE *f;

    o = json_object_new_string_len((const char *)data, (int)size);
    f = open_memstream(&text, &text_size);
    CHECK(o && f);
    terminal_put_json(f, json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN));
    CHECK(fclose(f) == 0);
    check_characters(text, TERMINAL_LINES);
    CHECK(json_parse(text, text_size, &again) == 0);
    if (size > 0 && utf8_is_valid((const char *)data, size))
        CHECK(json_object_equal(o, again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    for (TerminalFlags flags = 0; flags <= (TERMINAL_TABS | TERMINAL_LINES | TERMINAL_ASCII);
         flags++)
        check_clean(data, size, flags);
    check_json(data, size);
    return 0;
}
