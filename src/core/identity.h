/* SPDX-License-Identifier: Apache-2.0 */
/* The agent's identity for its manager: token, platform, ids from the cloud and from the
 * environment. */
#pragma once

#include "core/cloud.h"
#include "core/config.h"
#include "store/store.h"

typedef struct Identity Identity;

/* Reads the identity, and makes a token if there is none. Borrows configuration and store, which
 * must outlive it. Logs its errors. */
int identity_new(const Config *config, Store *store, const char *state_directory, Identity **ret);
Identity *identity_free(Identity *i);
DEFINE_CLEANUP(Identity *, identity_free)

/* The id that the manager has assigned; NULL: none, or an invalid one. The caller frees it. */
int identity_load_agent_id(Store *store, char **ret);

/* Makes the first message of a connection. The caller frees the text, which contains the tokens:
 * explicit_bzero() first. */
int identity_make_offer(Identity *i, const char *agent_id, const CloudIdentity *cloud,
                        const char *local_address, char **ret, size_t *ret_size);
/* A manager has accepted the last offer: an enrolment token that was in it has done its work. */
void identity_accepted(Identity *i);
/* The manager shall not know this server any more; a sealed token does not count beside the new
 * one.
 */
int identity_forget_token(Identity *i);
/* Makes another token, because the manager has refused this one. */
void identity_replace_token(Identity *i);
