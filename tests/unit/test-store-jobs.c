/* SPDX-License-Identifier: Apache-2.0 */
/* Proves that the rows of long runners' jobs have numbers of their own that are not used twice, go
 * from WAITING to their end once, are found again when the database is opened again, keep their
 * requests from being forgotten, and go when they are old. */
#include <glib.h>
#include <glib/gstdio.h>

#include "basic/bounds.h"
#include "store/job-row.h"
#include "store/request-row.h"
#include "temporary.h"

typedef struct Fixture {
    char *dir, *path;
    Store *store;
} Fixture;

static void set_up(Fixture *f, gconstpointer unused) {
    f->dir = temporary_new();
    f->path = g_build_filename(f->dir, "agent.db", NULL);
    g_assert_cmpint(store_open(f->path, &f->store), ==, 0);
}

static void tear_down(Fixture *f, gconstpointer unused) {
    store_close(f->store);
    g_free(f->path);
    temporary_remove(&f->dir);
}

#define COMMITTED(f, expression)                                                                   \
    do {                                                                                           \
        g_assert_cmpint(store_begin((f)->store), ==, 0);                                           \
        g_assert_cmpint((expression), ==, 0);                                                      \
        g_assert_cmpint(store_commit((f)->store), ==, 0);                                          \
    } while (0)

static int64_t insert(Fixture *f, const char *guid) {
    const StoredJob j = {
        .guid = (char *)(uintptr_t)guid,
        .command = (char[]){"run_script"},
        .customer_id = (char[]){"7"},
        .payload = (char[]){"{\"a\":1}"},
    };
    int64_t id = 0;

    COMMITTED(f, store_insert_job(f->store, &j, &id));
    return id;
}

static void assert_job(Fixture *f, int64_t id, JobStatus status, const char *reply) {
    _cleanup_(stored_job_done) StoredJob j = {};

    g_assert_cmpint(store_load_job(f->store, id, NULL, &j), ==, 0);
    g_assert_cmpint(j.job_id, ==, id);
    g_assert_cmpint(j.status, ==, status);
    g_assert_cmpstr(j.command, ==, "run_script");
    g_assert_cmpstr(j.customer_id, ==, "7");
    g_assert_cmpstr(j.reply, ==, reply);
    g_assert_cmpint(j.start_usec > 0, ==, status != JOB_STATUS_WAITING);
    g_assert_cmpint(j.end_usec > 0, ==, status > JOB_STATUS_RUNNING);
}

static void test_life(Fixture *f, gconstpointer unused) {
    _cleanup_(stored_job_done) StoredJob by_guid = {}, none = {};
    _cleanup_free_ char *payload = NULL, *no_payload = NULL;
    int64_t id = insert(f, "g");

    assert_job(f, id, JOB_STATUS_WAITING, NULL);
    g_assert_cmpint(store_load_job_payload(f->store, "g", &payload), ==, 0);
    g_assert_cmpstr(payload, ==, "{\"a\":1}");
    COMMITTED(f, store_start_job(f->store, "g"));
    assert_job(f, id, JOB_STATUS_RUNNING, NULL);
    COMMITTED(f, store_start_job(f->store, "g")); /* it was taken up again */
    COMMITTED(f, store_finish_job(f->store, "g", JOB_STATUS_ERROR, "{}"));
    assert_job(f, id, JOB_STATUS_ERROR, "{}");
    g_assert_cmpint(store_load_job_payload(f->store, "g", &no_payload), ==, -ENOENT);

    g_assert_cmpint(store_begin(f->store), ==, 0);
    g_assert_cmpint(store_finish_job(f->store, "g", JOB_STATUS_COMPLETE, "{}"), ==, -ENOENT);
    store_rollback(f->store);
    g_assert_cmpint(store_load_job(f->store, 0, "g", &by_guid), ==, 0);
    g_assert_cmpint(by_guid.job_id, ==, id);
    g_assert_cmpint(store_load_job(f->store, id + 1, NULL, &none), ==, -ENOENT);
    g_assert_cmpint(store_load_job(f->store, 0, "other", &none), ==, -ENOENT);
}

