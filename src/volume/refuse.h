/* SPDX-License-Identifier: Apache-2.0 */
/* Refusals in words, and the words for what is refused. */
#pragma once

#include "volume/plan.h"

/* Returns an error or a refusal to the caller. */
#define TRY_PLAN(expression)                                                                       \
    do {                                                                                           \
        int _r = (expression);                                                                     \
        if (_r != 0)                                                                               \
            return _r;                                                                             \
    } while (0)

#define SIZE_TEXT 32

/* Returns 1, or -ENOMEM. */
int refuse(Refusal *ret, const char *code, const char *format, ...) _printf_(3, 4);

/* Formats into a new text, which the caller frees, or appends it to *list (NULL-terminated). */
int text_format(char **ret, const char *format, ...) _printf_(2, 3);
int text_add(char ***list, const char *format, ...) _printf_(2, 3);

/* Joins a list: "a, b, c"; the caller frees. */
int text_join(char *const *list, char **ret);

/* "10.0 GiB" */
void size_to_text(uint64_t size_bytes, char ret[static SIZE_TEXT]);

/* "vdb (10.0 GiB, serial vol-1)", and `ext4, UUID ..., label "x"`; the caller frees. */
int block_describe(const Block *b, char **ret);
int signature_describe(const Signature *s, char **ret);
/* All signatures of a block: "gpt; ext4, UUID ..." */
int signatures_describe(const Block *b, char **ret);
