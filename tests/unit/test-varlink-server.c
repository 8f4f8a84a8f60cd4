/* SPDX-License-Identifier: Apache-2.0 */
/* Proves that each call on the socket is answered, in order and one at a time, and that a peer
 * which sends too much, no call, or nothing, does not read, or goes away, costs no more than its
 * own connection. */
#include <fcntl.h>
#include <glib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "basic/bounds.h"
#include "basic/fd-util.h"
#include "temporary.h"
#include "varlink/server.h"

#define CALL "{\"method\":\"a.B\"}"
#define ANSWER "{\"parameters\":{}}"
#define STEP_USEC (20 * USEC_PER_SEC)

typedef struct Fixture {
    char *dir;
    struct sockaddr_un address;
    sd_event *event;
    VarlinkServer *server;
    bool later;                 /* calls wait for answer_now() */
    VarlinkConnection *waiting; /* the last of these */
    unsigned n_calls, n_gone;
    pid_t pid;
    int pid_fd;
} Fixture;

static void on_call(VarlinkConnection *c, const VarlinkCall *call, void *userdata) {
    Fixture *f = userdata;

    f->n_calls++;
    f->pid = varlink_connection_get_peer(c, &f->pid_fd);
    if (!f->later) {
        varlink_answer(c, NULL);
        return;
    }
    f->waiting = c;
}

static void on_gone(VarlinkConnection *c, void *userdata) {
    Fixture *f = userdata;

    f->n_gone++;
    if (f->waiting == c)
        f->waiting = NULL;
}

static void set_up(Fixture *f, gconstpointer unused) {
    static const VarlinkCallbacks callbacks = {.on_call = on_call, .on_gone = on_gone};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    f->dir = temporary_new();
    f->address.sun_family = AF_UNIX;
    (void)g_snprintf(f->address.sun_path, sizeof(f->address.sun_path), "%s/s", f->dir);
    g_assert_cmpint(bind(fd, (struct sockaddr *)&f->address, sizeof(f->address)), ==, 0);
    g_assert_cmpint(listen(fd, 1000), ==, 0);
    g_assert_cmpint(sd_event_new(&f->event), ==, 0);
    g_assert_cmpint(varlink_server_new(f->event, fd, &callbacks, f, &f->server), ==, 0);
}

static void tear_down(Fixture *f, gconstpointer unused) {
    varlink_server_free(f->server);
    sd_event_unref(f->event);
    temporary_remove(&f->dir);
}

static int connect_to(Fixture *f) {
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    g_assert_cmpint(connect(fd, (struct sockaddr *)&f->address, sizeof(f->address)), ==, 0);
    return fd;
}

static void put(int fd, const char *data, size_t size) {
    g_assert_cmpint(write_full(fd, data, size), ==, 0);
}

static void put_call(int fd) {
    put(fd, CALL, sizeof(CALL));
}

/* All that is there until nothing more happens. */
static void run(Fixture *f) {
    while (sd_event_run(f->event, 0) > 0)
        ;
}

/* -1: the connection has ended */
static ssize_t take_byte(Fixture *f, int fd, char *ret) {
    for (;;) {
        ssize_t n = read(fd, ret, 1);

        if (n > 0)
            return n;
        if (n == 0 || errno != EAGAIN)
            return -1;
        g_assert_cmpint(sd_event_run(f->event, STEP_USEC), >, 0);
    }
}

static void expect_answer(Fixture *f, int fd) {
    char text[sizeof(ANSWER)];

    for (size_t i = 0; i < sizeof(text); i++)
        g_assert_cmpint(take_byte(f, fd, &text[i]), ==, 1);
    g_assert_cmpmem(text, sizeof(text), ANSWER, sizeof(ANSWER));
}

static void expect_end(Fixture *f, int fd) {
    char byte;

    g_assert_cmpint(take_byte(f, fd, &byte), ==, -1);
    close(fd);
}

static void test_calls(Fixture *f, gconstpointer unused) {
    int fd = connect_to(f);

    put(fd, CALL "\0{\"meth", sizeof(CALL) + 6);
    expect_answer(f, fd);
    put(fd, "od\":\"a.B\"}\0" CALL, 11 + sizeof(CALL));
    g_assert_cmpint(shutdown(fd, SHUT_WR), ==, 0); /* has said all, and waits */
    expect_answer(f, fd);
    expect_answer(f, fd);
    expect_end(f, fd);
    g_assert_cmpuint(f->n_calls, ==, 3);
    g_assert_cmpuint(f->n_gone, ==, 1);
    g_assert_cmpint(f->pid, ==, getpid());
    g_assert_cmpint(f->pid_fd, >=, 0);
}

/* Also behind one that is answered later. */
static void test_oneway_is_dropped(Fixture *f, gconstpointer unused) {
    static const char oneway[] = "{\"method\":\"a.B\",\"oneway\":true}";
    int fd = connect_to(f);

    f->later = true;
    put(fd, oneway, sizeof(oneway));
    put_call(fd);
    put(fd, oneway, sizeof(oneway));
    put_call(fd);
    for (unsigned i = 1; i <= 2; i++) {
        run(f);
        g_assert_cmpuint(f->n_calls, ==, i);
        varlink_answer(f->waiting, NULL);
        expect_answer(f, fd);
    }
    run(f);
    g_assert_cmpuint(f->n_calls, ==, 2);
    close(fd);
}

