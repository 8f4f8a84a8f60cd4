/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-agentctl/top-list.h"

#include <math.h>

#include "basic/array.h"
#include "basic/i18n.h"

static double cpu_of(const TopModel *m, const JobRow *row) {
    const JobRow *before = job_list_find(&m->jobs_before, row->guid);
    double elapsed = (double)(m->jobs_usec - m->jobs_before_usec) * 1000;

    if (!before || before->cpu_nsec == UINT64_MAX || row->cpu_nsec == UINT64_MAX ||
        row->cpu_nsec < before->cpu_nsec || elapsed <= 0)
        return NAN;
    return (double)(row->cpu_nsec - before->cpu_nsec) / elapsed;
}

/* What is unknown comes last. */
static int compare_falling(double a, double b) {
    a = isnan(a) ? -1 : a;
    b = isnan(b) ? -1 : b;
    return a > b ? -1 : a < b;
}

static int compare_age(const TopListRow *a, const TopListRow *b) {
    return a->job->accepted_usec < b->job->accepted_usec
               ? -1
               : a->job->accepted_usec > b->job->accepted_usec;
}

static int compare_cpu(const TopListRow *a, const TopListRow *b) {
    return compare_falling(a->cpu, b->cpu);
}

static double memory_of(const JobRow *job) {
    return job->memory == UINT64_MAX ? NAN : (double)job->memory;
}

static int compare_memory(const TopListRow *a, const TopListRow *b) {
    return compare_falling(memory_of(a->job), memory_of(b->job));
}

static int compare_state(const TopListRow *a, const TopListRow *b) {
    return strcmp(a->job->state, b->job->state);
}

static const struct {
    const char *name;
    int (*compare)(const TopListRow *a, const TopListRow *b);
} sorts[_TOP_SORT_MAX] = {
    [TOP_SORT_AGE] = {N_("age"), compare_age},
    [TOP_SORT_CPU] = {N_("CPU"), compare_cpu},
    [TOP_SORT_MEMORY] = {N_("memory"), compare_memory},
    [TOP_SORT_STATE] = {N_("state"), compare_state},
};

const char *top_sort_get_name(TopSort sort) {
    return _(sorts[sort].name);
}

static int compare_rows(const void *a, const void *b, void *userdata) {
    const TopListRow *x = a, *y = b;
    const TopSort sort = *(const TopSort *)userdata;

    return sorts[sort].compare(x, y) ?: x->job < y->job ? -1 : x->job > y->job;
}

static int remember_selected(TopList *l) {
    free(TAKE_PTR(l->guid));
    if (l->n == 0)
        return 0;
    l->guid = strdup(l->rows[l->selected].job->guid);
    return l->guid ? 0 : -ENOMEM;
}

static int select_again(TopList *l) {
    for (size_t i = 0; l->guid && i < l->n; i++)
        if (streq(l->rows[i].job->guid, l->guid))
            l->selected = i;
    l->selected = l->n > 0 ? MIN(l->selected, l->n - 1) : 0;
    return remember_selected(l);
}

int top_list_update(TopList *l, const TopModel *m) {
    l->n = 0;
    TRY(array_reserve(&l->rows, &l->allocated, MAX(m->jobs.n, (size_t)1), SIZE_MAX));
    for (size_t i = 0; i < m->jobs.n; i++)
        l->rows[l->n++] = (TopListRow){&m->jobs.rows[i], cpu_of(m, &m->jobs.rows[i])};
    qsort_r(l->rows, l->n, sizeof(*l->rows), compare_rows, &l->sort);
    return select_again(l);
}

void top_list_done(TopList *l) {
    free(l->rows);
    free(l->guid);
    *l = (TopList){};
}

int top_list_move(TopList *l, long by) {
    const size_t far = (size_t)labs(by);

    if (l->n == 0)
        return 0;
    l->selected = by < 0 ? l->selected - MIN(far, l->selected) : MIN(l->selected + far, l->n - 1);
    return remember_selected(l);
}

int top_list_sort_next(TopList *l, const TopModel *m) {
    l->sort = (l->sort + 1) % _TOP_SORT_MAX;
    return top_list_update(l, m);
}

const JobRow *top_list_get_selected(const TopList *l) {
    return l->n > 0 ? l->rows[l->selected].job : NULL;
}

void top_list_scroll(TopList *l, size_t page) {
    l->page = page;
    if (l->selected < l->first)
        l->first = l->selected;
    if (page > 0 && l->selected >= l->first + page)
        l->first = l->selected - page + 1;
    if (page > 0 && l->first + page > l->n)
        l->first = l->n > page ? l->n - page : 0;
}
