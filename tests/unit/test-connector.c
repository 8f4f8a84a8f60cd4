/* SPDX-License-Identifier: Apache-2.0 */
/* Proves that of several addresses the first that answers is taken: the next one is tried when one
 * has failed, and beside one that does not answer; that the error names all; and that families take
 * turns. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <glib.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include "basic/bounds.h"
#include "net/connector.h"

#define DEADLINE_USEC (60 * USEC_PER_SEC)

typedef struct Outcome {
    sd_event *event;
    Connector *connector;
    unsigned n;
    char *peer, *error;
    bool is_route;
} Outcome;

static void on_connected(int fd, const char *peer, void *userdata) {
    Outcome *o = userdata;

    o->n++;
    o->peer = g_strdup(peer);
    g_assert_cmpint(close(fd), ==, 0);
    o->connector = connector_free(o->connector);
    (void)sd_event_exit(o->event, 0);
}

static void on_failed(const char *error, bool is_route, void *userdata) {
    Outcome *o = userdata;

    o->n++;
    o->error = g_strdup(error);
    o->is_route = is_route;
    o->connector = connector_free(o->connector);
    (void)sd_event_exit(o->event, 0);
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *userdata) {
    g_error("no outcome in time");
    return 0;
}

/* Puts an address at the end of a list, as getaddrinfo(3) makes them. */
static void add(struct addrinfo **list, const char *host, uint16_t port) {
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST};
    g_autofree char *service = g_strdup_printf("%u", port);

    while (*list)
        list = &(*list)->ai_next;
    g_assert_cmpint(getaddrinfo(host, service, &hints, list), ==, 0);
}

static void outcome_done(Outcome *o) {
    g_free(o->peer);
    g_free(o->error);
    sd_event_unref(o->event);
}

static void run(struct addrinfo *list, Outcome *o) {
    static const ConnectorCallbacks callbacks = {.on_connected = on_connected,
                                                 .on_failed = on_failed};

    g_assert_cmpint(sd_event_new(&o->event), >=, 0);
    g_assert_cmpint(sd_event_add_time_relative(o->event, NULL, CLOCK_BOOTTIME, DEADLINE_USEC, 0,
                                               on_deadline, NULL),
                    >=, 0);
    g_assert_cmpint(connector_new(o->event, list, USEC_PER_SEC, &callbacks, o, &o->connector), ==,
                    0);
    g_assert_cmpuint(o->n, ==, 0);
    g_assert_cmpint(sd_event_loop(o->event), >=, 0);
    g_assert_cmpuint(o->n, ==, 1);
}

/* A bound port of the loopback address; it refuses unless somebody listens. */
static int port_new(const char *host, uint16_t *ret) {
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    g_assert_cmpint(inet_pton(AF_INET, host, &address.sin_addr), ==, 1);
    g_assert_cmpint(fd, >=, 0);
    g_assert_cmpint(bind(fd, (struct sockaddr *)&address, size), ==, 0);
    g_assert_cmpint(getsockname(fd, (struct sockaddr *)&address, &size), ==, 0);
    *ret = ntohs(address.sin_port);
    return fd;
}

static void test_next_after_a_refusal(void) {
    __attribute__((cleanup(outcome_done))) Outcome o = {};
    struct addrinfo *list = NULL;
    g_autofree char *expected = NULL;
    uint16_t closed, open;
    int a = port_new("127.0.0.1", &closed), b = port_new("127.0.0.2", &open);

    g_assert_cmpint(listen(b, 1), ==, 0);
    add(&list, "127.0.0.1", closed);
    add(&list, "127.0.0.2", open);
    run(list, &o);
    expected = g_strdup_printf("127.0.0.2 port %u", open);
    g_assert_cmpstr(o.peer, ==, expected);
    (void)close(a);
    (void)close(b);
}

