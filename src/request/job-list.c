/* SPDX-License-Identifier: Apache-2.0 */
#include "request/job-list.h"

#include "basic/bounds.h"
#include "job/command.h"

typedef struct Listing {
    JobListVisitor visit;
    void *userdata;
    const char *kind;
    unsigned n;
} Listing;

static int on_job(const JobInfo *info, void *userdata) {
    Listing *l = userdata;

    if (l->n++ >= JOBS_LISTED_MAX)
        return 1;
    return l->visit(&(const JobListEntry){.info = *info, .kind = l->kind}, l->userdata);
}

int job_list_visit(const RequestFlow *f, JobListVisitor visit, void *userdata) {
    static const CommandKind kinds[] = {COMMAND_NORMAL, COMMAND_LONG};
    Listing l = {.visit = visit, .userdata = userdata};
    Runner *runners[ELEMENTSOF(kinds)];
    int r = 0;

    request_flow_get_runners(f, runners);
    for (size_t i = 0; i < ELEMENTSOF(kinds) && r == 0; i++) {
        l.kind = command_kind_to_string(kinds[i]);
        r = runner_visit_jobs(runners[i], on_job, &l);
    }
    return MIN(r, 0);
}

void job_list_cancel_all(RequestFlow *f) {
    Runner *runners[2];

    request_flow_get_runners(f, runners);
    for (size_t i = 0; i < ELEMENTSOF(runners); i++)
        runner_cancel_all(runners[i]);
}

void job_list_observe(RequestFlow *f, void (*on_jobs)(void *userdata), void *userdata) {
    Runner *runners[2];

    request_flow_get_runners(f, runners);
    for (size_t i = 0; i < ELEMENTSOF(runners); i++)
        runner_set_observer(runners[i], on_jobs, userdata);
}