static void test_peer_does_not_wait(Fixture *f, gconstpointer unused) {
    int fd = connect_to(f);

    f->later = true;
    put_call(fd);
    run(f);
    g_assert_nonnull(f->waiting);
    close(fd);
    run(f);
    g_assert_null(f->waiting);
    g_assert_cmpuint(f->n_gone, ==, 1);
}

static void test_no_calls(Fixture *f, gconstpointer unused) {
    static const struct {
        const char *data;
        size_t size;
    } bad[] = {{"", 1}, {"[]", 3}, {"{\"method\":1}", 13}, {"GET /\r\n", 8}, {"\xff", 2}};

    for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
        int fd = connect_to(f);

        put(fd, bad[i].data, bad[i].size);
        expect_end(f, fd);
    }
    g_assert_cmpuint(f->n_calls, ==, 0);
}

static void test_too_long(Fixture *f, gconstpointer unused) {
    g_autofree char *data = g_strnfill(VARLINK_MESSAGE_MAX, ' ');
    int fd = connect_to(f);

    put(fd, data, VARLINK_MESSAGE_MAX - sizeof(CALL)); /* just not */
    put_call(fd);
    expect_answer(f, fd);
    put(fd, data, VARLINK_MESSAGE_MAX);
    expect_end(f, fd);
}

/* Nothing is read while nothing can be written; then all goes on. */
static void test_peer_does_not_read(Fixture *f, gconstpointer unused) {
    int fd = connect_to(f), size = 4096;
    unsigned n_sent = 0, n_seen;

    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    do {
        n_seen = f->n_calls;
        while (send(fd, CALL, sizeof(CALL), MSG_NOSIGNAL) == (ssize_t)sizeof(CALL))
            n_sent++;
        run(f);
    } while (f->n_calls > n_seen);
    g_assert_cmpuint(f->n_calls, <, n_sent);
    for (unsigned i = 0; i < n_sent; i++)
        expect_answer(f, fd);
    close(fd);
}

static void test_crowd(Fixture *f, gconstpointer unused) {
    int crowd[VARLINK_CONNECTIONS_OF_USER_MAX], fd;

    for (size_t i = 0; i < ELEMENTSOF(crowd); i++)
        crowd[i] = connect_to(f);
    fd = connect_to(f);
    expect_end(f, fd);
    close(crowd[0]);
    run(f);
    fd = connect_to(f);
    put_call(fd);
    expect_answer(f, fd);
    close(fd);
    put_call(crowd[1]);
    expect_answer(f, crowd[1]);
    for (size_t i = 1; i < ELEMENTSOF(crowd); i++)
        close(crowd[i]);
}

/* Nothing spins meanwhile; who waited is served as soon as there is a descriptor again: in a
 * second, or when another connection ends. */
static void test_no_descriptors(Fixture *f, gconstpointer by_end) {
    struct rlimit limit, none;
    int first, waiting, low;

    first = connect_to(f);
    put_call(first);
    expect_answer(f, first);
    waiting = connect_to(f);
    put_call(waiting);
    low = dup(0);
    g_assert_cmpint(getrlimit(RLIMIT_NOFILE, &limit), ==, 0);
    close(low);
    none = (struct rlimit){(rlim_t)low, limit.rlim_max};
    g_assert_cmpint(setrlimit(RLIMIT_NOFILE, &none), ==, 0);
    (void)alarm(60); /* one that spins does not come to its end */
    run(f);
    (void)alarm(0);
    g_assert_cmpuint(f->n_calls, ==, 1);
    if (by_end)
        close(first);
    else
        g_assert_cmpint(setrlimit(RLIMIT_NOFILE, &limit), ==, 0);
    expect_answer(f, waiting);
    g_assert_cmpint(setrlimit(RLIMIT_NOFILE, &limit), ==, 0);
    close(waiting);
    if (!by_end)
        close(first);
}

int main(int argc, char *argv[]) {
    g_test_init(&argc, &argv, NULL);
#define ADD(name, f) g_test_add("/varlink-server/" name, Fixture, NULL, set_up, f, tear_down)
    ADD("calls", test_calls);
    ADD("oneway-is-dropped", test_oneway_is_dropped);
    ADD("peer-does-not-wait", test_peer_does_not_wait);
    ADD("no-calls", test_no_calls);
    ADD("too-long", test_too_long);
    ADD("peer-does-not-read", test_peer_does_not_read);
    ADD("crowd", test_crowd);
    ADD("no-descriptors", test_no_descriptors);
    g_test_add("/varlink-server/no-descriptors-until-one-ends", Fixture, "", set_up,
               test_no_descriptors, tear_down);
    return g_test_run();
}
