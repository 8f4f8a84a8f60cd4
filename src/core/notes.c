/* SPDX-License-Identifier: Apache-2.0 */
#include "core/notes.h"

#include <stdio.h>

#include "basic/utf8.h"

#define PART_SIZE 384

static void format_problems(const Problems *problems, char *buf, size_t size) {
    size_t n = problems_count(problems);

    if (n > 0)
        (void)snprintf(buf, size, "; %zu problem%s in the configuration, see dcm-agentctl status",
                       n, n == 1 ? "" : "s");
}

static const char *describe_pause(const char *pause) {
    if (streq(pause, "waiting"))
        return "; paused, so new jobs wait (dcm-agentctl resume)";
    if (streq(pause, "refusing"))
        return "; paused, so new jobs are refused (dcm-agentctl resume)";
    return "";
}

/* The problems come last and must not be cut off: a reason is shortened instead. */
void notes_format(const Notes *n, char *buf, size_t size) {
    char problems[96] = "", reload[PART_SIZE] = "", store[PART_SIZE] = "", jobs[PART_SIZE] = "";

    format_problems(n->problems, problems, sizeof(problems));
    if (n->reload_error)
        (void)utf8_format(reload, sizeof(reload),
                          "; the last reload failed, so the previous configuration stays in force: "
                          "%s",
                          n->reload_error);
    if (n->store_error < 0)
        (void)utf8_format(store, sizeof(store),
                          "; requests are refused, as the database could not be written: %s",
                          strerror(-n->store_error));
    if (n->trouble)
        (void)utf8_format(jobs, sizeof(jobs), "; jobs do not start: %s", n->trouble);
    (void)utf8_format(buf, size, "%s%s%s%s%s%s%s",
                      n->is_terminating ? "; the manager has ordered this agent to stop for good"
                                        : "",
                      describe_pause(n->pause), store, jobs, reload,
                      problems_has(n->problems, PROBLEM_POLICY)
                          ? "; no job is allowed, as the policy is not valid"
                          : "",
                      problems);
}
