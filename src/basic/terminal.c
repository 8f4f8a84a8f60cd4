/* SPDX-License-Identifier: Apache-2.0 */
#include "basic/terminal.h"

#include <langinfo.h>
#include <limits.h>
#include <locale.h>
#include <stdarg.h>
#include <unistd.h>
#include <wchar.h>

#include "basic/utf8.h"

#define COMBINING_MAX 3
#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */
#define MARK "?"

/* Controls, direction changes, and invisible characters: Default_Ignorable_Code_Point, Bidi_Control
 * and separators of the Unicode Character Database. */
static const struct {
    uint32_t first, last;
} hidden[] = {
    {0x0000, 0x001f}, {0x007f, 0x009f}, {0x00ad, 0x00ad},   {0x034f, 0x034f},   {0x061c, 0x061c},
    {0x115f, 0x1160}, {0x17b4, 0x17b5}, {0x180b, 0x180f},   {0x200b, 0x200f},   {0x2028, 0x202e},
    {0x2060, 0x206f}, {0x3164, 0x3164}, {0xfe00, 0xfe0f},   {0xfeff, 0xfeff},   {0xffa0, 0xffa0},
    {0xfff0, 0xfffb}, {0xfffe, 0xffff}, {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a}, {0xe0000, 0xe0fff},
};

static bool is_hidden(uint32_t c) {
    for (size_t i = 0; i < ELEMENTSOF(hidden) && c >= hidden[i].first; i++)
        if (c <= hidden[i].last)
            return true;
    return false;
}

/* Columns of a character, in any locale; -1: unknown. */
static int character_width(uint32_t c) {
    static locale_t utf8;
    locale_t before;
    int width;

    if (c >= 0x20 && c < 0x7f)
        return 1;
    if (!utf8)
        utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", NULL);
    if (!utf8) /* no table of widths */
        return 1;
    before = uselocale(utf8);
    width = wcwidth((wchar_t)c);
    (void)uselocale(before);
    return width;
}

/* --- copies ------------------------------------------------------------------------------------
 */

typedef struct Cleaner {
    TerminalFlags flags;
    unsigned n_marks; /* how many may still follow */
} Cleaner;

static bool is_kept_control(uint32_t c, TerminalFlags flags) {
    return (c == '\t' && flags & TERMINAL_TABS) || (c == '\n' && flags & TERMINAL_LINES);
}

/* Returns the replacement of a character of `size` bytes (0: an invalid byte), or NULL to keep
 * it. */
static const char *judge(Cleaner *k, size_t size, uint32_t c) {
    int width;

    if (size == 0)
        return k->flags & TERMINAL_ASCII ? MARK : REPLACEMENT;
    if (is_kept_control(c, k->flags)) {
        k->n_marks = 0;
        return NULL;
    }
    if (is_hidden(c) || (c >= 0x80 && k->flags & TERMINAL_ASCII))
        return MARK;
    width = character_width(c);
    if (width < 0 || (width == 0 && k->n_marks == 0))
        return MARK;
    k->n_marks = width > 0 ? COMBINING_MAX : k->n_marks - 1;
    return NULL;
}

/* A byte becomes at most three. */
char *terminal_clean(const char *text, size_t size, TerminalFlags flags) {
    char *copy = malloc(3 * size + 1), *out = copy;
    Cleaner k = {.flags = flags};

    if (!copy)
        return NULL;
    for (const char *p = text, *end = text + size; p < end;) {
        uint32_t c = 0;
        size_t n = utf8_decode(p, (size_t)(end - p), &c);
        bool is_line_end = c == '\r' && flags & TERMINAL_LINES && end - p > 1 && p[1] == '\n';
        const char *instead = is_line_end ? "" : judge(&k, n, c);

        out = instead ? stpcpy(out, instead) : mempcpy(out, p, n);
        if (instead && *instead)
            k.n_marks = COMBINING_MAX;
        p += MAX(n, (size_t)1);
    }
    *out = 0;
    return copy;
}

size_t terminal_fit(const char *clean, int columns, size_t size_max, int *ret_columns) {
    size_t size = strlen(clean), used = 0;
    int width = 0;

    while (used < size) {
        uint32_t c = 0;
        size_t n = MAX(utf8_decode(clean + used, size - used, &c), (size_t)1);
        int w = MAX(character_width(c), 0);

        if (width + w > columns || used + n > size_max)
            break;
        width += w;
        used += n;
    }
    *ret_columns = width;
    return used;
}

static FILE *shown; /* through a pager */

void terminal_set_shown(FILE *f) {
    shown = f;
}

static bool is_shown(FILE *f) {
    return f == shown || isatty(fileno(f));
}

TerminalFlags terminal_flags(FILE *f) {
    return is_shown(f) && !streq(nl_langinfo(CODESET), "UTF-8") ? TERMINAL_ASCII : 0;
}

/* --- printing ----------------------------------------------------------------------------------
 */

