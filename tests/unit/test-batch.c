/* SPDX-License-Identifier: Apache-2.0 */
/* Proves group commit: nothing is performed before the commit it follows from, all of one iteration
 * in one transaction and in order; and a store that fails undoes all of them, the last one first,
 * after which each request is as it was, may be freed, and may be tried again. */
#include <glib.h>
#include <signal.h>
#include <sys/resource.h>
#include <systemd/sd-event.h>

#include "basic/log.h"
#include "request/batch.h"
#include "temporary.h"

typedef struct Fixture {
    char *dir;
    sd_event *event;
    Store *store;
    Batch *batch;
    GString *log; /* what the callbacks were told */
    bool free_undone, finish_accepted;
    int store_error; /* as it was told last */
} Fixture;

static const char *const event_names[_REQUEST_EVENT_MAX] = {
    "REQUEST", "ACCEPT", "REJECT", "FINISHED", "CANCEL", "ACK", "NACK", "TIMEOUT", "STATUS"};

static void fire(Fixture *f, Request *q, RequestEvent event) {
    RequestTransition t = request_transition(q->state, event);

    (void)batch_add(f->batch, q, event, &t);
}

static void note(Fixture *f, const char *what, const BatchEntry *e) {
    g_string_append_printf(f->log, "%s %s %s %s %u; ", what, e->request->task.guid,
                           event_names[e->event], request_state_to_string(e->request->state),
                           e->request->n_pending);
}

static void on_perform(const BatchEntry *e, void *userdata) {
    Fixture *f = userdata;

    note(f, "did", e);
    if (f->finish_accepted && e->event == REQUEST_EVENT_ACCEPT) {
        e->request->reply = json_object_new_object();
        fire(f, e->request, REQUEST_EVENT_FINISHED);
    }
}

static void on_undo(const BatchEntry *e, int error, void *userdata) {
    Fixture *f = userdata;

    g_assert_cmpint(error, <, 0);
    note(f, "undid", e);
    g_assert_cmpint(e->request->state, ==, e->from);
    if (f->free_undone && e->request->n_pending == 0)
        request_free(e->request);
}

/* Told of changes only. */
static void on_store(int error, void *userdata) {
    Fixture *f = userdata;

    g_assert_cmpint(error < 0, !=, f->store_error < 0);
    f->store_error = error;
}

static void fixture_init(Fixture *f) {
    static const BatchCallbacks callbacks = {
        .perform = on_perform, .undo = on_undo, .on_store = on_store};
    g_autofree char *path = NULL;

    *f = (Fixture){.dir = temporary_new(), .log = g_string_new(NULL)};
    path = g_build_filename(f->dir, "agent.db", NULL);
    g_assert_cmpint(store_open(path, &f->store), ==, 0);
    g_assert_cmpint(sd_event_new(&f->event), >=, 0);
    g_assert_cmpint(batch_new(f->event, f->store, &callbacks, f, &f->batch), ==, 0);
}

static void fixture_done(Fixture *f) {
    batch_free(f->batch);
    sd_event_unref(f->event);
    store_close(f->store);
    g_string_free(f->log, TRUE);
    temporary_remove(&f->dir);
}
#define _cleanup_fixture_ _cleanup_(fixture_done)

static Request *make_request(const char *guid) {
    Request *q = NULL;

    g_assert_cmpint(request_new(guid, "run_script", &q), ==, 0);
    q->payload = strdup("{}");
    return q;
}

static void assert_log(Fixture *f, const char *expected) {
    g_assert_cmpstr(f->log->str, ==, expected);
    g_string_set_size(f->log, 0);
}

static int stored_state(Fixture *f, const char *guid) {
    _cleanup_(stored_request_done) StoredRequest row = {};
    int r = store_load_request(f->store, guid, false, &row);

    return r < 0 ? r : (int)row.state;
}

