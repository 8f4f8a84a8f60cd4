/* SPDX-License-Identifier: Apache-2.0 */
/* Proves that many sockets that are ready at once are served in turns of bounded size and each of
 * them is, that what a callback frees or stops is called no more, and that on_soon() comes once,
 * after the callbacks of the turn. */
#include <glib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/poller.h"

#define N 200
#define TURN_MAX 64

typedef struct Item {
    int fds[2];
    PollSource *source;
    unsigned n_io, n_soon;
} Item;

static Item items[N];
static sd_event *event;
static Poller *poller;
static unsigned n_io, n_soon, io_before_soon;
static void (*act)(Item *i);

static void on_io(int fd, uint32_t revents, void *userdata) {
    Item *i = userdata;
    char byte;

    g_assert_cmpint(fd, ==, i->fds[0]);
    g_assert_cmpint(read(fd, &byte, 1), ==, 1);
    i->n_io++;
    n_io++;
    if (act)
        act(i);
}

static void on_soon(void *userdata) {
    Item *i = userdata;

    i->n_soon++;
    if (n_soon++ == 0)
        io_before_soon = n_io;
    if (act)
        act(i);
}

static void set_up(void) {
    static const PollCallbacks callbacks = {.on_io = on_io, .on_soon = on_soon};

    n_io = n_soon = io_before_soon = 0;
    act = NULL;
    g_assert_cmpint(sd_event_new(&event), >=, 0);
    g_assert_cmpint(poller_new(event, &poller), ==, 0);
    for (unsigned i = 0; i < N; i++) {
        items[i] = (Item){};
        g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, items[i].fds), ==, 0);
        g_assert_cmpint(poll_source_new(poller, items[i].fds[0], EPOLLIN, &callbacks, &items[i],
                                        &items[i].source),
                        ==, 0);
    }
}

static void make_ready(void) {
    for (unsigned i = 0; i < N; i++)
        g_assert_cmpint(write(items[i].fds[1], "x", 1), ==, 1);
}

static void forget(Item *i) {
    i->source = poll_source_free(i->source);
}

static void tear_down(void) {
    for (unsigned i = 0; i < N; i++) {
        forget(&items[i]);
        close(items[i].fds[0]);
        close(items[i].fds[1]);
    }
    poller_free(poller);
    sd_event_unref(event);
}

static unsigned run(void) {
    unsigned n = 0;

    while (sd_event_run(event, 0) > 0)
        n++;
    return n;
}

static void test_turns(void) {
    set_up();
    g_assert_cmpuint(run(), ==, 0);
    make_ready();
    g_assert_cmpint(sd_event_run(event, 0), ==, 1);
    g_assert_cmpuint(n_io, ==, TURN_MAX);
    g_assert_cmpuint(run(), <=, N / TURN_MAX + 1);
    for (unsigned i = 0; i < N; i++)
        g_assert_cmpuint(items[i].n_io, ==, 1);
    tear_down();
}

static void forget_all(Item *i) {
    for (unsigned n = 0; n < N; n++)
        forget(&items[n]);
}

static void stop_others(Item *i) {
    for (unsigned n = 0; n < N; n++)
        if (&items[n] != i) {
            poll_source_stop(items[n].source);
            poll_source_call_soon(items[n].source); /* without effect */
        }
}

static void test_freed(void) {
    set_up();
    make_ready();
    act = forget_all;
    (void)run();
    g_assert_cmpuint(n_io, ==, 1);
    tear_down();

    set_up();
    make_ready();
    act = stop_others;
    (void)run();
    g_assert_cmpuint(n_io, ==, 1);
    g_assert_cmpuint(n_soon, ==, 0);
    g_assert_cmpint(poll_source_set_events(items[N - 1].source, EPOLLOUT), ==, 0);
    tear_down();
}

static void call_soon(Item *i) {
    poll_source_call_soon(i->source);
    poll_source_call_soon(i->source);
}

static void call_again(Item *i) {
    if (i->n_soon < 3)
        call_soon(i);
}

static void test_soon(void) {
    set_up();
    make_ready();
    act = call_soon;
    g_assert_cmpint(sd_event_run(event, 0), ==, 1);
    g_assert_cmpuint(n_soon, ==, 0);
    act = NULL;
    (void)run();
    g_assert_cmpuint(io_before_soon, >=, TURN_MAX);
    for (unsigned i = 0; i < TURN_MAX; i++)
        g_assert_cmpuint(items[i].n_soon, <=, 1);
    g_assert_cmpuint(n_soon, ==, TURN_MAX);

    /* who calls for it again has it in the next turn */
    act = call_again;
    call_soon(&items[0]);
    call_soon(&items[1]);
    items[0].n_soon = items[1].n_soon = 0;
    g_assert_cmpint(sd_event_run(event, 0), ==, 1);
    g_assert_cmpuint(items[0].n_soon, ==, 1);
    (void)run();
    g_assert_cmpuint(items[0].n_soon, ==, 3);
    g_assert_cmpuint(items[1].n_soon, ==, 3);

    /* the first frees all that wait */
    act = forget_all;
    n_soon = 0;
    for (unsigned i = 0; i < N; i++)
        call_soon(&items[i]);
    (void)run();
    g_assert_cmpuint(n_soon, ==, 1);
    tear_down();
}

static void test_events(void) {
    set_up();
    g_assert_cmpint(poll_source_set_events(items[0].source, 0), ==, 0);
    g_assert_cmpint(write(items[0].fds[1], "x", 1), ==, 1);
    g_assert_cmpuint(run(), ==, 0);
    g_assert_cmpint(poll_source_set_events(items[0].source, EPOLLIN), ==, 0);
    g_assert_cmpuint(run(), ==, 1);
    g_assert_cmpuint(items[0].n_io, ==, 1);
    tear_down();
}

int main(int argc, char *argv[]) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/poller/turns", test_turns);
    g_test_add_func("/poller/freed", test_freed);
    g_test_add_func("/poller/soon", test_soon);
    g_test_add_func("/poller/events", test_events);
    return g_test_run();
}
