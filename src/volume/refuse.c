/* SPDX-License-Identifier: Apache-2.0 */
#include "volume/refuse.h"

#include <stdarg.h>
#include <stdio.h>

#include "basic/strv.h"

static int _printf_(2, 0) format_list(char **ret, const char *format, va_list list) {
    if (vasprintf(ret, format, list) >= 0)
        return 0;
    *ret = NULL;
    return -ENOMEM;
}

int text_format(char **ret, const char *format, ...) {
    va_list list;
    int r;

    va_start(list, format);
    r = format_list(ret, format, list);
    va_end(list);
    return r;
}

int text_add(char ***list, const char *format, ...) {
    char *text = NULL;
    size_t n = 0;
    va_list args;
    int r;

    va_start(args, format);
    r = format_list(&text, format, args);
    va_end(args);
    if (r < 0)
        return r;
    while (*list && (*list)[n])
        n++;
    return strv_push(list, &n, text);
}

int text_join(char *const *list, char **ret) {
    _cleanup_free_ char *text = strdup("");

    if (!text)
        return -ENOMEM;
    for (char *const *s = list; s && *s; s++) {
        char *longer;

        TRY(text_format(&longer, "%s%s%s", text, s == list ? "" : ", ", *s));
        free(text);
        text = longer;
    }
    *ret = TAKE_PTR(text);
    return 0;
}

int refuse(Refusal *ret, const char *code, const char *format, ...) {
    va_list list;
    int r;

    refusal_done(ret);
    TRY(free_and_strdup(&ret->code, code));
    va_start(list, format);
    r = format_list(&ret->text, format, list);
    va_end(list);
    return r < 0 ? r : 1;
}

void size_to_text(uint64_t size_bytes, char ret[static SIZE_TEXT]) {
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB"};
    double size = (double)size_bytes;
    size_t i = 0;

    while (size >= 1024 && i + 1 < ELEMENTSOF(units)) {
        size /= 1024;
        i++;
    }
    (void)snprintf(ret, SIZE_TEXT, "%.*f %s", i > 0 ? 1 : 0, size, units[i]);
}

int block_describe(const Block *b, char **ret) {
    char size[SIZE_TEXT];

    size_to_text(b->size_bytes, size);
    return text_format(ret, "%s (%s%s%s)", b->name, size, b->serial ? ", serial " : "",
                       strempty(b->serial));
}

int signature_describe(const Signature *s, char **ret) {
    return text_format(ret, "%s%s%s%s%s%s", s->type, s->uuid ? ", UUID " : "", strempty(s->uuid),
                       s->label ? ", label \"" : "", strempty(s->label), s->label ? "\"" : "");
}

int signatures_describe(const Block *b, char **ret) {
    _cleanup_free_ char *text = strdup("");

    if (!text)
        return -ENOMEM;
    for (size_t i = 0; i < b->n_signatures; i++) {
        _cleanup_free_ char *one = NULL;
        char *longer;

        TRY(signature_describe(&b->signatures[i], &one));
        TRY(text_format(&longer, "%s%s%s", text, i > 0 ? "; " : "", one));
        free(text);
        text = longer;
    }
    *ret = TAKE_PTR(text);
    return 0;
}
