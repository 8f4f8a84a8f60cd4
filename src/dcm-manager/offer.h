/* SPDX-License-Identifier: Apache-2.0 */
/* The manager's side of the handshake (docs/protocol, section 2): what an agent says about itself,
 * checked and bounded, and the answer to it. */
#pragma once

#include "basic/sha256.h"
#include "proto/json.h"

/* Strings belong to `json`; NULL where the agent said null. The token itself is not kept. */
typedef struct Offer {
    struct json_object *json;
    char token_sha256[SHA256_HEX_SIZE];
    const char *agent_id;
    const char *vm_instance;
    const char *injected_id;
    const char *version;
    const char *platform;
    const char *platform_version;
    struct json_object *ipv4; /* arrays of strings */
    struct json_object *ipv6;
    struct json_object *features; /* an object */
} Offer;

typedef enum AddressRelation {
    ADDRESSES_UNKNOWN, /* one side has none */
    ADDRESSES_SHARED,
    ADDRESSES_DISJOINT, /* or those in common are such as many machines have */
} AddressRelation;

/* Texts are what proto/peer-text.h takes. -EBADMSG: no JSON document; -EINVAL: not an offer that we
 * can take; *ret_error (static, until the next call) says why. */
int offer_parse(const char *text, size_t size, Offer *ret, const char **ret_error);
void offer_done(Offer *o);
/* Frees all but the addresses: an agent that is connected keeps no more. */
void offer_keep_addresses(Offer *o);

AddressRelation offer_compare_addresses(const Offer *a, const Offer *b);

/* The answer 200. The caller frees. */
int answer_encode_accepted(const char *agent_id, const char *server_id, const char *server_name,
                           char **ret, size_t *ret_size);
/* Another answer; with 503 the agent waits `force_backoff_sec`. */
int answer_encode_refused(int code, const char *text, unsigned force_backoff_sec, char **ret,
                          size_t *ret_size);
