/* SPDX-License-Identifier: Apache-2.0 */
/* What the cloud says of this server: told by dcm-cloud, read by the agent, as one JSON object. */
#pragma once

#include "basic/macro.h"

typedef struct CloudIdentity {
    char *type;        /* a name of cloud_type_find(); "UNKNOWN" where nothing answers */
    char *instance_id; /* each may be NULL */
    char *injected_id; /* what the manager has put into the server's metadata */
    char *vm_id;       /* Azure's own, where instance_id is made of the host name */
    char **ipv4;       /* NULL: those of the interfaces */
    char **ipv6;
    char *problem; /* why less is known than the cloud could tell; NULL: all is known */
} CloudIdentity;

void cloud_identity_done(CloudIdentity *i);
bool cloud_identity_equal(const CloudIdentity *a, const CloudIdentity *b);

typedef enum CloudChange {
    CLOUD_CHANGE_NONE,
    CLOUD_CHANGE_ASIDE, /* of what managers are not told */
    CLOUD_CHANGE_OFFER, /* of the ids or addresses that they are told */
} CloudChange;

/* Replaces an identity by a fresh one, which is empty afterwards. Where the same cloud has a
 * problem, what it does not tell stays as it was: a server's identity does not end with an outage.
 */
CloudChange cloud_identity_replace(CloudIdentity *i, CloudIdentity *fresh);

/* The name as we write it, whatever its case; NULL: there is no such cloud. */
const char *cloud_type_find(const char *name) _pure_;

/* The caller frees the text. */
int cloud_identity_encode(const CloudIdentity *i, char **ret, size_t *ret_size);
/* Whoever wrote it has talked to the network: what is not a known type, a line of printable UTF-8
 * or an address makes -EBADMSG. */
int cloud_identity_parse(const char *text, size_t size, CloudIdentity *ret);

/* Not empty, and what the manager lets pass in a handshake (proto/peer-text.h). */
bool cloud_value_is_valid(const char *value);
