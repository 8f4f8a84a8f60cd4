/* SPDX-License-Identifier: Apache-2.0 */
#include "core/problems.h"

#include "basic/bounds.h"
#include "proto/text.h"

struct Problems {
    Problem list[PROBLEMS_MAX];
    size_t n;
    size_t n_more[_PROBLEM_SOURCE_MAX];
    void (*told)(const Problem *p);
};

int problems_new(void (*told)(const Problem *p), Problems **ret) {
    Problems *p = calloc(1, sizeof(*p));

    if (!p)
        return -ENOMEM;
    p->told = told;
    *ret = p;
    return 0;
}

static void problem_done(Problem *p) {
    free(p->file);
    free(p->text);
    *p = (Problem){};
}

Problems *problems_free(Problems *p) {
    for (size_t i = 0; p && i < p->n; i++)
        problem_done(&p->list[i]);
    free(p);
    return NULL;
}

void problems_clear(Problems *p, ProblemSource source) {
    size_t n = 0;

    for (size_t i = 0; i < p->n; i++)
        if (p->list[i].source == source)
            problem_done(&p->list[i]);
        else
            p->list[n++] = p->list[i];
    p->n = n;
    p->n_more[source] = 0;
}

bool problems_add(Problems *p, ProblemSource source, const char *file, unsigned line,
                  const char *text) {
    Problem problem = {.source = source, .line = line};

    if (p->n < PROBLEMS_MAX && bus_text_new(file, &problem.file) >= 0 &&
        bus_text_new(text, &problem.text) >= 0) {
        p->list[p->n++] = problem;
        if (p->told)
            p->told(&problem);
        return true;
    }
    problem_done(&problem);
    p->n_more[source]++;
    return false;
}

bool problems_has(const Problems *p, ProblemSource source) {
    for (size_t i = 0; i < p->n; i++)
        if (p->list[i].source == source)
            return true;
    return p->n_more[source] > 0;
}

const Problem *problems_list(const Problems *p, size_t *ret_n) {
    *ret_n = p->n;
    return p->list;
}

size_t problems_count(const Problems *p) {
    size_t n = p->n;

    for (size_t i = 0; i < _PROBLEM_SOURCE_MAX; i++)
        n += p->n_more[i];
    return n;
}
