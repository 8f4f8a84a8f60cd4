/* SPDX-License-Identifier: Apache-2.0 */
/* Payloads stay in the store and are read for each sending, so that ten thousand waiting requests
 * cost only ten thousand GUIDs. Acknowledgements arrive in the order of sending, so a search in the
 * list is short. */
#include "dcm-manager/delivery.h"

#include <inttypes.h>
#include <stdio.h>
#include <systemd/sd-id128.h>

#include "basic/log-fields.h"
#include "basic/log.h"
#include "basic/strv.h"
#include "basic/time-util.h"
#include "basic/timer.h"
#include "dcm-manager/limits.h"
#include "proto/message.h"

typedef struct Entry Entry;
struct Entry {
    Entry *next;
    uint64_t due_usec;
    uint64_t wait_usec;
    bool once; /* resent once after its acknowledgement */
    char guid[];
};

struct Delivery {
    Ledger *store;
    char *agent;
    uint64_t retransmit_usec;
    DeliveryCallbacks callbacks;
    void *userdata;
    sd_event_source *timer;
    Entry *first, **end;
};

void message_id_generate(char *ret, size_t size) {
    static sd_id128_t prefix;
    static uint64_t counter;

    if (counter++ == 0)
        (void)sd_id128_randomize(&prefix);
    (void)snprintf(ret, size, "%08" PRIx64 "m%" PRIu64, prefix.qwords[0] & 0xffffffff, counter);
}

static void update_timer(Delivery *d) {
    uint64_t due = UINT64_MAX;

    for (Entry *e = d->first; e; e = e->next)
        due = MIN(due, e->due_usec);
    (void)timer_arm(d->timer, due);
}

static int encode_request(const char *guid, const char *payload, struct json_object **ret) {
    _cleanup_json_ struct json_object *message = NULL, *object = NULL;
    char message_id[32];

    message_id_generate(message_id, sizeof(message_id));
    TRY(message_new(MESSAGE_REQUEST, message_id, guid, NULL, NULL, &message));
    TRY(json_parse_stored(payload, strlen(payload), &object));
    TRY(json_add(message, "payload", TAKE_PTR(object)));
    *ret = TAKE_PTR(message);
    return 0;
}

static int note_sent(Delivery *d, const char *guid, OrderState state) {
    OrderState next = order_next(state, ORDER_EVENT_SENT);
    int r;

    if (next == state)
        return 0;
    r = ledger_set_request(d->store, guid, next, NULL, NULL);
    if (r < 0) /* the message is queued in any case */
        (void)log_warning_errno(r, "That request %s was sent cannot be stored: %m", guid);
    d->callbacks.on_sent(guid, d->userdata);
    return 0;
}

/* A request that was acknowledged after a refusal has lost its arguments. */
static bool is_to_be_sent(const Entry *e, const LedgerRequest *request) {
    if (e->once)
        return request->state == ORDER_ACKED && ledger_request_is(request, request->payload);
    return order_is_open(request->state);
}

/* -EALREADY: it must not be sent any more */
static int send_stored(Delivery *d, const Entry *e) {
    _cleanup_(ledger_request_done) LedgerRequest request = {};
    _cleanup_json_ struct json_object *message = NULL;
    int r;

    if (!d->callbacks.has_room(d->userdata))
        return -ENOBUFS;
    r = ledger_get_request(d->store, e->guid, &request);
    if (r < 0)
        return r == -ENOENT ? -EALREADY : r;
    if (!is_to_be_sent(e, &request))
        return -EALREADY;
    TRY(encode_request(e->guid, request.payload, &message));
    TRY(d->callbacks.send(message, d->userdata));
    return note_sent(d, e->guid, request.state);
}

/* Returns false if the entry is finished. A full send queue does not lengthen the wait, because it
 * is no silence of the agent. */
