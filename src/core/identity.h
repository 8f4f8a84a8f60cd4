/* SPDX-License-Identifier: Apache-2.0 */
/* Who this agent is to its manager: token, platform, ids from the cloud and from the environment.
 */
#pragma once

#include "core/cloud.h"
#include "core/config.h"
#include "store/store.h"

typedef struct Identity Identity;

/* Reads what there is, and makes a token if there is none. The configuration and the store are
 * borrowed and must outlive it. Logs its errors. */
int identity_new(const Config *config, Store *store, const char *state_directory, Identity **ret);
Identity *identity_free(Identity *i);
DEFINE_CLEANUP(Identity *, identity_free)

/* The id that the manager gave; NULL: none, or one that cannot be one. The caller frees. */
int identity_load_agent_id(Store *store, char **ret);

/* The first message of a connection. The caller frees the text, which has the token in it:
 * explicit_bzero() first. */
int identity_make_offer(const Identity *i, const char *agent_id, const CloudIdentity *cloud,
                        const char *local_address, char **ret, size_t *ret_size);
/* The manager does not take the token: another one is made. */
void identity_replace_token(Identity *i);
