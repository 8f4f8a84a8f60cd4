/* SPDX-License-Identifier: Apache-2.0 */
/* What is wrong with the files by which this machine's owner configures the agent. Everybody who
 * looks at the agent is shown this list; it is made anew when the files are read again. */
#pragma once

#include "basic/macro.h"

/* Each is cleared by itself, when its files are read again. */
typedef enum ProblemSource {
    PROBLEM_CONFIG,
    PROBLEM_ALERTS,
    PROBLEM_COMMANDS,     /* files that define no command */
    PROBLEM_COMMAND_JOBS, /* commands whose jobs are refused */
    PROBLEM_POLICY,
    PROBLEM_POLICY_NAMES, /* files that are no part of the policy, for their names */
    _PROBLEM_SOURCE_MAX,
} ProblemSource;

typedef struct Problem {
    ProblemSource source;
    char *file;
    unsigned line; /* 0: the file as a whole */
    char *text;    /* fit for D-Bus, as the file's name */
} Problem;

typedef struct Problems Problems;

/* `told` is called for each problem that is kept; it may be NULL. */
int problems_new(void (*told)(const Problem *p), Problems **ret);
Problems *problems_free(Problems *p);
DEFINE_CLEANUP(Problems *, problems_free)

void problems_clear(Problems *p, ProblemSource source);
/* The texts are copied. False: there are PROBLEMS_MAX of them, or no memory; it is counted only. */
bool problems_add(Problems *p, ProblemSource source, const char *file, unsigned line,
                  const char *text);

bool problems_has(const Problems *p, ProblemSource source) _pure_;
/* Those that are kept, in the order of adding; valid until the next change. */
const Problem *problems_list(const Problems *p, size_t *ret_n);
/* All, also those that are counted only. */
size_t problems_count(const Problems *p) _pure_;