/* From now on nothing can be written. */
static void break_store(void) {
    struct rlimit limit;

    signal(SIGXFSZ, SIG_IGN);
    g_assert_cmpint(getrlimit(RLIMIT_FSIZE, &limit), ==, 0);
    limit.rlim_cur = 0;
    g_assert_cmpint(setrlimit(RLIMIT_FSIZE, &limit), ==, 0);
}

static void mend_store(void) {
    struct rlimit limit;

    g_assert_cmpint(getrlimit(RLIMIT_FSIZE, &limit), ==, 0);
    limit.rlim_cur = limit.rlim_max;
    g_assert_cmpint(setrlimit(RLIMIT_FSIZE, &limit), ==, 0);
}

static void test_one_transaction(void) {
    _cleanup_(request_freep) Request *a = make_request("a"), *b = make_request("b");
    _cleanup_fixture_ Fixture f;

    fixture_init(&f);
    fire(&f, a, REQUEST_EVENT_STATUS); /* needs no store and follows from nothing */
    assert_log(&f, "did a STATUS REQUESTING 0; ");
    fire(&f, a, REQUEST_EVENT_ACCEPT);
    fire(&f, b, REQUEST_EVENT_REJECT);
    fire(&f, a, REQUEST_EVENT_STATUS); /* waits for what comes before it */
    assert_log(&f, "");
    g_assert_cmpuint(a->n_pending, ==, 2);
    g_assert_true(store_in_transaction(f.store));

    g_assert_cmpint(sd_event_run(f.event, 0), >, 0);
    assert_log(&f, "did a ACCEPT ACKED 1; did b REJECT NACKED 0; did a STATUS ACKED 0; ");
    g_assert_false(store_in_transaction(f.store));
    g_assert_cmpint(stored_state(&f, "a"), ==, REQUEST_STATE_ACKED);
    g_assert_cmpint(stored_state(&f, "b"), ==, REQUEST_STATE_NACKED);
    g_assert_cmpint(sd_event_run(f.event, 0), ==, 0); /* no second commit */
    batch_commit(f.batch);                            /* nothing to do */
    assert_log(&f, "");
}

static void test_added_inside(void) {
    _cleanup_(request_freep) Request *a = make_request("a"), *b = make_request("b");
    _cleanup_fixture_ Fixture f;

    fixture_init(&f);
    f.finish_accepted = true;
    fire(&f, a, REQUEST_EVENT_ACCEPT);
    fire(&f, b, REQUEST_EVENT_ACCEPT);
    batch_commit(f.batch);
    assert_log(&f, "did a ACCEPT ACKED 0; did b ACCEPT ACKED 0; ");
    g_assert_cmpint(stored_state(&f, "a"), ==, REQUEST_STATE_REPLY); /* not committed yet */
    g_assert_cmpint(sd_event_run(f.event, 0), >, 0);
    assert_log(&f, "did a FINISHED REPLY 0; did b FINISHED REPLY 0; ");
    g_assert_false(store_in_transaction(f.store));
}

static void test_commit_fails(void) {
    _cleanup_(request_freep) Request *a = make_request("a"), *b = make_request("b");
    _cleanup_fixture_ Fixture f;

    fixture_init(&f);
    break_store();
    fire(&f, a, REQUEST_EVENT_ACCEPT);
    fire(&f, b, REQUEST_EVENT_ACCEPT);
    fire(&f, a, REQUEST_EVENT_CANCEL);
    g_assert_cmpint(sd_event_run(f.event, 0), >, 0);
    mend_store();
    assert_log(&f, "undid a CANCEL ACKED 1; undid b ACCEPT REQUESTING 0; "
                   "undid a ACCEPT REQUESTING 0; ");
    g_assert_false(store_in_transaction(f.store));
    g_assert_cmpint(stored_state(&f, "a"), ==, -ENOENT);

    fire(&f, a, REQUEST_EVENT_ACCEPT);
    batch_commit(f.batch);
    assert_log(&f, "did a ACCEPT ACKED 0; ");
    g_assert_cmpint(stored_state(&f, "a"), ==, REQUEST_STATE_ACKED);
}

