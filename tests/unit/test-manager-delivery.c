/* SPDX-License-Identifier: Apache-2.0 */
/* Proves that a request, which may have megabytes, is not read for an agent whose queue has no room
 * for it, and is sent in its order as soon as there is room. */
#include <glib.h>
#include <glib/gstdio.h>

#include "basic/time-util.h"
#include "dcm-manager/delivery.h"
#include "dcm-manager/ledger-database.h"

#define N 5

static struct {
    unsigned room; /* for so many messages */
    unsigned n_sent;
    sd_event *event;
} t;

static bool has_room(void *userdata) {
    return t.room > 0;
}

static int send_message(struct json_object *message, void *userdata) {
    g_autofree char *guid = g_strdup_printf("g%u", t.n_sent);

    g_assert_cmpuint(t.room, >, 0);
    g_assert_cmpstr(json_get_string(message, "request_id"), ==, guid);
    t.room--;
    if (++t.n_sent == N)
        (void)sd_event_exit(t.event, 0);
    return 0;
}

static void on_sent(const char *guid, void *userdata) {
}

static int reads(const Ledger *store) {
    sqlite3_stmt *q = store->statements[STATEMENT_REQUEST_GET];

    return q ? sqlite3_stmt_status(q, SQLITE_STMTSTATUS_RUN, 0) : 0;
}

static void test_room(void) {
    static const DeliveryCallbacks callbacks = {
        .has_room = has_room, .send = send_message, .on_sent = on_sent};
    g_autofree char *directory = g_dir_make_tmp("delivery-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(directory, "manager.db", NULL);
    g_autofree char *command = g_strdup_printf("rm -r '%s'", directory);
    Delivery *d = NULL;
    Ledger *store = NULL;

    g_assert_cmpint(ledger_open(path, &store), ==, 0);
    g_assert_cmpint(sd_event_new(&t.event), ==, 0);
    g_assert_cmpint(delivery_new(t.event, store, "a", USEC_PER_SEC / 100, &callbacks, NULL, &d), ==,
                    0);
    for (unsigned i = 0; i < N; i++) {
        g_autofree char *guid = g_strdup_printf("g%u", i);

        g_assert_cmpint(ledger_add_request(store, guid, "a", "{\"command\":\"x\"}"), >=, 0);
        t.room = i == 0;
        g_assert_cmpint(delivery_add(d, guid), ==, 0);
    }
    g_assert_cmpuint(t.n_sent, ==, 1);
    g_assert_cmpint(reads(store), ==, 1);
    t.room = N - 1;
    /* the first one is repeated, too, but only when it is sent for the second time */
    delivery_remove(d, "g0");
    g_assert_cmpint(sd_event_loop(t.event), ==, 0);
    g_assert_cmpint(reads(store), ==, N);
    delivery_free(d);
    sd_event_unref(t.event);
    ledger_free(store);
    g_assert_cmpint(system(command), ==, 0);
}

int main(int argc, char *argv[]) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/manager-delivery/room", test_room);
    return g_test_run();
}
