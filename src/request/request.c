/* SPDX-License-Identifier: Apache-2.0 */
/* The table is json-c's linked hash: the keys are the GUIDs in the requests. */
#include "request/request.h"

#include <json-c/linkhash.h>

struct RequestTable {
    struct lh_table *table;
};

Request *request_free(Request *q) {
    if (!q)
        return NULL;
    sd_event_source_disable_unref(q->timer);
    task_done(&q->task);
    free(q->agent_id);
    free(q->payload);
    free(q->error_message);
    free(q->reply_message_id);
    if (q->reply)
        (void)json_object_put(q->reply);
    free(q);
    return NULL;
}

void request_enter(Request *q, RequestState state) {
    assert(state >= 0 && state < _REQUEST_STATE_MAX);
    q->state = state;
}

int request_new(const char *guid, const char *command, Request **ret) {
    _cleanup_(request_freep) Request *q = calloc(1, sizeof(*q));

    if (!q)
        return -ENOMEM;
    TRY(task_init(&q->task, guid, command));
    request_enter(q, REQUEST_STATE_REQUESTING);
    *ret = TAKE_PTR(q);
    return 0;
}

int request_new_from_row(const StoredRequest *row, Request **ret) {
    _cleanup_(request_freep) Request *q = NULL;

    TRY(request_new(row->guid, row->command, &q));
    TRY(free_and_strdup(&q->error_message, row->error_message));
    TRY(free_and_strdup(&q->agent_id, row->agent_id));
    request_enter(q, row->state);
    q->is_stored = true;
    q->task.accepted_usec = row->accepted_usec;
    memcpy(q->payload_sha256, row->payload_sha256, sizeof(q->payload_sha256));
    *ret = TAKE_PTR(q);
    return 0;
}

int request_table_new(RequestTable **ret) {
    RequestTable *t = calloc(1, sizeof(*t));

    if (!t)
        return -ENOMEM;
    t->table = lh_kchar_table_new(64, NULL);
    if (!t->table) {
        free(t);
        return -ENOMEM;
    }
    *ret = t;
    return 0;
}

static void free_request(Request *q, void *userdata) {
    request_table_remove(userdata, q);
}

RequestTable *request_table_free(RequestTable *t) {
    if (!t)
        return NULL;
    request_table_visit(t, free_request, t);
    lh_table_free(t->table);
    free(t);
    return NULL;
}

Request *request_table_find(const RequestTable *t, const char *guid) {
    void *q = NULL;

    return lh_table_lookup_ex(t->table, guid, &q) ? q : NULL;
}

int request_table_add(RequestTable *t, Request *q) {
    return lh_table_insert(t->table, q->task.guid, q) < 0 ? -ENOMEM : 0;
}

void request_table_remove(RequestTable *t, Request *q) {
    (void)lh_table_delete(t->table, q->task.guid);
    request_free(q);
}

unsigned request_table_size(const RequestTable *t) {
    return (unsigned)lh_table_length(t->table);
}

void request_table_visit(RequestTable *t, void (*visit)(Request *q, void *userdata),
                         void *userdata) {
    struct lh_entry *entry, *next;

    lh_foreach_safe(t->table, entry, next) visit((Request *)(uintptr_t)lh_entry_v(entry), userdata);
}
