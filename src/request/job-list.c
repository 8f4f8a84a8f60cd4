/* SPDX-License-Identifier: Apache-2.0 */
#include "request/job-list.h"

#include "basic/bounds.h"
#include "basic/log-fields.h"
#include "basic/log.h"
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

int job_list_cancel(RequestFlow *f, const char *guid) {
    Request *q = NULL;
    int r;

    /* starting a long job commits too, which may free the request */
    (void)request_flow_commit(f);
    r = request_flow_find(f, guid, &q);
    if (r < 0)
        return r;
    if (!q)
        return -ENOENT;
    if (request_flow_cancel_long(f, guid))
        r = 1;
    else if (q->state != REQUEST_STATE_ACKED)
        r = -EALREADY;
    if (r >= 0)
        (void)log_struct(LOG_NOTICE, 0, LOG_FIELDS(LOG_REQUEST(guid), LOG_COMMAND(q->task.command)),
                         "Cancelling %s, as ordered on this machine", guid);
    request_flow_fire(q, REQUEST_EVENT_CANCEL); /* may free q, which was read from the store */
    return r;
}
