/* SPDX-License-Identifier: Apache-2.0 */
/* dcm-agentctl top: what a terminal sends for a key. */
#pragma once

#include "basic/macro.h"

enum {
    KEY_NONE = 0, /* unknown, or more bytes are needed */
    KEY_ESCAPE = 27,
    KEY_UP = 256, /* other keys: their character */
    KEY_DOWN,
    KEY_PAGE_UP,
    KEY_PAGE_DOWN,
    KEY_HOME,
    KEY_END,
};

/* A sequence may come in several pieces. */
typedef struct KeyReader {
    char text[16];
    size_t n; /* 0: no sequence has begun */
} KeyReader;

/* Takes a byte; returns the key that it ends, else KEY_NONE. */
int key_reader_take(KeyReader *k, char c);
/* Nothing came for a while: KEY_ESCAPE, if that is what began. */
int key_reader_flush(KeyReader *k);
