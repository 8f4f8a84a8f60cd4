/* SPDX-License-Identifier: Apache-2.0 */
/* The connection as the agent's owner sees it: made from the configuration, told in words, logged,
 * and tried early when the network or the clock has changed. */
#pragma once

#include "core/config.h"
#include "net/connection.h"

typedef struct Uplink Uplink;

typedef struct UplinkCallbacks {
    int (*make_offer)(char **ret, size_t *ret_size, void *userdata);
    void (*on_token_stale)(void *userdata);
    void (*on_open)(const HandshakeAnswer *answer, void *userdata);
    void (*on_closed)(void *userdata);
    void (*on_message)(const char *text, size_t size, bool is_text, void *userdata);
    /* something in the view has changed */
    void (*on_status)(void *userdata);
} UplinkCallbacks;

int uplink_new(sd_event *event, const UplinkCallbacks *callbacks, void *userdata, Uplink **ret);
Uplink *uplink_free(Uplink *u);

/* Connects as the configuration says; not configured, or not usable, is said in the status. Nothing
 * happens if neither the settings nor the files they name have changed. */
int uplink_configure(Uplink *u, const Config *config, const char *config_file);
/* Ends a connection and begins at once, from the first backoff. */
void uplink_reconnect(Uplink *u);
/* Completes the status text of an open connection. */
void uplink_set_identity(Uplink *u, const char *agent_id, const char *server_name);

Connection *uplink_get_connection(const Uplink *u) _pure_;

/* What is known of it; a text is "" where there is none, a time 0. Valid until the next call. */
typedef struct UplinkView {
    const char *state;
    const char *status; /* one line for people: state, reason, remedy */
    const char *url, *proxy, *peer, *tls;
    const char *failed_step; /* which step failed last: "DNS", "TCP", ... */
    uint64_t connected_since_usec, certificate_end_usec; /* CLOCK_REALTIME */
} UplinkView;
UplinkView uplink_view(const Uplink *u);