/* The queue of whoever listens is full, so that further attempts meet silence. */
static void test_beside_one_that_is_silent(void) {
    __attribute__((cleanup(outcome_done))) Outcome o = {};
    struct sockaddr_in address = {.sin_family = AF_INET};
    struct addrinfo *list = NULL;
    uint16_t silent, open;
    int fillers[4], a = port_new("127.0.0.1", &silent), b = port_new("127.0.0.2", &open);

    g_assert_cmpint(listen(a, 0), ==, 0);
    g_assert_cmpint(listen(b, 1), ==, 0);
    address.sin_port = htons(silent);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (size_t i = 0; i < ELEMENTSOF(fillers); i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)connect(fillers[i], (struct sockaddr *)&address, sizeof(address));
    }
    add(&list, "127.0.0.1", silent);
    add(&list, "127.0.0.2", open);
    run(list, &o);
    g_assert_true(g_str_has_prefix(o.peer, "127.0.0.2 "));
    for (size_t i = 0; i < ELEMENTSOF(fillers); i++)
        (void)close(fillers[i]);
    (void)close(a);
    (void)close(b);
}

static void test_all_refuse(void) {
    __attribute__((cleanup(outcome_done))) Outcome o = {};
    g_autofree char *expected = NULL;
    struct addrinfo *list = NULL;
    uint16_t one, two;
    int a = port_new("127.0.0.1", &one), b = port_new("127.0.0.2", &two);

    add(&list, "127.0.0.1", one);
    add(&list, "127.0.0.2", two);
    run(list, &o);
    expected = g_strdup_printf("127.0.0.1 port %u: Connection refused, 127.0.0.2 port %u: "
                               "Connection refused; check the port, firewalls, and whether the "
                               "server is up",
                               one, two);
    g_assert_cmpstr(o.error, ==, expected);
    g_assert_false(o.is_route);
    (void)close(a);
    (void)close(b);
}

/* tcp(7): nobody connects to a broadcast address; the kernel calls that unreachable. */
static void test_no_route(void) {
    __attribute__((cleanup(outcome_done))) Outcome o = {};
    struct addrinfo *list = NULL;

    add(&list, "255.255.255.255", 443);
    run(list, &o);
    g_assert_cmpstr(o.error, ==,
                    "255.255.255.255 port 443: Network is unreachable; there is no way to it; "
                    "check the network (ip route)");
    g_assert_true(o.is_route);
}

static void test_no_address(void) {
    __attribute__((cleanup(outcome_done))) Outcome o = {};

    run(NULL, &o);
    g_assert_cmpstr(o.error, ==, "the name has no address; check the name server");
    g_assert_false(o.is_route);
}

/* All fail at once, so that the error shows the order. */
static void test_families_take_turns(void) {
    __attribute__((cleanup(outcome_done))) Outcome o = {};
    struct addrinfo *list = NULL;
    const char *last = NULL;
    static const char *const order[] = {"255.255.255.255 port 1", "::1 port 4",
                                        "255.255.255.255 port 2", "::1 port 5",
                                        "255.255.255.255 port 3"};

    add(&list, "255.255.255.255", 1);
    add(&list, "255.255.255.255", 2);
    add(&list, "255.255.255.255", 3);
    add(&list, "::1", 4);
    add(&list, "::1", 5);
    run(list, &o);
    for (size_t i = 0; i < ELEMENTSOF(order); i++) {
        const char *found = strstr(o.error, order[i]);

        if (strlen(o.error) > 300 && !found) /* the text is cut */
            break;
        g_assert_nonnull(found);
        g_assert_true(found > last);
        last = found;
    }
}

static void test_abandon(void) {
    static const ConnectorCallbacks callbacks = {.on_connected = on_connected,
                                                 .on_failed = on_failed};
    struct addrinfo *list = NULL;
    Connector *c = NULL;
    sd_event *event = NULL;

    g_assert_cmpint(sd_event_new(&event), >=, 0);
    for (unsigned i = 0; i < ADDRESSES_TRIED_MAX + 3; i++)
        add(&list, "127.0.0.1", 1);
    g_assert_cmpint(connector_new(event, list, USEC_PER_SEC, &callbacks, NULL, &c), ==, 0);
    g_assert_null(connector_free(c));
    sd_event_unref(event);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/connector/next-after-a-refusal", test_next_after_a_refusal);
    g_test_add_func("/connector/beside-one-that-is-silent", test_beside_one_that_is_silent);
    g_test_add_func("/connector/all-refuse", test_all_refuse);
    g_test_add_func("/connector/no-route", test_no_route);
    g_test_add_func("/connector/no-address", test_no_address);
    g_test_add_func("/connector/families-take-turns", test_families_take_turns);
    g_test_add_func("/connector/abandon", test_abandon);
    return g_test_run();
}
