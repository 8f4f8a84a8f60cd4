/* SPDX-License-Identifier: Apache-2.0 */
/* Looks only at strings and at their depth: the rest need not be JSON. */
#include "proto/message-skim.h"

#include <stdio.h>
#include <stdlib.h>

#include "basic/bounds.h"

#define TOKEN_SIZE_MAX (6 * GUID_SIZE_MAX + 2) /* each byte may be encoded as \u00XX */

static const char *const keys[] = {"type", "request_id", "message_id"};

typedef struct Token {
    size_t size; /* may exceed the buffer; then it matches nothing */
    char text[TOKEN_SIZE_MAX + 1];
} Token;

struct MessageSkim {
    unsigned depth;
    bool in_string, is_escaped;
    bool at_key; /* the next string at the first level is a key */
    Token token; /* with the quotes */
    int field;   /* index of the key whose value comes next, or -1 */
    char *found[ELEMENTSOF(keys)];
};

int message_skim_new(MessageSkim **ret) {
    MessageSkim *s = calloc(1, sizeof(*s));

    if (!s)
        return -ENOMEM;
    s->field = -1;
    *ret = s;
    return 0;
}

MessageSkim *message_skim_free(MessageSkim *s) {
    if (!s)
        return NULL;
    for (size_t i = 0; i < ELEMENTSOF(keys); i++)
        free(s->found[i]);
    free(s);
    return NULL;
}

static void append(Token *t, char c) {
    if (t->size < TOKEN_SIZE_MAX) {
        t->text[t->size++] = c;
        t->text[t->size] = 0;
    } else
        t->size = TOKEN_SIZE_MAX + 1;
}

/* Decodes the next character of a token; letters may be encoded as \u00XX. No key has other
 * escapes, so those are returned undecoded. */
static unsigned take_letter(const char **p) {
    const char *text = *p;
    char hex[5] = "";

    if (strncmp(text, "\\u", 2) != 0) {
        *p += 1;
        return (unsigned char)*text;
    }
    (void)memcpy(hex, text + 2, strnlen(text + 2, sizeof(hex) - 1));
    *p += MIN(strlen(text), (size_t)6);
    return (unsigned)strtoul(hex, NULL, 16);
}

/* Compares as json-c does, for which a key ends at a NUL. Makes no object, because there may be
 * millions of keys. */
static bool is_key(const Token *token, const char *key) {
    const char *p = token->text + 1;
    unsigned end;

    for (; *key; key++)
        if (take_letter(&p) != (unsigned char)*key)
            return false;
    end = take_letter(&p);
    return end == '"' || end == 0;
}

static int find_field(const Token *token) {
    for (size_t i = 0; i < ELEMENTSOF(keys); i++)
        if (is_key(token, keys[i]))
            return (int)i;
    return -1;
}

/* Like message_parse(), takes the last value of a repeated key. */
static void end_key(MessageSkim *s) {
    s->field = find_field(&s->token);
    if (s->field >= 0) {
        free(s->found[s->field]);
        s->found[s->field] = NULL;
    }
}

static void end_string(MessageSkim *s) {
    if (s->depth != 1)
        return;
    if (s->at_key)
        end_key(s);
    else if (s->field >= 0 && s->token.size <= TOKEN_SIZE_MAX)
        (void)free_and_strdup(&s->found[s->field], s->token.text);
}

static void take_in_string(MessageSkim *s, char c) {
    if (s->depth == 1)
        append(&s->token, c);
    if (s->is_escaped)
        s->is_escaped = false;
    else if (c == '\\')
        s->is_escaped = true;
    else if (c == '"') {
        s->in_string = false;
        end_string(s);
    }
}

static void begin_string(MessageSkim *s) {
    s->in_string = true;
    s->token.size = 0;
    append(&s->token, '"');
}

static void take(MessageSkim *s, char c) {
    switch (c) {
    case '"':
        begin_string(s);
        break;
    case '{':
    case '[':
        s->at_key = s->depth++ == 0 && c == '{';
        break;
    case '}':
    case ']':
        s->depth -= s->depth > 0;
        break;
    case ':':
    case ',':
        if (s->depth == 1)
            s->at_key = c == ',';
        break;
    }
}

void message_skim_feed(MessageSkim *s, const char *text, size_t size) {
    for (size_t i = 0; i < size; i++)
        if (s->in_string)
            take_in_string(s, text[i]);
        else
            take(s, text[i]);
}

int message_skim_finish(MessageSkim *s, Message *ret, const char **ret_error) {
    _cleanup_free_ char *text = NULL;
    int size;

    size = asprintf(&text, "{\"%s\":%s,\"%s\":%s,\"%s\":%s}", keys[0], s->found[0] ?: "null",
                    keys[1], s->found[1] ?: "null", keys[2], s->found[2] ?: "null");
    if (size < 0) {
        text = NULL;
        *ret = (Message){.type = _MESSAGE_INVALID};
        *ret_error = "Out of memory";
        return -ENOMEM;
    }
    return message_parse(text, (size_t)size, ret, ret_error);
}
