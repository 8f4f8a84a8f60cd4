/* SPDX-License-Identifier: Apache-2.0 */
#include "store/job-row.h"

#include "basic/time-util.h"
#include "store/statement.h"

static const char *const status_names[_JOB_STATUS_MAX] = {
    [JOB_STATUS_WAITING] = "WAITING",
    [JOB_STATUS_RUNNING] = "RUNNING",
    [JOB_STATUS_COMPLETE] = "COMPLETE",
    [JOB_STATUS_ERROR] = "ERROR",
};

const char *job_status_to_string(JobStatus status) {
    return status >= 0 && status < _JOB_STATUS_MAX ? status_names[status] : NULL;
}

static JobStatus status_from_string(const char *s) {
    for (int i = 0; i < _JOB_STATUS_MAX; i++)
        if (streq(strempty(s), status_names[i]))
            return (JobStatus)i;
    return _JOB_STATUS_INVALID;
}

void stored_job_done(StoredJob *j) {
    free(j->guid);
    free(j->command);
    free(j->customer_id);
    free(j->payload);
    free(j->reply);
    *j = (StoredJob){};
}

int store_insert_job(Store *s, const StoredJob *j, int64_t *ret_id) {
    int r;

    r = store_change(s, STATEMENT_INSERT_JOB, true, "ttttl", j->guid, j->command, j->customer_id,
                     j->payload, store_running_usec(s));
    if (r >= 0)
        *ret_id = sqlite3_last_insert_rowid(s->db);
    return r;
}

int store_start_job(Store *s, const char *guid) {
    return store_change(s, STATEMENT_START_JOB, false, "tll", guid, now_usec(CLOCK_REALTIME),
                        store_running_usec(s));
}

int store_finish_job(Store *s, const char *guid, JobStatus status, const char *reply) {
    int r = store_change(s, STATEMENT_FINISH_JOB, true, "tttll", guid, job_status_to_string(status),
                         reply, now_usec(CLOCK_REALTIME), store_running_usec(s));

    if (r >= 0)
        store_note_remains(s);
    return r;
}

static int take_job(sqlite3_stmt *st, StoredJob *ret) {
    StoredJob j = {
        .job_id = sqlite3_column_int64(st, 0),
        .status = status_from_string((const char *)sqlite3_column_text(st, 4)),
        .start_usec = (uint64_t)sqlite3_column_int64(st, 5),
        .end_usec = (uint64_t)sqlite3_column_int64(st, 6),
    };
    int r;

    r = store_take_text(st, 1, &j.guid)
            ?: store_take_text(st, 2, &j.command)
            ?: store_take_text(st, 3, &j.customer_id)
            ?: store_take_text(st, 7, &j.reply);
    if (r >= 0 && (j.status < 0 || !j.guid || !j.command))
        r = -EUCLEAN;
    if (r < 0)
        stored_job_done(&j);
    else
        *ret = j;
    return r;
}

int store_load_job(Store *s, int64_t job_id, const char *guid, StoredJob *ret) {
    _cleanup_statement_ sqlite3_stmt *st = NULL;
    int r;

    r = store_query(s, STATEMENT_LOAD_JOB, &st, "lt", job_id, guid);
    if (r >= 0)
        r = store_step(s, st);
    if (r <= 0)
        return r < 0 ? r : -ENOENT;
    return take_job(st, ret);
}

int store_load_job_payload(Store *s, const char *guid, char **ret) {
    _cleanup_statement_ sqlite3_stmt *st = NULL;
    int r;

    *ret = NULL;
    r = store_query(s, STATEMENT_LOAD_JOB_PAYLOAD, &st, "t", guid);
    if (r >= 0)
        r = store_step(s, st);
    if (r <= 0)
        return r < 0 ? r : -ENOENT;
    return store_take_text(st, 0, ret);
}

int store_visit_unfinished_jobs(Store *s, int (*visit)(const StoredJob *j, void *userdata),
                                void *userdata) {
    _cleanup_statement_ sqlite3_stmt *st = NULL;
    int r;

    r = store_query(s, STATEMENT_LIST_JOBS, &st, "");
    while (r >= 0 && (r = store_step(s, st)) > 0) {
        _cleanup_(stored_job_done) StoredJob j = {};

        r = take_job(st, &j);
        if (r >= 0)
            r = visit(&j, userdata);
        if (r < 0)
            return r;
    }
    return r;
}

int store_remove_jobs(Store *s, uint64_t older_than_usec) {
    uint64_t now = store_running_usec(s);

    return store_change(s, STATEMENT_REMOVE_JOBS, false, "l",
                        now > older_than_usec ? now - older_than_usec : 0);
}