/* A request with several entries goes with its last one, and no earlier. */
static void test_freed_when_undone(void) {
    Request *a = make_request("a"), *b = make_request("b");
    _cleanup_fixture_ Fixture f;

    fixture_init(&f);
    f.free_undone = true;
    break_store();
    fire(&f, a, REQUEST_EVENT_ACCEPT);
    fire(&f, b, REQUEST_EVENT_REJECT);
    fire(&f, a, REQUEST_EVENT_REQUEST);
    fire(&f, a, REQUEST_EVENT_STATUS);
    batch_commit(f.batch);
    mend_store();
    assert_log(&f, "undid a STATUS ACKED 2; undid a REQUEST ACKED 1; "
                   "undid b REJECT REQUESTING 0; undid a ACCEPT REQUESTING 0; ");
}

/* One change that cannot be made takes the others of its transaction with it. */
static void test_change_fails(void) {
    _cleanup_(request_freep) Request *a = make_request("a"), *b = make_request("b"),
                                     *again = make_request("a");
    _cleanup_fixture_ Fixture f;

    fixture_init(&f);
    fire(&f, a, REQUEST_EVENT_ACCEPT);
    batch_commit(f.batch);
    assert_log(&f, "did a ACCEPT ACKED 0; ");

    fire(&f, b, REQUEST_EVENT_ACCEPT);
    fire(&f, again, REQUEST_EVENT_ACCEPT); /* the row is there */
    assert_log(&f, "undid a ACCEPT REQUESTING 0; undid b ACCEPT REQUESTING 0; ");
    g_assert_false(store_in_transaction(f.store));
    g_assert_cmpint(stored_state(&f, "a"), ==, REQUEST_STATE_ACKED);
    g_assert_cmpint(stored_state(&f, "b"), ==, -ENOENT);
    g_assert_cmpint(sd_event_run(f.event, 0), >=, 0);
    assert_log(&f, "");

    fire(&f, b, REQUEST_EVENT_ACCEPT);
    batch_commit(f.batch);
    assert_log(&f, "did b ACCEPT ACKED 0; ");
}

static void test_reply_survives_failure(void) {
    _cleanup_(request_freep) Request *a = make_request("a");
    _cleanup_fixture_ Fixture f;

    fixture_init(&f);
    fire(&f, a, REQUEST_EVENT_ACCEPT);
    batch_commit(f.batch);
    a->reply = json_object_new_object();
    break_store();
    fire(&f, a, REQUEST_EVENT_FINISHED);
    batch_commit(f.batch);
    mend_store();
    assert_log(&f, "did a ACCEPT ACKED 0; undid a FINISHED ACKED 0; ");
    g_assert_cmpint(f.store_error, <, 0);
    g_assert_nonnull(a->reply);
    g_assert_cmpint(stored_state(&f, "a"), ==, REQUEST_STATE_ACKED);
    fire(&f, a, REQUEST_EVENT_FINISHED);
    batch_commit(f.batch);
    g_assert_cmpint(f.store_error, ==, 0);
    assert_log(&f, "did a FINISHED REPLY 0; ");
    g_assert_cmpint(stored_state(&f, "a"), ==, REQUEST_STATE_REPLY);
}

