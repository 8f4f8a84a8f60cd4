/* SPDX-License-Identifier: Apache-2.0 */
/* The manager's side of the handshake (docs/protocol, section 2): the checked and bounded data of
 * an agent, and the answer. */
#pragma once

#include "basic/sha256.h"
#include "proto/json.h"

/* Strings belong to `json`, and are NULL if the agent sent null. The tokens themselves are not
 * kept. */
typedef struct Offer {
    struct json_object *json;
    char token_sha256[SHA256_HEX_SIZE];
    char enrolment_sha256[SHA256_HEX_SIZE]; /* of the enrolment token; "": none */
    const char *host_name;
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
    ADDRESSES_UNKNOWN, /* one side has no address */
    ADDRESSES_SHARED,
    ADDRESSES_DISJOINT, /* or share only addresses that many machines have */
} AddressRelation;

/* Accepts texts that are valid for proto/peer-text.h. -EBADMSG: not JSON; -EINVAL: an invalid
 * offer; *ret_error (static, until the next call) gives the reason. */
int offer_parse(const char *text, size_t size, Offer *ret, const char **ret_error);
void offer_done(Offer *o);
/* Frees everything but the addresses, which a connected agent needs. */
void offer_keep_addresses(Offer *o);

AddressRelation offer_compare_addresses(const Offer *a, const Offer *b);

/* Makes the answer 200. The caller frees it. */
int answer_encode_accepted(const char *agent_id, const char *server_id, const char *server_name,
                           char **ret, size_t *ret_size);
/* Makes another answer; with 503 the agent waits `force_backoff_sec`. */
int answer_encode_refused(int code, const char *text, unsigned force_backoff_sec, char **ret,
                          size_t *ret_size);
