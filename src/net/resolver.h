/* SPDX-License-Identifier: Apache-2.0 */
/* Name resolution off the loop's thread: getaddrinfo(3) in a thread that lives for one question,
 * one at a time for each name, RESOLVER_THREADS_MAX for all. */
#pragma once

#include <netdb.h>
#include <systemd/sd-event.h>

#include "basic/macro.h"

typedef struct Resolver Resolver;

/* `error` is 0, a code for gai_strerror(3), which is negative, or an errno. The list is the
 * callee's: freeaddrinfo(). The callback may free the resolver. */
typedef void (*ResolverCallback)(int error, struct addrinfo *list, void *userdata);

/* Addresses are answered without a thread, yet never from inside this call. */
int resolver_new(sd_event *event, const char *host, uint16_t port, ResolverCallback callback,
                 void *userdata, Resolver **ret);
/* Nothing is told any more. The question stays under way, and the next one for that name waits for
 * it: an answer is its own, a failure makes it ask again. */
Resolver *resolver_free(Resolver *r);
DEFINE_CLEANUP(Resolver *, resolver_free)
