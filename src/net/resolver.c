/* SPDX-License-Identifier: Apache-2.0 */
/* Loop and thread share one reference-counted Question. The thread writes it, then wakes the loop
 * by its eventfd; the loop reads it only after that. */
#include "net/resolver.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "basic/fd-util.h"

#define STACK_SIZE ((size_t)256 * 1024)

typedef struct Question {
    atomic_uint n_refs;
    char *host;
    char service[6];
    int wake_fd;
    int error;
    struct addrinfo *list;
} Question;

struct Resolver {
    Question *question;
    sd_event_source *source;
    ResolverCallback callback;
    void *userdata;
};

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

static int question_new(const char *host, uint16_t port, Question **ret) {
    _cleanup_(question_unrefp) Question *q = calloc(1, sizeof(*q));

    if (!q)
        return -ENOMEM;
    atomic_init(&q->n_refs, 1);
    q->host = strdup(host);
    (void)snprintf(q->service, sizeof(q->service), "%u", port);
    q->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (q->wake_fd < 0)
        return -errno;
    if (!q->host)
        return -ENOMEM;
    *ret = TAKE_PTR(q);
    return 0;
}

static void question_answer(Question *q, int flags) {
    const struct addrinfo hints = {
        .ai_family = AF_UNSPEC,
        .ai_socktype = SOCK_STREAM,
        .ai_flags = flags | AI_NUMERICSERV,
    };

    q->error = getaddrinfo(q->host, q->service, &hints, &q->list);
    if (q->error == EAI_SYSTEM)
        q->error = errno;
}

static void question_wake(Question *q) {
    const uint64_t one = 1;

    (void)write_full(q->wake_fd, &one, sizeof(one));
}

static void *resolver_thread(void *userdata) {
    Question *q = userdata;

    question_answer(q, AI_ADDRCONFIG);
    question_wake(q);
    question_unref(q);
    return NULL;
}

/* No signal may be delivered to the thread: sd-event reads them by signalfd in the main one. */
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

static int on_wake(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
    Resolver *r = userdata;
    struct addrinfo *list = TAKE_PTR(r->question->list);

    r->callback(r->question->error, list, r->userdata);
    return 0;
}

int resolver_new(sd_event *event, const char *host, uint16_t port, ResolverCallback callback,
                 void *userdata, Resolver **ret) {
    _cleanup_(resolver_freep) Resolver *r = calloc(1, sizeof(*r));
    int k;

    if (!r)
        return -ENOMEM;
    r->callback = callback;
    r->userdata = userdata;
    k = question_new(host, port, &r->question);
    if (k < 0)
        return k;
    assert(r->question);
    k = sd_event_add_io(event, &r->source, r->question->wake_fd, EPOLLIN, on_wake, r);
    if (k < 0)
        return k;
    k = sd_event_source_set_enabled(r->source, SD_EVENT_ONESHOT);
    if (k < 0)
        return k;

    question_answer(r->question, AI_NUMERICHOST);
    if (r->question->error == 0)
        question_wake(r->question);
    else {
        k = start_thread(r->question);
        if (k < 0)
            return k;
    }
    *ret = TAKE_PTR(r);
    return 0;
}

Resolver *resolver_free(Resolver *r) {
    if (!r)
        return NULL;
    sd_event_source_disable_unref(r->source);
    question_unref(r->question);
    free(r);
    return NULL;
}
