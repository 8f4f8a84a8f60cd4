/* SPDX-License-Identifier: Apache-2.0 */
/* Proves that names and addresses are answered once, from the loop and never from inside the call,
 * that a question can be abandoned at any time, that each name is looked up once at a time, and
 * that threads are bounded whatever comes. */
#include <arpa/inet.h>
#include <dlfcn.h>
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
    sd_event *event; /* ends with the answer; NULL: another one's */
} Answer;

/* Lookups of names that end in ".slow" last as long as the test wants. */
static struct {
    GMutex mutex;
    GCond changed;
    unsigned n_begun, n_at_work, n_at_work_max;
    unsigned n_allowed; /* to end */
    int error;
} slow;

static int look_up_slowly(void) {
    int error;

    g_mutex_lock(&slow.mutex);
    slow.n_begun++;
    slow.n_at_work++;
    slow.n_at_work_max = MAX(slow.n_at_work_max, slow.n_at_work);
    g_cond_broadcast(&slow.changed);
    while (slow.n_allowed == 0)
        g_cond_wait(&slow.changed, &slow.mutex);
    slow.n_allowed--;
    slow.n_at_work--;
    error = slow.error;
    g_mutex_unlock(&slow.mutex);
    return error;
}

/* in the place of libc's */
int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                struct addrinfo **ret) {
    static int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    void *found = dlsym(RTLD_NEXT, "getaddrinfo");

    memcpy(&real, &found, sizeof(real));
    if (g_str_has_suffix(host, ".slow") && !(hints->ai_flags & AI_NUMERICHOST)) {
        int error = look_up_slowly();

        return error ?: real("192.0.2.9", service, hints, ret);
    }
    return real(host, service, hints, ret);
}

static void slow_begin(void) {
    slow.n_begun = slow.n_at_work_max = 0;
    slow.error = 0;
    g_assert_cmpuint(slow.n_at_work, ==, 0);
    g_assert_cmpuint(slow.n_allowed, ==, 0);
}

static void slow_allow(unsigned n, int error) {
    g_mutex_lock(&slow.mutex);
    slow.error = error;
    slow.n_allowed += n;
    g_cond_broadcast(&slow.changed);
    g_mutex_unlock(&slow.mutex);
}

static void slow_wait(unsigned n_begun) {
    g_mutex_lock(&slow.mutex);
    while (slow.n_begun < n_begun)
        g_cond_wait(&slow.changed, &slow.mutex);
    g_assert_cmpuint(slow.n_begun, ==, n_begun);
    g_mutex_unlock(&slow.mutex);
}

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
    if (a->event)
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

static void ask_in(Answer *a, sd_event *event, const char *host, uint16_t port) {
    g_assert_cmpint(resolver_new(event, host, port, on_answer, a, &a->resolver), ==, 0);
    g_assert_cmpuint(a->n, ==, 0);
}

static void run_until(sd_event *event, const Answer *a) {
    while (a->n == 0)
        g_assert_cmpint(sd_event_run(event, DEADLINE_USEC), >, 0);
}

/* Freed before its answer, with and without a thread at work: no callback comes. */
static void test_abandoned(void) {
    static const char *const hosts[] = {"localhost", "192.0.2.1"};
    sd_event *event = NULL;

    g_assert_cmpint(sd_event_new(&event), >=, 0);
    for (size_t i = 0; i < ELEMENTSOF(hosts); i++)
        for (unsigned k = 0; k < 20; k++) {
            _cleanup_(answer_done) Answer abandoned = {}, other = {};

            ask_in(&abandoned, event, hosts[i], 80);
            abandoned.resolver = resolver_free(abandoned.resolver);
            ask_in(&other, event, "192.0.2.1", 80);
            run_until(event, &other);
            g_assert_cmpint(sd_event_run(event, 0), >=, 0);
            g_assert_cmpuint(abandoned.n, ==, 0);
        }
    while (count_threads() > 1) /* what they hold is theirs to free */
        g_thread_yield();
    while (sd_event_run(event, 0) > 0)
        ;
    sd_event_unref(event);
}

/* However often an attempt begins anew: one lookup, whose answer the last one has, with its port.
 */