static bool attempt(Delivery *d, Entry *e) {
    uint64_t now = now_usec(CLOCK_BOOTTIME);
    int r;

    r = send_stored(d, e);
    if (r == -EALREADY || (r >= 0 && e->once))
        return false;
    if (r < 0)
        (void)log_struct(LOG_DEBUG, r, LOG_FIELDS(LOG_REQUEST(e->guid), LOG_AGENT_ID(d->agent)),
                         "Request %s cannot be sent now: %m", e->guid);
    e->due_usec = now + e->wait_usec;
    if (r >= 0)
        e->wait_usec = order_next_wait(e->wait_usec);
    return true;
}

static Entry **drop(Delivery *d, Entry **at) {
    Entry *e = *at;

    *at = e->next;
    if (d->end == &e->next)
        d->end = at;
    free(e);
    return at;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
    Delivery *d = userdata;

    for (Entry **at = &d->first; *at;) {
        if ((*at)->due_usec <= usec && !attempt(d, *at))
            (void)drop(d, at);
        else
            at = &(*at)->next;
    }
    update_timer(d);
    return 0;
}

static bool is_known(const Delivery *d, const char *guid) {
    for (Entry *e = d->first; e; e = e->next)
        if (streq(e->guid, guid))
            return true;
    return false;
}

static Entry *entry_new(const Delivery *d, const char *guid) {
    size_t size = strlen(guid) + 1;
    Entry *e = calloc(1, sizeof(*e) + size);

    if (!e)
        return NULL;
    memcpy(e->guid, guid, size);
    e->wait_usec = d->retransmit_usec;
    return e;
}

static void append(Delivery *d, Entry *e) {
    *d->end = e;
    d->end = &e->next;
}

static int append_open(Delivery *d, const char *guid) {
    Entry *e = entry_new(d, guid);

    if (!e)
        return -ENOMEM;
    if (attempt(d, e))
        append(d, e);
    else
        free(e);
    return 0;
}

/* Most agents still have the request and send its reply by themselves; one that has lost the reply
 * reports that when it receives the request again. */
static int append_acked(Delivery *d, const char *guid) {
    Entry *e = entry_new(d, guid);

    if (!e)
        return -ENOMEM;
    e->once = true;
    e->due_usec = now_usec(CLOCK_BOOTTIME) + d->retransmit_usec;
    append(d, e);
    return 0;
}

int delivery_add(Delivery *d, const char *guid) {
    int r = is_known(d, guid) ? 0 : append_open(d, guid);

    update_timer(d);
    return r;
}

static int append_all(Delivery *d, char **guids, int (*add)(Delivery *d, const char *guid)) {
    int r = 0;

    for (char **g = guids; *g && r >= 0; g++)
        r = add(d, *g);
    strv_free(guids);
    return r;
}

int delivery_start(Delivery *d) {
    char **guids = NULL;
    int r;

    r = ledger_list_open_requests(d->store, d->agent, &guids);
    if (r >= 0)
        r = append_all(d, guids, append_open);
    if (r >= 0)
        r = ledger_list_acked_requests(d->store, d->agent, &guids);
    if (r >= 0)
        r = append_all(d, guids, append_acked);
    update_timer(d);
    return r;
}

void delivery_remove(Delivery *d, const char *guid) {
    for (Entry **at = &d->first; *at; at = &(*at)->next)
        if (streq((*at)->guid, guid)) {
            (void)drop(d, at);
            break;
        }
    update_timer(d);
}

int delivery_new(sd_event *event, Ledger *store, const char *agent, uint64_t retransmit_usec,
                 const DeliveryCallbacks *callbacks, void *userdata, Delivery **ret) {
    _cleanup_(delivery_freep) Delivery *d = calloc(1, sizeof(*d));

    if (!d)
        return -ENOMEM;
    d->end = &d->first;
    d->store = store;
    d->retransmit_usec = retransmit_usec;
    d->callbacks = *callbacks;
    d->userdata = userdata;
    d->agent = strdup(agent);
    if (!d->agent)
        return -ENOMEM;
    TRY(timer_new(event, 0, on_timer, d, &d->timer));
    *ret = TAKE_PTR(d);
    return 0;
}

Delivery *delivery_free(Delivery *d) {
    if (!d)
        return NULL;
    while (d->first)
        (void)drop(d, &d->first);
    sd_event_source_disable_unref(d->timer);
    free(d->agent);
    free(d);
    return NULL;
}