static char *clean_for(FILE *f, const char *text, TerminalFlags flags) {
    return terminal_clean(strempty(text), strlen(strempty(text)), flags | terminal_flags(f));
}

static int width_of(const char *clean) {
    int columns;

    (void)terminal_fit(clean, INT_MAX, SIZE_MAX, &columns);
    return columns;
}

int terminal_width(FILE *f, const char *text) {
    _cleanup_free_ char *clean = clean_for(f, text, 0);

    return width_of(strempty(clean));
}

void terminal_put(FILE *f, const char *text) {
    _cleanup_free_ char *clean = clean_for(f, text, TERMINAL_TABS);

    (void)fputs(strempty(clean), f);
}

void terminal_put_padded(FILE *f, const char *text, int width) {
    _cleanup_free_ char *clean = clean_for(f, text, 0);
    int missing = MAX(abs(width) - width_of(strempty(clean)), 0);

    (void)fprintf(f, "%*s%s%*s", width < 0 ? missing : 0, "", strempty(clean),
                  width < 0 ? 0 : missing, "");
}

void terminal_put_row(FILE *f, size_t n, const int *widths, const char *const *cells,
                      const char *line_end) {
    for (size_t i = 0; i + 1 < n; i++) {
        terminal_put_padded(f, cells[i], widths[i]);
        (void)fputs("  ", f);
    }
    terminal_put_padded(f, cells[n - 1], 0);
    (void)fputs(line_end, f);
}

void terminal_put_block(FILE *f, const char *text) {
    _cleanup_free_ char *clean = clean_for(f, text, TERMINAL_TABS | TERMINAL_LINES);
    size_t size = strlen(strempty(clean));

    (void)fputs(strempty(clean), f);
    if (size > 0 && clean[size - 1] != '\n')
        (void)fputc('\n', f);
}

/* The cursor is in column `used`. Changes the text. */
static void put_wrapped(FILE *f, char *clean, int columns, int used, int indent) {
    bool begins = true;

    for (char *p = clean, *end; p && *p; p = end) {
        size_t size = strcspn(p, " \n");
        char after = p[size];
        int width;

        end = p + size + (after != 0);
        p[size] = 0;
        width = width_of(p);
        if (!begins && (columns <= used || columns - used <= width)) {
            (void)fprintf(f, "\n%*s", indent, "");
            used = indent;
            begins = true;
        }
        (void)fprintf(f, "%s%s", begins ? "" : " ", p);
        used += width + !begins;
        begins = begins && width == 0;
        if (after == '\n' && *end) {
            (void)fprintf(f, "\n%*s", indent, "");
            used = indent;
            begins = true;
        }
    }
    (void)fputc('\n', f);
}

void terminal_put_wrapped(FILE *f, const char *text, int columns, int indent) {
    _cleanup_free_ char *clean = clean_for(f, text, TERMINAL_LINES);

    put_wrapped(f, clean, columns, indent, indent);
}

void terminal_put_hanging(FILE *f, const char *text, int columns, int indent) {
    _cleanup_free_ char *clean = clean_for(f, text, 0);

    put_wrapped(f, clean, columns, 0, indent);
}

void terminal_printf(FILE *f, const char *format, ...) {
    _cleanup_free_ char *text = NULL;
    bool has_end;
    va_list ap;
    int n;

    va_start(ap, format);
    n = vasprintf(&text, format, ap);
    va_end(ap);
    if (n < 0) {
        text = NULL;
        return;
    }
    has_end = n > 0 && text[n - 1] == '\n';
    if (has_end)
        text[n - 1] = 0;
    terminal_put(f, text);
    if (has_end)
        (void)fputc('\n', f);
}

static void put_escaped(FILE *f, uint32_t c) {
    if (c >= 0x10000)
        (void)fprintf(f, "\\u%04x\\u%04x", 0xd800 + ((c - 0x10000) >> 10), 0xdc00 + (c & 0x3ff));
    else
        (void)fprintf(f, "\\u%04x", c);
}

/* json-c indents with blanks, and escapes C0 in strings. A combining mark after a quote combines
 * with the quote. */
void terminal_put_json(FILE *f, const char *json) {
    Cleaner k = {.flags = TERMINAL_LINES | terminal_flags(f)};

    for (const char *p = json, *end = json + strlen(json); p < end;) {
        uint32_t c = 0xfffd;
        size_t n = utf8_decode(p, (size_t)(end - p), &c);

        if (judge(&k, n, c))
            put_escaped(f, c);
        else
            (void)fwrite(p, 1, n, f);
        if (c == '"')
            k.n_marks = 0;
        p += MAX(n, (size_t)1);
    }
}

void terminal_pass(FILE *f, const char *data, size_t size) {
    _cleanup_free_ char *clean = NULL;

    if (!is_shown(f)) {
        (void)fwrite(data, 1, size, f);
        return;
    }
    clean = terminal_clean(data, size, TERMINAL_TABS | TERMINAL_LINES | terminal_flags(f));
    (void)fputs(strempty(clean), f);
}
