/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-agentctl/top-keys.h"

static const struct {
    const char *text; /* behind Escape */
    int key;
} sequences[] = {
    {"[A", KEY_UP},       {"OA", KEY_UP},         {"[B", KEY_DOWN}, {"OB", KEY_DOWN},
    {"[5~", KEY_PAGE_UP}, {"[6~", KEY_PAGE_DOWN}, {"[H", KEY_HOME}, {"OH", KEY_HOME},
    {"[1~", KEY_HOME},    {"[7~", KEY_HOME},      {"[F", KEY_END},  {"OF", KEY_END},
    {"[4~", KEY_END},     {"[8~", KEY_END},
};

/* A letter or ~ ends a sequence; the first of two is [ or O. */
static bool is_end(const KeyReader *k, char c) {
    return k->n > 2 && ((c >= '@' && c <= '~') || k->n + 1 == sizeof(k->text));
}

int key_reader_take(KeyReader *k, char c) {
    int found = KEY_NONE;

    if (k->n == 0 && c != KEY_ESCAPE)
        return (unsigned char)c;
    if (k->n == 1 && c != '[' && c != 'O') { /* Escape, and then another key */
        k->n = c == KEY_ESCAPE;
        return KEY_ESCAPE;
    }
    k->text[k->n++] = c;
    if (!is_end(k, c))
        return KEY_NONE;
    k->text[k->n] = 0;
    for (size_t i = 0; i < ELEMENTSOF(sequences); i++)
        if (streq(sequences[i].text, k->text + 1))
            found = sequences[i].key;
    k->n = 0;
    return found;
}

int key_reader_flush(KeyReader *k) {
    const bool is_escape = k->n == 1;

    k->n = 0;
    return is_escape ? KEY_ESCAPE : KEY_NONE;
}
