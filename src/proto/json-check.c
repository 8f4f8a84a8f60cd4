/* SPDX-License-Identifier: Apache-2.0 */
/* One pass over the bytes; recursion is limited by the permitted depth. The sizes are those of
 * json-c 0.14 to 0.18 with glibc's malloc on 64 bits. */
#include "proto/json-check.h"

#include "proto/text.h"

#define SCALAR_SIZE 64u
#define DOUBLE_SIZE 48u /* additional, for its text */
#define ARRAY_SIZE 400u /* with room for 32 elements */
#define ELEMENT_SIZE 24u
#define OBJECT_SIZE 832u  /* with a table for 11 members; */
#define OBJECT_MEMBERS 9u /* more are charged for a larger table, which the 12th makes */
#define KEY_SIZE 32u
#define MEMBER_SIZE 192u /* in a larger table, while it grows */

typedef struct Cursor {
    const char *p, *end;
    uint64_t memory_left;
} Cursor;

static int check_value(Cursor *c, unsigned depth_left);

static void skip_blanks(Cursor *c) {
    while (c->p < c->end && (*c->p == ' ' || *c->p == '\t' || *c->p == '\r' || *c->p == '\n'))
        c->p++;
}

static bool at(const Cursor *c, char wanted) {
    return c->p < c->end && *c->p == wanted;
}

static bool take(Cursor *c, char wanted) {
    if (!at(c, wanted))
        return false;
    c->p++;
    return true;
}

static bool take_word(Cursor *c, const char *word) {
    size_t size = strlen(word);

    if ((size_t)(c->end - c->p) < size || memcmp(c->p, word, size) != 0)
        return false;
    c->p += size;
    return true;
}

static size_t take_digits(Cursor *c) {
    const char *begin = c->p;

    while (c->p < c->end && *c->p >= '0' && *c->p <= '9')
        c->p++;
    return (size_t)(c->p - begin);
}

static int charge(Cursor *c, uint64_t bytes) {
    if (bytes > c->memory_left)
        return -E2BIG;
    c->memory_left -= bytes;
    return 0;
}

static bool take_one_of(Cursor *c, const char *wanted) {
    if (c->p == c->end || !*c->p || !strchr(wanted, *c->p))
        return false;
    c->p++;
    return true;
}

static bool take_escape(Cursor *c) {
    if (!take(c, 'u'))
        return take_one_of(c, "\"\\/bfnrt");
    for (size_t i = 0; i < 4; i++)
        if (!take_one_of(c, "0123456789abcdefABCDEF"))
            return false;
    return true;
}

static int check_string(Cursor *c, uint64_t cost) {
    const char *begin = c->p;

    if (!take(c, '"'))
        return -EBADMSG;
    while (!at(c, '"')) {
        if (c->p == c->end || (unsigned char)*c->p < ' ')
            return -EBADMSG;
        if (*c->p++ == '\\' && !take_escape(c))
            return -EBADMSG;
    }
    c->p++;
    return charge(c, cost + (uint64_t)(c->p - begin));
}

static int check_number(Cursor *c) {
    const char *begin = c->p;
    bool is_double = false;

    (void)take(c, '-');
    if (take_word(c, "Infinity"))
        return charge(c, SCALAR_SIZE + DOUBLE_SIZE);
    if (!take(c, '0') && take_digits(c) == 0)
        return -EBADMSG;
    if (take(c, '.')) {
        is_double = true;
        if (take_digits(c) == 0)
            return -EBADMSG;
    }
    if (take(c, 'e') || take(c, 'E')) {
        is_double = true;
        if (!take(c, '+'))
            (void)take(c, '-');
        if (take_digits(c) == 0)
            return -EBADMSG;
    }
    return charge(c, SCALAR_SIZE + (is_double ? DOUBLE_SIZE + (uint64_t)(c->p - begin) : 0));
}

static int check_array(Cursor *c, unsigned depth_left) {
    int r;

    c->p++;
    r = charge(c, ARRAY_SIZE);
    skip_blanks(c);
    if (r < 0 || take(c, ']'))
        return r;
    do {
        TRY(charge(c, ELEMENT_SIZE));
        TRY(check_value(c, depth_left - 1));
    } while (take(c, ','));
    return take(c, ']') ? 0 : -EBADMSG;
}

static int check_member(Cursor *c, unsigned depth_left) {
    skip_blanks(c);
    TRY(check_string(c, KEY_SIZE));
    skip_blanks(c);
    return take(c, ':') ? check_value(c, depth_left - 1) : -EBADMSG;
}

static int check_object(Cursor *c, unsigned depth_left) {
    size_t n = 0;
    int r;

    c->p++;
    r = charge(c, OBJECT_SIZE);
    skip_blanks(c);
    if (r < 0 || take(c, '}'))
        return r;
    do {
        TRY(charge(c, n++ < OBJECT_MEMBERS ? 0 : MEMBER_SIZE));
        TRY(check_member(c, depth_left));
    } while (take(c, ','));
    return take(c, '}') ? 0 : -EBADMSG;
}

static int check_word(Cursor *c) {
    if (take_word(c, "null")) /* a null pointer */
        return 0;
    if (take_word(c, "NaN"))
        return charge(c, SCALAR_SIZE + DOUBLE_SIZE);
    return take_word(c, "true") || take_word(c, "false") ? charge(c, SCALAR_SIZE) : -EBADMSG;
}

/* Also skips blanks around the value. */
static int check_value(Cursor *c, unsigned depth_left) {
    int r;

    skip_blanks(c);
    if (c->p == c->end)
        return -EBADMSG;
    if (depth_left == 0)
        return -ELOOP;
    switch (*c->p) {
    case '{':
        r = check_object(c, depth_left);
        break;
    case '[':
        r = check_array(c, depth_left);
        break;
    case '"':
        r = check_string(c, SCALAR_SIZE);
        break;
    case 't':
    case 'f':
    case 'n':
    case 'N':
        r = check_word(c);
        break;
    default:
        r = check_number(c);
    }
    skip_blanks(c);
    return r;
}

int json_check(const char *text, size_t size, unsigned depth_max, uint64_t memory_max) {
    Cursor c = {.p = text, .end = text + size, .memory_left = memory_max};

    TRY(check_value(&c, depth_max));
    if (c.p != c.end)
        return -EBADMSG;
    return utf8_is_valid(text, size) ? 0 : -EILSEQ;
}
