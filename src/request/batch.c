/* SPDX-License-Identifier: Apache-2.0 */
#include "request/batch.h"

#include "basic/array.h"
#include "basic/log-fields.h"
#include "basic/log.h"
#include "basic/timer.h"

struct Batch {
    Store *store;
    sd_event_source *source; /* commits after all pending events */
    sd_event_source *lazy;   /* commits if nothing else did */
    BatchCallbacks callbacks;
    void *userdata;
    BatchEntry *entries;
    size_t n, allocated;
    bool failing; /* logged once, until a commit succeeds */
};

static void note_failure(Batch *b, int error) {
    if (b->failing)
        return;
    b->failing = true;
    (void)log_struct(LOG_ERR, error, LOG_FIELDS(LOG_ID(DCM_MESSAGE_STORE_FAILED)),
                     "The database cannot be written: %m; the agent refuses requests until it can");
    b->callbacks.on_store(error, b->userdata);
}

static void note_success(Batch *b) {
    if (!b->failing)
        return;
    b->failing = false;
    log_notice("The database can be written again");
    b->callbacks.on_store(0, b->userdata);
}

/* Moves the entries out first, because callbacks may add new ones. n_pending decreases with each
 * entry, so that a request with several entries is not freed before the last one. */
static void end(Batch *b, int error) {
    _cleanup_free_ BatchEntry *entries = TAKE_PTR(b->entries);
    size_t n = b->n;

    b->n = b->allocated = 0;
    if (error >= 0)
        for (size_t i = 0; i < n; i++) {
            entries[i].request->n_pending--;
            b->callbacks.perform(&entries[i], b->userdata);
        }
    else /* backwards: a request that changed twice returns to its first state */
        for (size_t i = n; i-- > 0;) {
            entries[i].request->n_pending--;
            request_enter(entries[i].request, entries[i].from);
            if (entries[i].inserted)
                entries[i].request->is_stored = false;
            b->callbacks.undo(&entries[i], error, b->userdata);
        }
}

/* ACK and NACK of the manager promise nothing to anybody. */
static bool is_promise(RequestEvent event) {
    return event != REQUEST_EVENT_ACK && event != REQUEST_EVENT_NACK;
}

static int begin(Batch *b, RequestEvent event) {
    int r;

    if (is_promise(event))
        r = sd_event_source_set_enabled(b->source, SD_EVENT_ONESHOT);
    else if (store_in_transaction(b->store))
        r = 0;
    else
        r = timer_arm_in(b->lazy, BATCH_LAZY_USEC);
    if (r < 0 || store_in_transaction(b->store))
        return r;
    return store_begin(b->store);
}

static int insert(Batch *b, Request *q, RequestState next) {
    StoredRequest row = {
        .guid = q->task.guid,
        .command = q->task.command,
        .agent_id = q->agent_id,
        .state = next,
        .payload = q->payload,
        .error_message = q->error_message,
        .accepted_usec = q->task.accepted_usec,
    };

    memcpy(row.payload_sha256, q->payload_sha256, sizeof(row.payload_sha256));
    return store_insert_request(b->store, &row);
}

static int set_reply(Batch *b, Request *q) {
    size_t size;
    const char *text = json_to_text(q->reply, &size);

    if (!text)
        return -ENOMEM;
    TRY(store_set_reply(b->store, q->task.guid, text,
                        json_object_get_int(json_get(q->reply, "return_code"))));
    return task_store_end(&q->task, b->store, q->agent_id);
}

static int store_change(Batch *b, BatchEntry *e) {
    Request *q = e->request;
    int r;

    r = begin(b, e->event);
    if (r < 0)
        return r;
    if (!q->is_stored) {
        r = insert(b, q, e->next);
        e->inserted = q->is_stored = r >= 0;
        return r;
    }
    if (e->event == REQUEST_EVENT_FINISHED)
        return set_reply(b, q);
    return store_set_state(b->store, q->task.guid, e->from, e->next);
}

/* One failed change undoes the whole transaction. */
void batch_fail(Batch *b, int error) {
    note_failure(b, error);
    store_rollback(b->store);
    end(b, error);
}

int batch_add(Batch *b, Request *q, RequestEvent event, const RequestTransition *t) {
    BatchEntry entry = {
        .request = q, .from = q->state, .next = t->next, .event = event, .actions = t->actions};
    int r;

    if (!(t->actions & REQUEST_ACTION_STORE) && q->n_pending == 0) {
        request_enter(q, t->next);
        b->callbacks.perform(&entry, b->userdata);
        return 0;
    }
    r = array_reserve(&b->entries, &b->allocated, b->n + 1, SIZE_MAX);
    if (r < 0) {
        b->callbacks.undo(&entry, r, b->userdata);
        return r;
    }
    if (t->actions & REQUEST_ACTION_STORE)
        r = store_change(b, &entry);
    b->entries[b->n++] = entry;
    q->n_pending++;
    if (r >= 0) {
        request_enter(q, t->next);
        return 0;
    }
    batch_fail(b, r);
    return r;
}

int batch_commit(Batch *b) {
    int r;

    if (!store_in_transaction(b->store))
        return 0;
    timer_disarm(b->lazy);
    r = store_commit(b->store);
    if (r < 0)
        note_failure(b, r);
    else
        note_success(b);
    end(b, r);
    return r;
}

static int on_commit(sd_event_source *source, void *userdata) {
    (void)batch_commit(userdata);
    return 0;
}

static int on_lazy(sd_event_source *source, uint64_t usec, void *userdata) {
    (void)batch_commit(userdata);
    return 0;
}

int batch_new(sd_event *event, Store *store, const BatchCallbacks *callbacks, void *userdata,
              Batch **ret) {
    Batch *b = calloc(1, sizeof(*b));
    int r;

    if (!b)
        return -ENOMEM;
    b->store = store;
    b->callbacks = *callbacks;
    b->userdata = userdata;
    r = sd_event_add_defer(event, &b->source, on_commit, b);
    if (r >= 0)
        r = sd_event_source_set_enabled(b->source, SD_EVENT_OFF);
    if (r >= 0)
        r = timer_new(event, 0, on_lazy, b, &b->lazy);
    if (r < 0) {
        batch_free(b);
        return r;
    }
    *ret = b;
    return 0;
}

Batch *batch_free(Batch *b) {
    if (!b)
        return NULL;
    sd_event_source_disable_unref(b->source);
    sd_event_source_disable_unref(b->lazy);
    free(b->entries);
    free(b);
    return NULL;
}
