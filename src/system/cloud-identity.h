/* SPDX-License-Identifier: Apache-2.0 */
/* The identity of this server in its cloud; dcm-cloud passes it to the agent as one JSON object. */
#pragma once

#include "basic/macro.h"

typedef struct CloudIdentity {
    char *type;        /* a name of cloud_type_find(); "UNKNOWN" if no service answers */
    char *instance_id; /* each may be NULL */
    char *injected_id; /* an id that the manager has put into the server's metadata */
    char *vm_id;       /* Azure's own, as instance_id derives from the host name there */
    char **ipv4;       /* NULL: those of the interfaces */
    char **ipv6;
    char *problem; /* why values are missing; NULL: complete */
} CloudIdentity;

void cloud_identity_done(CloudIdentity *i);
bool cloud_identity_equal(const CloudIdentity *a, const CloudIdentity *b);

typedef enum CloudChange {
    CLOUD_CHANGE_NONE,
    CLOUD_CHANGE_ASIDE, /* only of values that are not sent to managers */
    CLOUD_CHANGE_OFFER, /* of ids or addresses that are sent to managers */
} CloudChange;

/* Replaces an identity by a fresh one, and empties that. If the same cloud reports a problem,
 * missing values stay as they were: an outage does not end a server's identity. */
CloudChange cloud_identity_replace(CloudIdentity *i, CloudIdentity *fresh);

/* Returns the canonical spelling of a type in any case, or NULL for an unknown one. */
const char *cloud_type_find(const char *name) _pure_;

/* Whether it begins with http://, which is all that the metadata services speak. */
bool cloud_metadata_url_is_valid(const char *url) _pure_;

/* The caller frees the text. */
int cloud_identity_encode(const CloudIdentity *i, char **ret, size_t *ret_size);
/* Treats the text as untrusted, since its writer talks to the network: -EBADMSG unless all values
 * are known types, lines of printable UTF-8, or addresses. */
int cloud_identity_parse(const char *text, size_t size, CloudIdentity *ret);

/* Whether a value is not empty, and valid in a handshake (proto/peer-text.h). */
bool cloud_value_is_valid(const char *value);
