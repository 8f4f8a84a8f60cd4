/* SPDX-License-Identifier: Apache-2.0 */
/*
 *   begun ─┬─ UNREGISTER_ACK ─────────────────────────────────▶ forgotten, the manager knows
 *          └─ not connected; a NACK; no answer within 15 s ───▶ forgotten, it does not know
 *
 * A manager that does not know the message ignores it or refuses it. Whatever is killed meanwhile,
 * the order is given again: nothing of it is stored before the end. */
#include "core/farewell.h"

#include <systemd/sd-id128.h>

#include "basic/log.h"
#include "basic/timer.h"
#include "proto/message.h"
#include "store/request-row.h"

#define PATIENCE_USEC (15 * USEC_PER_SEC)

struct Farewell {
    Connection *connection;
    Store *store;
    RequestFlow *flow;
    Dispatcher *dispatcher;
    Identity *identity;
    sd_event_source *timer;
    FarewellDone done;
    void *userdata; /* for `done` */
    char request_id[SD_ID128_UUID_STRING_MAX];
    bool is_told;
};

/* This process goes on using it. Replies that were not sent are not for another manager. */
static int forget_id(Farewell *f) {
    int r;

    (void)request_flow_commit(f->flow);
    TRY(store_begin(f->store));
    r = store_set_meta(f->store, STORE_META_AGENT_ID, "");
    if (r >= 0)
        r = store_drop_foreign_replies(f->store, "");
    return store_finish(f->store, r);
}

/* The id first: a token without it is judged by itself, a new token with the old id is not. */
static int forget(Farewell *f) {
    TRY(forget_id(f));
    return identity_forget_token(f->identity);
}

/* From the loop: the caller may be in the middle of a message. */
static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
    Farewell *f = userdata;
    FarewellDone done = f->done;
    int r;

    if (!done)
        return 0;
    f->done = NULL;
    r = forget(f);
    done(r, f->is_told, f->userdata);
    return 0;
}

static int tell(Farewell *f) {
    _cleanup_json_ struct json_object *message = NULL;
    sd_id128_t id;

    TRY(sd_id128_randomize(&id));
    (void)sd_id128_to_uuid_string(id, f->request_id);
    TRY(message_new(MESSAGE_UNREGISTER, f->request_id, f->request_id, NULL,
                    request_flow_get_agent_id(f->flow), &message));
    return connection_send(f->connection, message);
}

int farewell_begin(Farewell *f, FarewellDone done, void *userdata) {
    int r;

    if (f->done)
        return -EALREADY;
    r = tell(f);
    if (r < 0)
        (void)log_struct(LOG_INFO, r, NULL,
                         "The manager cannot be told that this agent leaves: %m");
    TRY(timer_arm_in(f->timer, r < 0 ? 0 : PATIENCE_USEC));
    f->is_told = false;
    f->done = done;
    f->userdata = userdata;
    return 0;
}

static bool on_answer(const char *request_id, bool is_known, void *userdata) {
    Farewell *f = userdata;

    if (!f->done || !streq(request_id, f->request_id))
        return false;
    f->is_told = is_known;
    (void)timer_arm_in(f->timer, 0);
    return true;
}

int farewell_new(sd_event *event, Connection *connection, Store *store, RequestFlow *flow,
                 Dispatcher *dispatcher, Identity *identity, Farewell **ret) {
    Farewell *f = calloc(1, sizeof(*f));
    int r;

    if (!f)
        return -ENOMEM;
    *f = (Farewell){.connection = connection,
                    .store = store,
                    .flow = flow,
                    .dispatcher = dispatcher,
                    .identity = identity};
    r = timer_new(event, 0, on_timer, f, &f->timer);
    if (r < 0) {
        free(f);
        return r;
    }
    dispatcher_set_on_farewell(dispatcher, on_answer, f);
    *ret = f;
    return 0;
}

Farewell *farewell_free(Farewell *f) {
    if (!f)
        return NULL;
    dispatcher_set_on_farewell(f->dispatcher, NULL, NULL);
    if (f->done)
        f->done(-ECANCELED, false, f->userdata);
    sd_event_source_disable_unref(f->timer);
    free(f);
    return NULL;
}
