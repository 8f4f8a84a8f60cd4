/* SPDX-License-Identifier: Apache-2.0 */
/* The first exchange on each connection (docs/protocol, section 2). */
#pragma once

#include "proto/json.h"

#define HANDSHAKE_ACCEPTED 200
#define HANDSHAKE_UNAUTHORIZED 401
#define HANDSHAKE_TOKEN_STALE 409
#define HANDSHAKE_BUSY 503

/* Strings may be NULL where the protocol allows null. Owns nothing. */
typedef struct HandshakeOffer {
    char *const *ipv4; /* NULL-terminated lists */
    char *const *ipv6;
    const char *agent_id;
    const char *token;
    const char *vm_instance;
    const char *injected_id;
    const char *version;
    const char *platform;
    const char *platform_version;
    const char *host_name;        /* ours */
    const char *enrolment_token;  /* ours; NULL: no such key */
    struct json_object *features; /* an object */
} HandshakeOffer;

/* Visible ASCII of at most ENROLMENT_TOKEN_SIZE_MAX, and not empty. */
bool enrolment_token_is_valid(const char *text) _pure_;

/* The caller frees the text, which contains the tokens: explicit_bzero() first. */
int handshake_offer_encode(const HandshakeOffer *o, char **ret, size_t *ret_size);

typedef struct HandshakeAnswer {
    int return_code;
    uint64_t force_backoff_usec; /* with 503 */
    /* with 200; each may be NULL */
    char *agent_id;
    char *customer_id;
    char *server_id;
    char *server_name;
    char *cloud_id, *region_id; /* of the server; texts that may not be shown are none */
    char *refusal;              /* why the manager refuses, for people; NULL: it does not say */
} HandshakeAnswer;

/* -EBADMSG: not JSON, or no return_code. -EINVAL: an invalid text (proto/peer-text.h); *ret_error
 * (the caller frees; otherwise NULL) names the field and the fault. */
int handshake_answer_parse(const char *text, size_t size, HandshakeAnswer *ret, char **ret_error);
void handshake_answer_done(HandshakeAnswer *a);

/* What an answer that does not accept means, with what the manager says of it, and what to do. */
void handshake_refusal_format(const HandshakeAnswer *a, char *buf, size_t size);
