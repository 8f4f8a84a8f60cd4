/* SPDX-License-Identifier: Apache-2.0 */
/* Name resolution outside the main thread: getaddrinfo(3) in a thread for each lookup, one at a
 * time for each name, RESOLVER_THREADS_MAX in all. */
#pragma once

#include <netdb.h>
#include <systemd/sd-event.h>

#include "basic/macro.h"

typedef struct Resolver Resolver;

/* `error` is 0, a negative code for gai_strerror(3), or an errno. The callee owns the list:
 * freeaddrinfo(). The callback may free the resolver. */
typedef void (*ResolverCallback)(int error, struct addrinfo *list, void *userdata);

/* Numeric addresses need no thread. Never calls back from within this call. */
int resolver_new(sd_event *event, const char *host, uint16_t port, ResolverCallback callback,
                 void *userdata, Resolver **ret);
/* Cancels the callback. The lookup continues, and the next resolver for that name waits for it: it
 * takes the result, or repeats a lookup that failed. */
Resolver *resolver_free(Resolver *r);
DEFINE_CLEANUP(Resolver *, resolver_free)
