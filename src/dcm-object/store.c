/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-object/store.h"

#include <sys/random.h>
#include <time.h>

int store_open(Store *ret, const Place *p, uint64_t deadline_usec, uint64_t patience_usec,
               Failure *f) {
    uint8_t nonce[RCLONE_NONCE_SIZE];
    int r;

    *ret = (Store){
        .operations = p->kind == PLACE_DIRECTORY ? &directory_operations : &remote_operations,
        .place = p,
        .session = SESSION_INIT,
        .writes_in_place = !place_has_buckets(p),
    };
    ret->session.config = &ret->config;
    ret->session.deadline_usec = deadline_usec;
    ret->session.patience_usec = patience_usec;
    if (p->kind == PLACE_DIRECTORY)
        return 0;
    if (getrandom(nonce, sizeof(nonce), 0) != sizeof(nonce))
        return failure_set(f, FAILURE_OTHER, "No random numbers");
    r = rclone_config_make(p, time(NULL), nonce, &ret->config);
    if (r == -EINVAL)
        return failure_set(f, FAILURE_USAGE,
                           "The place's secret, credentials or endpoint is malformed");
    return r < 0 ? failure_set(f, FAILURE_OTHER, "No memory") : 0;
}

void store_done(Store *s) {
    session_done(&s->session);
    rclone_config_done(&s->config);
}
