/* SPDX-License-Identifier: Apache-2.0 */
/* The job is a long runner, so its request is answered at once; that it has ended is told by the
 * reply of a get_job_description, and known when that is acknowledged. A manager may also have
 * ordered it as a normal job, whose own reply tells it. */
#include "core/sealing.h"

#include <fcntl.h>
#include <unistd.h>

#include "basic/boot-id.h"
#include "basic/file-util.h"
#include "basic/guid.h"
#include "proto/json.h"
#include "store/job-row.h"

#define ORDER_SIZE_MAX ((size_t)1024)

/* "BOOT-ID JOB-NAME\n": of this boot alone, since an older one was carried out before this agent
 * started. */
static bool names_job(const char *order, const char *guid) {
    char boot_id[BOOT_ID_SIZE], name[JOB_NAME_SIZE];
    _cleanup_free_ char *text = NULL;
    const char *blank;
    size_t size;

    if (read_file_at(AT_FDCWD, order, ORDER_SIZE_MAX, &text, &size) < 0 ||
        boot_id_read(boot_id) < 0)
        return false;
    text[strcspn(text, "\n")] = 0;
    blank = strchr(text, ' ');
    guid_to_job_name(guid, name);
    return blank && strncmp(text, boot_id, strlen(boot_id)) == 0 && streq(blank + 1, name);
}

static bool has_succeeded(const char *reply) {
    _cleanup_json_ struct json_object *o = NULL;

    return reply && json_parse_stored(reply, strlen(reply), &o) >= 0 &&
           json_get(o, "return_code") && json_object_get_int(json_get(o, "return_code")) == 0;
}

/* Whose end this reply of a get_job_description tells. */
static bool tells_end(Store *s, const char *text, StoredJob *ret) {
    _cleanup_json_ struct json_object *reply = NULL;
    struct json_object *o;

    if (!text || json_parse_stored(text, strlen(text), &reply) < 0)
        return false;
    o = json_get(reply, "reply_object");
    return streq(strempty(json_get_string(o, "job_status")),
                 job_status_to_string(JOB_STATUS_COMPLETE)) &&
           json_get(o, "job_id") &&
           store_load_job(s, json_object_get_int64(json_get(o, "job_id")), NULL, ret) >= 0;
}

bool sealing_is_due(const char *order, Store *store, const Request *q, RequestState state) {
    _cleanup_(stored_request_done) StoredRequest row = {};
    _cleanup_(stored_job_done) StoredJob job = {};

    if (state != REQUEST_STATE_REPLY_ACKED || access(order, F_OK) < 0 ||
        store_load_request(store, q->task.guid, true, &row) < 0)
        return false;
    if (streq(row.command, "get_job_description"))
        return tells_end(store, row.reply, &job) && names_job(order, job.guid);
    /* as a long runner its first reply tells nothing yet */
    if (!names_job(order, q->task.guid) || store_load_job(store, 0, q->task.guid, &job) >= 0)
        return false;
    return has_succeeded(row.reply);
}
