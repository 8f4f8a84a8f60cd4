/* SPDX-License-Identifier: Apache-2.0 */
/* dcm-agentctl top: a text that has the screen for itself: help, or a request. */
#pragma once

#include "dcm-agentctl/top-line.h"

typedef struct TopPage {
    char *text;              /* NULL: there is no page */
    size_t first, n, height; /* the first line shown; all lines; those that have room */
} TopPage;

/* Takes ownership of the text, which may have any characters. */
void top_page_open(TopPage *page, char *text);
void top_page_close(TopPage *page);
void top_page_move(TopPage *page, long by);
/* Breaks lines that are too long. */
void top_page_draw(TopPage *page, const TopScreen *s);
/* The caller frees it. NULL: no memory. */
char *top_make_help(void);
