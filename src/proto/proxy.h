/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP proxies for CONNECT (RFC 9110, section 9.3.6), with Basic authentication (RFC 7617): choice
 * of the proxy, its exceptions, and the exchange with it. */
#pragma once

#include "proto/http-head.h"
#include "proto/url.h"

typedef struct Proxy {
    bool tls;
    char *host; /* NULL: no proxy */
    uint16_t port;
    char *authorization; /* base64 of user:password, a secret; may be NULL */
    char *label;         /* the URL without user and password */
    char *shown;         /* with the variable of the environment that names it; NULL: none does */
} Proxy;

/* Parses http:// and https:// URLs; http is the default. -EINVAL, with a reason in *ret_error
 * (static, never with the password). */
int proxy_parse(const char *text, Proxy *ret, const char **ret_error);
/* Takes "user:password" and ignores white space at its end. */
int proxy_set_auth(Proxy *p, const char *user_password, const char **ret_error);
/* Keeps the variable of the environment that names it, for people who did not know of one. */
int proxy_note_origin(Proxy *p, const char *variable);
void proxy_done(Proxy *p);

/* For messages. */
static inline const char *proxy_show(const Proxy *p) {
    return p->shown ?: p->label;
}

/* Returns the value of the environment variable that names the proxy, and its name in *ret_name;
 * NULL: no proxy. `get` is getenv(3), or a replacement in tests. */
const char *proxy_from_environment(bool tls, const char *(*get)(const char *name),
                                   const char **ret_name);

/* Whether the list contains this host. Its entries, separated by blanks or commas, are names,
 * .suffixes, addresses, networks in CIDR notation, or "*"; each except a network may have a
 * port. */
bool proxy_is_excluded(const char *no_proxy, const char *host, uint16_t port) _pure_;

/* The caller frees the request, which may contain a password: explicit_bzero() first. */
int proxy_connect_request(const Proxy *p, const Url *url, const char *user_agent, char **ret);

/* 0: the tunnel to the manager is open; -EPROTO: the proxy refused, and ret->error gives the
 * reason. */
int proxy_connect_answer_check(const char *head, size_t size, HttpAnswer *ret);
