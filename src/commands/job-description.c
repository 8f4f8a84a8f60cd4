/* SPDX-License-Identifier: Apache-2.0 */
#include "commands/job-description.h"

#include <stdio.h>

#include "basic/bounds.h"
#include "proto/message.h"
#include "proto/text.h"

int job_description(const StoredJob *j, struct json_object **ret) {
    _cleanup_json_ struct json_object *o = json_object_new_object(), *reply = NULL;
    bool has_begun = j->status != JOB_STATUS_WAITING, has_ended = j->status > JOB_STATUS_RUNNING;
    const char *message;
    int r = o ? 0 : -ENOMEM;

    if (r >= 0 && j->reply)
        r = json_parse_stored(j->reply, strlen(j->reply), &reply);
    if (r < 0)
        return r;
    /* the Python agent had no message if a job failed with an error_message alone */
    message = json_get_string(reply, "error_message");
    if (isempty(message))
        message = json_get_string(reply, "message");
    r = json_add_string(o, "customer_id", j->customer_id)
            ?: json_add_string(o, "description", j->command)
            ?: json_add_int(o, "job_id", j->job_id)
            ?: json_add_string(o, "job_status", job_status_to_string(j->status))
            ?: json_add_int(o, "start_date", (int64_t)(j->start_usec / USEC_PER_SEC));
    if (r >= 0)
        r = has_ended || !has_begun
                ? json_add_int(o, "end_date", (int64_t)(j->end_usec / USEC_PER_SEC))
                : json_add_null(o, "end_date");
    if (r >= 0 && j->status == JOB_STATUS_ERROR) {
        _cleanup_free_ char *encoded = NULL;

        r = percent_encode(strempty(message), LOG_MESSAGE_MAX, &encoded)
                ?: json_add_string(o, "message", encoded);
    } else if (r >= 0)
        r = json_add_null(o, "message");
    if (r >= 0)
        r = reply ? json_add(o, "command_reply", TAKE_PTR(reply))
                  : json_add_null(o, "command_reply");
    return r < 0 ? r : reply_new(0, "job_description", TAKE_PTR(o), NULL, NULL, ret);
}

int job_describe(Store *store, int64_t job_id, struct json_object **ret_reply) {
    _cleanup_(stored_job_done) StoredJob j = {};
    _cleanup_free_ char *encoded = NULL;
    char text[64];
    int r;

    r = store_load_job(store, job_id, NULL, &j);
    if (r != -ENOENT)
        return r < 0 ? r : job_description(&j, ret_reply);
    (void)snprintf(text, sizeof(text), "There is no job with the number %lld", (long long)job_id);
    r = percent_encode(text, strlen(text), &encoded);
    /* the Python agent sent it in `message`, so managers read it there */
    return r < 0 ? r : reply_new(1, "void", NULL, text, encoded, ret_reply);
}

int job_describe_guid(Store *store, const char *guid, struct json_object **ret_reply) {
    _cleanup_(stored_job_done) StoredJob j = {};

    TRY(store_load_job(store, 0, guid, &j));
    return job_description(&j, ret_reply);
}
