/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP proxies that are asked to CONNECT (RFC 9110, section 9.3.6), with Basic authentication (RFC
 * 7617): which one, for whom not, and what is said to it. */
#pragma once

#include "proto/http-head.h"
#include "proto/url.h"

typedef struct Proxy {
    bool tls;
    char *host; /* NULL: no proxy */
    uint16_t port;
    char *authorization; /* base64 of user:password, a secret; NULL: none */
    char *label;         /* the URL for people, without user and password */
} Proxy;

/* http:// and https:// URLs; without a scheme it is http. -EINVAL and a reason in *ret_error
 * (static, never with the password). */
int proxy_parse(const char *text, Proxy *ret, const char **ret_error);
/* "user:password", with white space at its end ignored. */
int proxy_set_auth(Proxy *p, const char *user_password, const char **ret_error);
void proxy_done(Proxy *p);

/* The value and, in *ret_name, the name of the environment variable that decides; NULL: none.
 * `get` is getenv(3), or a test's. */
const char *proxy_from_environment(bool tls, const char *(*get)(const char *name),
                                   const char **ret_name);

/* Whether the list (blanks or commas between names, .suffixes, addresses, networks in CIDR
 * notation, "*"; each but a network may have a port) has this host. */
bool proxy_is_excluded(const char *no_proxy, const char *host, uint16_t port) _pure_;

/* The caller frees: explicit_bzero() first. */
int proxy_connect_request(const Proxy *p, const Url *url, const char *user_agent, char **ret);

/* 0: what follows comes from the manager; -EPROTO: the proxy refused, and ret->error says why. */
int proxy_connect_answer_check(const char *head, size_t size, HttpAnswer *ret);
