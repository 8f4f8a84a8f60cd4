/* SPDX-License-Identifier: Apache-2.0 */
/* Loop and thread share one reference-counted Question. The thread writes its answer, then wakes
 * the loop by its eventfd; the loop reads the answer only after that. All other data belong to the
 * loop.
 *
 * A thread cannot be cancelled, and lasts as long as the name servers let it. So a second resolver
 * for the same name waits for the answer to the first, and the number of threads is limited. */
#include "net/resolver.h"

#include <netinet/in.h>
#include <pthread.h>
#include <resolv.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "basic/bounds.h"
#include "basic/fd-util.h"

#define STACK_SIZE ((size_t)256 * 1024)

typedef struct Question {
    atomic_uint n_refs;
    char *host;
    int wake_fd;
    int error;
    struct addrinfo *list;
    sd_event *event;
    sd_event_source *source;
    struct Question *next;
} Question;

struct Resolver {
    sd_event *event;
    char *host;
    uint16_t port;
    ResolverCallback callback;
    void *userdata;
    bool is_late;            /* the question is older than this resolver */
    sd_event_source *source; /* for an answer without a thread */
    int error;
    struct addrinfo *list;
    Resolver *next;
};

static Question *questions; /* in progress */
static unsigned n_questions;
static Resolver *waiting; /* oldest first */

static Question *question_unref(Question *q) {
    if (!q || atomic_fetch_sub(&q->n_refs, 1) > 1)
        return NULL;
    if (q->list)
        freeaddrinfo(q->list);
    safe_close(q->wake_fd);
    free(q->host);
    free(q);
    return NULL;
}
DEFINE_CLEANUP(Question *, question_unref)

static int question_new(sd_event *event, const char *host, Question **ret) {
    _cleanup_(question_unrefp) Question *q = calloc(1, sizeof(*q));

    if (!q)
        return -ENOMEM;
    atomic_init(&q->n_refs, 1);
    q->event = event;
    q->host = strdup(host);
    q->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (q->wake_fd < 0)
        return -errno;
    if (!q->host)
        return -ENOMEM;
    *ret = TAKE_PTR(q);
    return 0;
}

/* Returns 0, or the error for the callback. */
static int look_up(const char *host, int flags, struct addrinfo **ret) {
    const struct addrinfo hints = {
        .ai_family = AF_UNSPEC,
        .ai_socktype = SOCK_STREAM,
        .ai_flags = flags,
    };
    int error = getaddrinfo(host, NULL, &hints, ret);

    return error == EAI_SYSTEM ? errno : error;
}

/* resolv.conf(5) may demand minutes; with glibc's defaults three silent servers take 28 seconds.
 * _res belongs to the calling thread, resolver(3). */
static void limit_time(void) {
    if (res_init() < 0)
        return;
    _res.retrans = MIN(_res.retrans, RES_TIMEOUT);
    _res.retry = MIN(_res.retry, RES_DFLRETRY);
}

static void *resolver_thread(void *userdata) {
    const uint64_t one = 1;
    Question *q = userdata;

    limit_time();
    q->error = look_up(q->host, AI_ADDRCONFIG, &q->list);
    (void)write_full(q->wake_fd, &one, sizeof(one));
    question_unref(q);
    return NULL;
}

/* Blocks all signals in the thread: sd-event reads them by signalfd in the main one. */
static int start_thread(Question *q) {
    pthread_attr_t attributes;
    sigset_t all, before;
    pthread_t thread;
    int r;

    r = pthread_attr_init(&attributes);
    if (r != 0)
        return -r;
    (void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    (void)pthread_attr_setstacksize(&attributes, STACK_SIZE);
    sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    atomic_fetch_add(&q->n_refs, 1);
    r = pthread_create(&thread, &attributes, resolver_thread, q);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)pthread_attr_destroy(&attributes);
    if (r != 0)
        question_unref(q);
    return -r;
}

static Question *find_question(const Resolver *r) {
    for (Question *q = questions; q; q = q->next)
        if (q->event == r->event && streq(q->host, r->host))
            return q;
    return NULL;
}

static Resolver *find_waiting(const Question *q) {
    for (Resolver *r = waiting; r; r = r->next)
        if (q->event == r->event && streq(q->host, r->host))
            return r;
    return NULL;
}

