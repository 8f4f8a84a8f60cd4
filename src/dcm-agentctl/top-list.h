/* SPDX-License-Identifier: Apache-2.0 */
/* dcm-agentctl top: the jobs in the order that is shown, and which one is selected. */
#pragma once

#include "dcm-agentctl/top-model.h"

typedef enum TopSort {
    TOP_SORT_AGE, /* the oldest first */
    TOP_SORT_CPU,
    TOP_SORT_MEMORY,
    TOP_SORT_STATE, /* running ones first */
    _TOP_SORT_MAX,
} TopSort;

typedef struct TopListRow {
    const JobRow *job; /* belongs to the model */
    double cpu;        /* in processors since the previous measurement; NAN: unknown */
} TopListRow;

typedef struct TopList {
    TopListRow *rows;
    size_t n, allocated;
    size_t selected, first; /* first: at the top of the screen */
    size_t page;            /* rows that the screen has; the view writes it */
    char *guid;             /* of the selected one: it stays selected when others come and go */
    TopSort sort;
} TopList;

/* Takes over the jobs of the model, which must not change until the next call. -ENOMEM. */
int top_list_update(TopList *l, const TopModel *m);
void top_list_done(TopList *l);
/* Selects the row that is `by` further, as far as there are rows. -ENOMEM. */
int top_list_move(TopList *l, long by);
int top_list_sort_next(TopList *l, const TopModel *m);
/* NULL: there are no jobs. */
const JobRow *top_list_get_selected(const TopList *l);
/* Moves `first` so that the selected row is among `page` rows. */
void top_list_scroll(TopList *l, size_t page);
/* Translated: "age". */
const char *top_sort_get_name(TopSort sort);
