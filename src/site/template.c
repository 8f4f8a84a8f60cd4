/* SPDX-License-Identifier: Apache-2.0 */
#include "site/template.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>

/* Literal text, or a reference to a value. */
typedef struct Piece {
    const char *text; /* of `size` bytes; NULL for a reference */
    size_t size;
    size_t argument; /* its index, for a reference */
    bool is_reference;
    int width;
} Piece;

static size_t find(const Argument *arguments, size_t n, const char *name, size_t size) {
    for (size_t i = 0; i < n; i++)
        if (strncmp(arguments[i].name, name, size) == 0 && !arguments[i].name[size])
            return i;
    return n;
}

/* Parses the text between braces, up to `end`. */
static int parse_reference(const char *s, const char *end, const Argument *arguments, size_t n,
                           Piece *ret) {
    const char *more = s + strcspn(s, ":?}");
    const Argument *a;

    ret->is_reference = true;
    ret->argument = find(arguments, n, s, (size_t)(more - s));
    if (ret->argument == n)
        return -EINVAL;
    a = &arguments[ret->argument];
    if (*more == ':') { /* one digit after the 0 */
        ret->width = more[1] == '0' && isdigit((unsigned char)more[2]) ? more[2] - '0' : 0;
        return a->type == ARGUMENT_INTEGER && ret->width > 0 && more + 3 == end ? 1 : -EINVAL;
    }
    if (*more == '?') {
        ret->text = more + 1;
        ret->size = (size_t)(end - ret->text);
        return a->type == ARGUMENT_BOOL && !memchr(ret->text, '{', ret->size) ? 1 : -EINVAL;
    }
    return 1;
}

/* 1: a piece; 0: the end; -EINVAL: a mistake */
static int next_piece(const char **p, const Argument *arguments, size_t n, Piece *ret) {
    const char *s = *p, *end;

    if (!*s)
        return 0;
    *ret = (Piece){.text = s, .size = strcspn(s, "{}")};
    *p += ret->size;
    if (ret->size > 0)
        return 1;
    end = *s == '{' ? strchr(s, '}') : NULL;
    if (!end)
        return -EINVAL;
    *ret = (Piece){};
    *p = end + 1;
    return parse_reference(s + 1, end, arguments, n, ret);
}

static bool has_text(const Argument *a, bool filled) {
    return a->type != ARGUMENT_LIST && !argument_is_file(a) && (filled || argument_is_public(a));
}

int template_check(const char *text, const Argument *arguments, size_t n, bool filled) {
    Piece piece;
    int r;

    while ((r = next_piece(&text, arguments, n, &piece)) > 0)
        if (piece.is_reference && !has_text(&arguments[piece.argument], filled))
            return -EINVAL;
    return r;
}

int argument_to_text(const Argument *a, const ArgumentValue *v, char **ret) {
    if (!v->is_set)
        *ret = strdup("");
    else if (a->type == ARGUMENT_BOOL)
        *ret = strdup(v->boolean ? "true" : "false");
    else if (a->type == ARGUMENT_INTEGER) {
        if (asprintf(ret, "%" PRId64, v->integer) < 0)
            return -ENOMEM;
    } else
        *ret = strdup(strempty(v->string));
    return *ret ? 0 : -ENOMEM;
}

static int print_piece(FILE *f, const Piece *piece, const Argument *arguments,
                       const ArgumentValue *values) {
    const ArgumentValue *v = piece->is_reference ? &values[piece->argument] : NULL;
    _cleanup_free_ char *text = NULL;
    int r;

    if (piece->text) {
        if (!v || v->boolean)
            (void)fwrite(piece->text, 1, piece->size, f);
        return 0;
    }
    if (piece->width > 0 && v->is_set) {
        (void)fprintf(f, "%0*" PRId64, piece->width, v->integer);
        return 0;
    }
    r = argument_to_text(&arguments[piece->argument], v, &text);
    if (r >= 0)
        (void)fputs(text, f);
    return r;
}

int template_expand(const char *text, const Argument *arguments, const ArgumentValue *values,
                    size_t n, char **ret) {
    _cleanup_free_ char *made = NULL;
    size_t size;
    Piece piece;
    FILE *f;
    int r;

    f = open_memstream(&made, &size);
    if (!f)
        return -ENOMEM;
    while ((r = next_piece(&text, arguments, n, &piece)) > 0)
        if (print_piece(f, &piece, arguments, values) < 0)
            break;
    if (fclose(f) != 0 || r != 0)
        return r == -EINVAL ? r : -ENOMEM;
    *ret = TAKE_PTR(made);
    return 0;
}

const Argument *template_is_argument(const char *text, const Argument *arguments, size_t n) {
    size_t size = strlen(text), i;

    if (size < 2 || text[0] != '{' || strcspn(text, "}:?") != size - 1 || text[size - 1] != '}')
        return NULL;
    i = find(arguments, n, text + 1, size - 2);
    return i < n ? &arguments[i] : NULL;
}