static int collect(const StoredJob *j, void *userdata) {
    g_string_append_printf(userdata, "%s:%s ", j->guid, job_status_to_string(j->status));
    return 0;
}

static void test_found_again(Fixture *f, gconstpointer unused) {
    g_autoptr(GString) found = g_string_new(NULL);

    (void)insert(f, "a");
    (void)insert(f, "b");
    (void)insert(f, "c");
    COMMITTED(f, store_start_job(f->store, "b"));
    COMMITTED(f, store_start_job(f->store, "a"));
    COMMITTED(f, store_finish_job(f->store, "a", JOB_STATUS_COMPLETE, "{}"));
    f->store = store_close(f->store);
    g_assert_cmpint(store_open(f->path, &f->store), ==, 0);
    g_assert_cmpint(store_visit_unfinished_jobs(f->store, collect, found), ==, 0);
    g_assert_cmpstr(found->str, ==, "b:RUNNING c:WAITING ");
}

/* Neither after a rollback, which is no number, nor after the last row is gone. */
static void test_numbers(Fixture *f, gconstpointer unused) {
    int64_t first = insert(f, "a"), second = insert(f, "b");

    g_assert_cmpint(second, ==, first + 1);
    COMMITTED(f, store_finish_job(f->store, "a", JOB_STATUS_COMPLETE, "{}"));
    COMMITTED(f, store_finish_job(f->store, "b", JOB_STATUS_COMPLETE, "{}"));
    g_usleep(2);
    COMMITTED(f, store_remove_jobs(f->store, 0));
    g_assert_cmpint(insert(f, "c"), ==, second + 1);
}

static void test_removal(Fixture *f, gconstpointer unused) {
    _cleanup_(stored_job_done) StoredJob none = {};
    int64_t ended = insert(f, "ended"), running = insert(f, "running");

    COMMITTED(f, store_start_job(f->store, "running"));
    COMMITTED(f, store_finish_job(f->store, "ended", JOB_STATUS_COMPLETE, "{}"));
    COMMITTED(f, store_remove_jobs(f->store, 3600 * USEC_PER_SEC));
    assert_job(f, ended, JOB_STATUS_COMPLETE, "{}");
    g_usleep(2);
    COMMITTED(f, store_remove_jobs(f->store, 0));
    g_assert_cmpint(store_load_job(f->store, ended, NULL, &none), ==, -ENOENT);
    assert_job(f, running, JOB_STATUS_RUNNING, NULL);
}

static int count(const char *guid, void *userdata) {
    ++*(unsigned *)userdata;
    return 0;
}

static void test_request_is_kept(Fixture *f, gconstpointer unused) {
    const StoredRequest q = {
        .guid = (char[]){"g"},
        .command = (char[]){"run_script"},
        .state = REQUEST_STATE_REPLY_ACKED,
        .payload_sha256 = "",
    };
    unsigned n = 0;

    COMMITTED(f, store_insert_request(f->store, &q));
    (void)insert(f, "g");
    g_usleep(2);
    g_assert_cmpint(store_visit_expired(f->store, 0, 10, 0, count, &n), ==, 0);
    g_assert_cmpuint(n, ==, 0);
    COMMITTED(f, store_finish_job(f->store, "g", JOB_STATUS_COMPLETE, "{}"));
    g_assert_cmpint(store_visit_expired(f->store, 0, 10, 0, count, &n), ==, 0);
    g_assert_cmpuint(n, ==, 0);
    g_usleep(2);
    COMMITTED(f, store_remove_jobs(f->store, 0));
    g_assert_cmpint(store_visit_expired(f->store, 0, 10, 0, count, &n), ==, 0);
    g_assert_cmpuint(n, ==, 1);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
#define ADD(name, f) g_test_add("/store-jobs/" name, Fixture, NULL, set_up, f, tear_down)
    ADD("life", test_life);
    ADD("found-again", test_found_again);
    ADD("numbers", test_numbers);
    ADD("removal", test_removal);
    ADD("request-is-kept", test_request_is_kept);
    return g_test_run();
}
