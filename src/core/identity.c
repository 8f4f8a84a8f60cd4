/* SPDX-License-Identifier: Apache-2.0 */
#include "core/identity.h"

#include <stdio.h>

#include "basic/log-fields.h"
#include "basic/log.h"
#include "core/enrolment.h"
#include "core/offer.h"
#include "core/token.h"
#include "proto/peer-text.h"

struct Identity {
    const Config *config;
    Store *store;
    Platform platform;
    char *token_path;
    char token[TOKEN_SIZE];
    Enrolment enrolment;
    char *injected_id;
};

/* Takes the id from the environment once, and stores it. */
static int load_injected_id(Identity *i) {
    const char *given = getenv(ENVIRONMENT_INJECTED_ID);

    if (isempty(given))
        return store_get_meta(i->store, STORE_META_INJECTED_ID, &i->injected_id);
    TRY(store_set_fact(i->store, STORE_META_INJECTED_ID, given));
    return free_and_strdup(&i->injected_id, given);
}

/* An earlier version stored any text, so an invalid one counts as none; the manager also finds the
 * agent by its token. */
int identity_load_agent_id(Store *store, char **ret) {
    const char *fault;
    int r;

    r = store_get_meta(store, STORE_META_AGENT_ID, ret);
    if (r < 0 || isempty(*ret))
        return r < 0 ? r : free_and_strdup(ret, NULL);
    fault = peer_text_fault(*ret, strlen(*ret));
    if (!fault)
        return 0;
    log_warning("The stored agent id %s; requesting a new one from the manager", fault);
    return free_and_strdup(ret, NULL);
}

int identity_new(const Config *config, Store *store, const char *state_directory, Identity **ret) {
    _cleanup_(identity_freep) Identity *i = calloc(1, sizeof(*i));
    bool is_spoilt;
    int r;

    if (!i)
        return log_oom();
    i->config = config;
    i->store = store;
    if (asprintf(&i->token_path, "%s/token", state_directory) < 0) {
        i->token_path = NULL;
        return log_oom();
    }
    is_spoilt = token_load(i->token_path, i->token) == -EINVAL;
    r = token_load_or_create(i->token_path, i->token);
    if (r < 0)
        return log_error_errno(r, "The token %s can be neither read nor created: %m%s",
                               i->token_path,
                               r == -EACCES ? "; run: chown -R dcm-agent: " STATEDIR : "");
    if (is_spoilt)
        (void)log_struct(LOG_WARNING, 0, LOG_FIELDS(LOG_ID(DCM_MESSAGE_TOKEN_REPLACED)),
                         "The token %s was empty or damaged; the agent made a new one, by which "
                         "the manager does not know this server: approve it there again, or "
                         "restore the file from a backup",
                         i->token_path);
    r = platform_read(&i->platform);
    if (r < 0)
        return log_error_errno(r, "os-release cannot be read: %m");
    r = load_injected_id(i);
    if (r < 0)
        return log_error_errno(r, "The injected id cannot be stored: %m");
    *ret = TAKE_PTR(i);
    return 0;
}

Identity *identity_free(Identity *i) {
    if (!i)
        return NULL;
    platform_done(&i->platform);
    explicit_bzero(i->token, sizeof(i->token));
    free(i->token_path);
    free(i->injected_id);
    free(i);
    return NULL;
}

int identity_make_offer(Identity *i, const char *agent_id, const CloudIdentity *cloud,
                        const char *local_address, char **ret, size_t *ret_size) {
    char enrolment_token[ENROLMENT_TOKEN_SIZE_MAX + 1];
    int r;

    enrolment_get(&i->enrolment, i->config, i->store, i->token, enrolment_token);
    r = offer_make(
        &(const OfferFacts){
            .config = i->config,
            .platform = &i->platform,
            .token = i->token,
            .enrolment_token = enrolment_token[0] ? enrolment_token : NULL,
            .agent_id = agent_id,
            .injected_id = i->injected_id,
            .cloud = cloud,
            .local_address = local_address,
        },
        ret, ret_size);
    explicit_bzero(enrolment_token, sizeof(enrolment_token));
    return r;
}

void identity_accepted(Identity *i) {
    enrolment_note_accepted(&i->enrolment, i->store);
}

int identity_forget_token(Identity *i) {
    return token_create(i->token_path, i->token);
}

void identity_replace_token(Identity *i) {
    int r;

    r = token_create(i->token_path, i->token);
    if (r < 0)
        (void)log_error_errno(r, "A new token cannot be written: %m");
    else
        (void)log_struct(
            LOG_NOTICE, 0, LOG_FIELDS(LOG_ID(DCM_MESSAGE_TOKEN_REPLACED)),
            "The manager knows the token as another server's; the agent created a new one");
}