static void test_one_for_a_name(void) {
    _cleanup_(answer_done) Answer last = {};
    sd_event *event = NULL;

    slow_begin();
    g_assert_cmpint(sd_event_new(&event), >=, 0);
    for (uint16_t i = 0; i < 100; i++) {
        Answer a = {};

        ask_in(&a, event, "name.slow", i);
        slow_wait(1);
        g_assert_cmpint(sd_event_run(event, 0), ==, 0);
        a.resolver = resolver_free(a.resolver);
        g_assert_cmpuint(a.n, ==, 0);
    }
    g_assert_cmpuint(count_threads(), <=, 2);
    ask_in(&last, event, "name.slow", 4711);
    slow_allow(1, 0);
    run_until(event, &last);
    g_assert_cmpuint(slow.n_begun, ==, 1);
    g_assert_cmpint(last.error, ==, 0);
    g_assert_cmpstr(last.address, ==, "192.0.2.9");
    g_assert_cmpuint(last.port, ==, 4711);
    sd_event_unref(event);
}

/* A failure is told to whoever was there when the question was asked; others ask again. */
static void test_failure_of_an_older_question(void) {
    _cleanup_(answer_done) Answer first = {}, second = {};
    sd_event *event = NULL;

    slow_begin();
    g_assert_cmpint(sd_event_new(&event), >=, 0);
    ask_in(&first, event, "name.slow", 1);
    slow_wait(1);
    first.resolver = resolver_free(first.resolver);
    ask_in(&second, event, "name.slow", 2);
    slow_allow(1, EAI_AGAIN);
    g_assert_cmpint(sd_event_run(event, DEADLINE_USEC), >, 0);
    g_assert_cmpuint(second.n, ==, 0);
    slow_wait(2);
    slow_allow(1, EAI_AGAIN);
    run_until(event, &second);
    g_assert_cmpint(second.error, ==, EAI_AGAIN);
    sd_event_unref(event);
}

/* The answer is one's own: the other one's question comes after it. */
static void test_two_for_a_name(void) {
    _cleanup_(answer_done) Answer first = {}, second = {};
    sd_event *event = NULL;

    slow_begin();
    g_assert_cmpint(sd_event_new(&event), >=, 0);
    ask_in(&first, event, "name.slow", 1);
    ask_in(&second, event, "name.slow", 2);
    slow_allow(2, 0);
    run_until(event, &first);
    run_until(event, &second);
    g_assert_cmpuint(slow.n_at_work_max, ==, 1);
    g_assert_cmpuint(first.port, ==, 1);
    g_assert_cmpuint(second.port, ==, 2);
    g_assert_cmpuint(first.n + second.n, ==, 2);
    sd_event_unref(event);
}

static void test_many_names(void) {
    const unsigned n = 5 * RESOLVER_THREADS_MAX;
    Answer answers[5 * RESOLVER_THREADS_MAX] = {};
    sd_event *event = NULL;

    slow_begin();
    g_assert_cmpint(sd_event_new(&event), >=, 0);
    for (unsigned i = 0; i < n; i++) {
        g_autofree char *host = g_strdup_printf("name%u.slow", i);

        ask_in(&answers[i], event, host, 80);
    }
    slow_wait(RESOLVER_THREADS_MAX);
    g_assert_cmpuint(count_threads(), ==, 1 + RESOLVER_THREADS_MAX);
    answers[n - 1].resolver = resolver_free(answers[n - 1].resolver); /* has not had its turn */
    slow_allow(n - 1, 0);
    for (unsigned i = 0; i < n - 1; i++) {
        run_until(event, &answers[i]);
        answers[i].resolver = resolver_free(answers[i].resolver);
    }
    g_assert_cmpuint(slow.n_at_work_max, ==, RESOLVER_THREADS_MAX);
    g_assert_cmpuint(slow.n_begun, ==, n - 1);
    g_assert_cmpuint(answers[n - 1].n, ==, 0);
    sd_event_unref(event);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/resolver/answers", test_answers);
    g_test_add_func("/resolver/abandoned", test_abandoned);
    g_test_add_func("/resolver/one-for-a-name", test_one_for_a_name);
    g_test_add_func("/resolver/failure-of-an-older-question", test_failure_of_an_older_question);
    g_test_add_func("/resolver/two-for-a-name", test_two_for_a_name);
    g_test_add_func("/resolver/many-names", test_many_names);
    return g_test_run();
}
