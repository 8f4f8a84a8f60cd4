/* SPDX-License-Identifier: Apache-2.0 */
/* Proves that names and addresses are answered once, from the loop and never from inside the call,
 * and that a question can be abandoned at any time. */
#include <arpa/inet.h>
#include <glib.h>
#include <systemd/sd-event.h>

#include "basic/bounds.h"
#include "net/resolver.h"

#define DEADLINE_USEC (60 * USEC_PER_SEC)

typedef struct Answer {
    Resolver *resolver;
    unsigned n;
    int error;
    char address[INET6_ADDRSTRLEN];
    uint16_t port;
    bool free_inside;
    sd_event *event;
} Answer;

static void on_answer(int error, struct addrinfo *list, void *userdata) {
    Answer *a = userdata;

    a->n++;
    a->error = error;
    if (list) {
        (void)getnameinfo(list->ai_addr, list->ai_addrlen, a->address, sizeof(a->address), NULL, 0,
                          NI_NUMERICHOST);
        a->port = ntohs(((const struct sockaddr_in *)(const void *)list->ai_addr)->sin_port);
        g_assert_cmpint(list->ai_socktype, ==, SOCK_STREAM);
        freeaddrinfo(list);
    }
    if (a->free_inside)
        a->resolver = resolver_free(a->resolver);
    (void)sd_event_exit(a->event, 0);
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *userdata) {
    g_error("no answer");
    return 0;
}

static void ask(Answer *a, const char *host, uint16_t port) {
    g_assert_cmpint(sd_event_new(&a->event), >=, 0);
    g_assert_cmpint(sd_event_add_time_relative(a->event, NULL, CLOCK_MONOTONIC, DEADLINE_USEC, 0,
                                               on_deadline, NULL),
                    >=, 0);
    g_assert_cmpint(resolver_new(a->event, host, port, on_answer, a, &a->resolver), ==, 0);
    g_assert_cmpuint(a->n, ==, 0);
}

static void answer_done(Answer *a) {
    resolver_free(a->resolver);
    sd_event_unref(a->event);
}

static void test_answers(void) {
    static const struct {
        const char *host;
        uint16_t port;
        const char *address; /* NULL: an error */
    } cases[] = {
        {"192.0.2.1", 443, "192.0.2.1"}, {"2001:db8::1", 65535, "2001:db8::1"},
        {"127.0.0.1", 1, "127.0.0.1"},   {"localhost", 80, ""},
        {"name.invalid", 443, NULL},     {"not a name", 443, NULL},
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++)
        for (int inside = 0; inside < 2; inside++) {
            _cleanup_(answer_done) Answer a = {.free_inside = inside};

            ask(&a, cases[i].host, cases[i].port);
            g_assert_cmpint(sd_event_loop(a.event), ==, 0);
            g_assert_cmpuint(a.n, ==, 1);
            g_assert_cmpint(a.error == 0, ==, cases[i].address != NULL);
            if (!cases[i].address)
                continue;
            g_assert_cmpuint(a.port, ==, cases[i].port);
            if (*cases[i].address)
                g_assert_cmpstr(a.address, ==, cases[i].address);
            else
                g_assert_true(streq(a.address, "127.0.0.1") || streq(a.address, "::1"));
        }
}

static unsigned count_threads(void) {
    g_autoptr(GDir) tasks = g_dir_open("/proc/self/task", 0, NULL);
    unsigned n = 0;

    while (g_dir_read_name(tasks))
        n++;
    return n;
}

/* Freed before its answer, with and without a thread at work: no callback comes. */
static void test_abandoned(void) {
    static const char *const hosts[] = {"localhost", "192.0.2.1"};

    for (size_t i = 0; i < ELEMENTSOF(hosts); i++)
        for (unsigned k = 0; k < 20; k++) {
            _cleanup_(answer_done) Answer abandoned = {}, other = {};

            ask(&abandoned, hosts[i], 80);
            abandoned.resolver = resolver_free(abandoned.resolver);
            ask(&other, "192.0.2.1", 80);
            g_assert_cmpint(sd_event_loop(other.event), ==, 0);
            g_assert_cmpint(sd_event_run(abandoned.event, 0), ==, 0);
            g_assert_cmpuint(abandoned.n, ==, 0);
        }
    while (count_threads() > 1) /* what they hold is theirs to free */
        g_thread_yield();
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/resolver/answers", test_answers);
    g_test_add_func("/resolver/abandoned", test_abandoned);
    return g_test_run();
}