/* A command that is answered at once: the row and its reply are one commit, and one failure. */
static void test_answered_at_once(void) {
    _cleanup_(request_freep) Request *a = make_request("a");
    _cleanup_fixture_ Fixture f;

    fixture_init(&f);
    a->reply = json_object_new_object();
    break_store();
    fire(&f, a, REQUEST_EVENT_ACCEPT);
    fire(&f, a, REQUEST_EVENT_FINISHED);
    batch_commit(f.batch);
    mend_store();
    assert_log(&f, "undid a FINISHED ACKED 1; undid a ACCEPT REQUESTING 0; ");
    g_assert_false(a->is_stored);
    g_assert_cmpint(stored_state(&f, "a"), ==, -ENOENT);

    fire(&f, a, REQUEST_EVENT_ACCEPT);
    fire(&f, a, REQUEST_EVENT_FINISHED);
    batch_commit(f.batch);
    assert_log(&f, "did a ACCEPT REPLY 1; did a FINISHED REPLY 0; ");
    g_assert_cmpint(stored_state(&f, "a"), ==, REQUEST_STATE_REPLY);
}

static Request *make_replied(Fixture *f, const char *guid) {
    Request *q = make_request(guid);

    q->reply = json_object_new_object();
    fire(f, q, REQUEST_EVENT_ACCEPT);
    fire(f, q, REQUEST_EVENT_FINISHED);
    batch_commit(f->batch);
    g_string_set_size(f->log, 0);
    return q;
}

/* That the manager has a reply is promised to nobody: it goes with the next promise ... */
static void test_lazy_goes_along(void) {
    _cleanup_(request_freep) Request *a = NULL, *b = make_request("b"), *c = NULL;
    _cleanup_fixture_ Fixture f;

    fixture_init(&f);
    a = make_replied(&f, "a");
    c = make_replied(&f, "c");
    while (sd_event_run(f.event, 0) > 0) /* the commits above were made by hand */
        ;
    fire(&f, a, REQUEST_EVENT_ACK);
    g_assert_true(store_in_transaction(f.store));
    g_assert_cmpint(sd_event_run(f.event, 0), ==, 0);
    assert_log(&f, "");
    fire(&f, c, REQUEST_EVENT_STATUS); /* another request: does not wait */
    assert_log(&f, "did c STATUS REPLY 0; ");
    fire(&f, b, REQUEST_EVENT_ACCEPT);
    g_assert_cmpint(sd_event_run(f.event, 0), >, 0);
    assert_log(&f, "did a ACK REPLY_ACKED 0; did b ACCEPT ACKED 0; ");
    g_assert_false(store_in_transaction(f.store));
}

/* ... or by itself, a little later. */
static void test_lazy_alone(void) {
    _cleanup_(request_freep) Request *a = NULL;
    _cleanup_fixture_ Fixture f;

    fixture_init(&f);
    a = make_replied(&f, "a");
    fire(&f, a, REQUEST_EVENT_ACK);
    while (store_in_transaction(f.store))
        g_assert_cmpint(sd_event_run(f.event, UINT64_MAX), >, 0);
    assert_log(&f, "did a ACK REPLY_ACKED 0; ");
    g_assert_cmpint(stored_state(&f, "a"), ==, REQUEST_STATE_REPLY_ACKED);
}

/* The process ends with a transaction open: the batch owns no request. */
static void test_freed_open(void) {
    _cleanup_(request_freep) Request *a = make_request("a");
    _cleanup_fixture_ Fixture f;

    fixture_init(&f);
    fire(&f, a, REQUEST_EVENT_ACCEPT);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    log_set_level(LOG_CRIT);
    g_test_add_func("/batch/one-transaction", test_one_transaction);
    g_test_add_func("/batch/added-inside", test_added_inside);
    g_test_add_func("/batch/commit-fails", test_commit_fails);
    g_test_add_func("/batch/freed-when-undone", test_freed_when_undone);
    g_test_add_func("/batch/change-fails", test_change_fails);
    g_test_add_func("/batch/reply-survives-failure", test_reply_survives_failure);
    g_test_add_func("/batch/answered-at-once", test_answered_at_once);
    g_test_add_func("/batch/lazy-goes-along", test_lazy_goes_along);
    g_test_add_func("/batch/lazy-alone", test_lazy_alone);
    g_test_add_func("/batch/freed-open", test_freed_open);
    return g_test_run();
}
