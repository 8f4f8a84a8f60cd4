/* SPDX-License-Identifier: Apache-2.0 */
/* The connection for the agent: makes it from the configuration, describes and logs its state, and
 * retries early when the network or the clock has changed. */
#pragma once

#include "core/connection-options.h"
#include "net/connection.h"

#define UPLINK_NOTES_SIZE 768

typedef struct Uplink Uplink;

typedef struct UplinkCallbacks {
    int (*make_offer)(char **ret, size_t *ret_size, void *userdata);
    void (*on_token_stale)(void *userdata);
    void (*on_open)(const HandshakeAnswer *answer, void *userdata);
    void (*on_closed)(void *userdata);
    void (*on_message)(const char *text, size_t size, bool is_text, void *userdata);
    /* a member of UplinkView has changed */
    void (*on_status)(void *userdata);
} UplinkCallbacks;

int uplink_new(sd_event *event, const UplinkCallbacks *callbacks, void *userdata, Uplink **ret);
Uplink *uplink_free(Uplink *u);

/* Connects according to the configuration; a missing or invalid setting shows in the status. Does
 * nothing if neither the settings nor the files that they name have changed. */
int uplink_configure(Uplink *u, const Config *config, const char *config_directory);
/* Whether there is something to connect to, or nothing on purpose. */
bool uplink_is_usable(const Uplink *u) _pure_;
/* -EINVAL: with that configuration the agent could not connect; `error` says why. */
int uplink_check(const Config *config, const char *config_directory,
                 char error[static OPTIONS_ERROR_SIZE]);
/* Closes the connection and connects at once, with the backoff reset. */
void uplink_reconnect(Uplink *u);
/* Completes the status text of an open connection. */
void uplink_set_identity(Uplink *u, const char *agent_id, const char *server_name);

/* Sets the text that follows the state of the connection: "", or with its separator ("; paused").
 */
void uplink_set_notes(Uplink *u, const char *notes);

Connection *uplink_get_connection(const Uplink *u) _pure_;

/* The current state; unknown texts are "", unknown times 0. Valid until the next call. */
typedef struct UplinkView {
    const char *state;
    const char *status; /* one line for people: state, cause, remedy */
    const char *url, *proxy, *peer, *tls;
    const char *failed_step; /* of the last failure: "DNS", "TCP", ... */
    uint64_t connected_since_usec, certificate_end_usec; /* CLOCK_REALTIME */
} UplinkView;
UplinkView uplink_view(const Uplink *u);
