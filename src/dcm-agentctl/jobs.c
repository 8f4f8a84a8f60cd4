/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-agentctl/follow.h"
#include "dcm-agentctl/job-list.h"
#include "dcm-agentctl/verbs.h"

static int list_once(const Context *c) {
    _cleanup_json_ struct json_object *rows = json_object_new_array();
    _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
    _cleanup_(job_list_done) JobList l = {};
    int r;

    r = job_list_load(c, &error, &l);
    if (r < 0)
        return ctl_report(c, &error, r);
    for (size_t i = 0; i < l.n; i++) {
        job_row_measure(c, &l.rows[i]);
        (void)json_object_array_add(rows, job_row_to_json(&l.rows[i], NULL));
    }
    return listing_print(&job_listing, rows, &c->output);
}

int verb_jobs(const Context *c, int argc, char *argv[]) {
    return c->follow ? jobs_follow(c) : list_once(c);
}
