/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTP/1.1 exchange that opens a WebSocket (RFC 6455, section 4), both sides. All functions
 * take complete heads; http_head_size() tells when one is complete. */
#pragma once

#include "proto/http-head.h"
#include "proto/url.h"

#define WEBSOCKET_SUBPROTOCOL "dcm"
#define WEBSOCKET_KEY_SIZE 25    /* base64 of 16 bytes, and NUL */
#define WEBSOCKET_ACCEPT_SIZE 29 /* base64 of 20 bytes, and NUL */

/* Makes a random Sec-WebSocket-Key. */
int websocket_key_generate(char ret[static WEBSOCKET_KEY_SIZE]);

/* Computes the Sec-WebSocket-Accept of a key. */
int websocket_accept_for_key(const char *key, char ret[static WEBSOCKET_ACCEPT_SIZE]);

/* The client's request. The caller frees. */
int http_upgrade_request(const Url *url, const char *key, const char *user_agent, char **ret);

/* Checks the server's answer. 0: the connection is a WebSocket now; -EPROTO: it is not, and
 * ret->error gives the reason. */
int http_upgrade_response_check(const char *head, size_t size, const char *key, HttpAnswer *ret);

typedef struct HttpUpgradeRequest {
    char *target;
    char key[WEBSOCKET_KEY_SIZE];
    bool offers_subprotocol;
} HttpUpgradeRequest;

/* For servers: parses a request. -EPROTO if it is not a WebSocket upgrade; *ret_status is then the
 * HTTP status of the answer (400, 405, 426). The target belongs to the caller. */
int http_upgrade_request_parse(const char *head, size_t size, HttpUpgradeRequest *ret,
                               int *ret_status);
/* Whether it is a GET of that target, whatever its version. */
bool http_request_is_for(const char *head, size_t size, const char *target);
int http_upgrade_response(const HttpUpgradeRequest *request, char **ret);