static void wait_in_line(Resolver *r) {
    Resolver **end = &waiting;

    while (*end)
        end = &(*end)->next;
    *end = r;
}

static void leave_line(const Resolver *r) {
    for (Resolver **p = &waiting; *p; p = &(*p)->next)
        if (*p == r) {
            *p = r->next;
            return;
        }
}

static void remove_question(Question *q) {
    for (Question **p = &questions; *p; p = &(*p)->next)
        if (*p == q) {
            *p = q->next;
            n_questions--;
            break;
        }
    q->source = sd_event_source_disable_unref(q->source);
    question_unref(q);
}

static void answer(Resolver *r, int error, struct addrinfo *list) {
    for (struct addrinfo *a = list; a; a = a->ai_next) /* sin6_port has the same offset */
        ((struct sockaddr_in *)(void *)a->ai_addr)->sin_port = htons(r->port);
    r->callback(error, list, r->userdata);
}

static int on_answer(sd_event_source *source, void *userdata) {
    Resolver *r = userdata;

    answer(r, r->error, TAKE_PTR(r->list));
    return 0;
}

/* Answers from the loop, never from within a call of the owner. */
static int answer_soon(Resolver *r, int error) {
    r->error = error;
    return sd_event_add_defer(r->event, &r->source, on_answer, r);
}

static int on_wake(sd_event_source *source, int fd, uint32_t revents, void *userdata);

static int begin_question(const Resolver *r) {
    _cleanup_(question_unrefp) Question *q = NULL;
    int k;

    k = question_new(r->event, r->host, &q);
    if (k < 0)
        return k;
    assert(q);
    k = sd_event_add_io(r->event, &q->source, q->wake_fd, EPOLLIN, on_wake, q);
    if (k >= 0)
        k = start_thread(q);
    if (k < 0) {
        q->source = sd_event_source_disable_unref(q->source);
        return k;
    }
    q->next = questions;
    questions = TAKE_PTR(q);
    n_questions++;
    return 0;
}

/* Starts questions for waiting resolvers, up to the limit of threads. */
static void begin_questions(void) {
    Resolver *next;

    for (Resolver *r = waiting; r && n_questions < RESOLVER_THREADS_MAX; r = next) {
        int k = find_question(r) ? 0 : begin_question(r);

        next = r->next;
        if (k < 0 && answer_soon(r, -k) >= 0)
            leave_line(r);
    }
}

/* A question that is older than a resolver may have failed for a temporary reason, so that resolver
 * asks again. */
static int on_wake(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
    Question *q = userdata;
    struct addrinfo *list = TAKE_PTR(q->list);
    Resolver *r = find_waiting(q);
    int error = q->error;

    if (r && error != 0 && r->is_late) {
        r->is_late = false;
        r = NULL;
    }
    if (r)
        leave_line(r);
    else if (list)
        freeaddrinfo(list);
    remove_question(q);
    begin_questions();
    if (r)
        answer(r, error, list); /* may free r */
    return 0;
}

static int ask(Resolver *r) {
    if (look_up(r->host, AI_NUMERICHOST, &r->list) == 0)
        return answer_soon(r, 0);
    r->is_late = find_question(r);
    if (!r->is_late && n_questions < RESOLVER_THREADS_MAX) {
        int k = begin_question(r);

        if (k < 0)
            return k;
    }
    wait_in_line(r);
    return 0;
}

int resolver_new(sd_event *event, const char *host, uint16_t port, ResolverCallback callback,
                 void *userdata, Resolver **ret) {
    _cleanup_(resolver_freep) Resolver *r = calloc(1, sizeof(*r));
    int k;

    if (!r)
        return -ENOMEM;
    r->event = event;
    r->port = port;
    r->callback = callback;
    r->userdata = userdata;
    r->host = strdup(host);
    k = r->host ? ask(r) : -ENOMEM;
    if (k < 0)
        return k;
    *ret = TAKE_PTR(r);
    return 0;
}

Resolver *resolver_free(Resolver *r) {
    if (!r)
        return NULL;
    leave_line(r);
    sd_event_source_disable_unref(r->source);
    if (r->list)
        freeaddrinfo(r->list);
    free(r->host);
    free(r);
    return NULL;
}
