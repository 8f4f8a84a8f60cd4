/* SPDX-License-Identifier: Apache-2.0 */
#include "job/effect.h"

#include <stdio.h>

#include "store/stat-row.h"
#include "store/user-row.h"

void effect_done(Effect *e) {
    free(e->user);
    free(e->stat);
    free(e->stat_type);
    *e = (Effect){};
}

/* "strict GUID", "ignoring GUID": core/termination.c */
static int store_termination(const Effect *e, Store *s, const char *guid) {
    _cleanup_free_ char *text = NULL;

    return asprintf(&text, "%s %s", e->ignoring ? "ignoring" : "strict", guid) < 0
               ? -ENOMEM
               : store_set_meta(s, STORE_META_TERMINATING, text);
}

static int store_stat(const Effect *e, Store *s) {
    if (!e->stat_type)
        return store_remove_stat(s, e->stat);
    return store_set_stat(s, &(const StoredStat){.name = e->stat,
                                                 .type = e->stat_type,
                                                 .hold = e->stat_hold,
                                                 .interval_usec = e->stat_interval_usec});
}

int effect_store(const Effect *e, Store *s, const char *guid, const char *agent_id) {
    int r = 0;

    if (e->initialized)
        r = store_set_meta(s, STORE_META_INITIALIZED, "yes");
    if (r >= 0 && e->terminating)
        r = store_termination(e, s, guid);
    if (r >= 0 && e->stat)
        r = store_stat(e, s);
    if (r < 0 || !e->user)
        return r;
    if (!e->user_is_there)
        return store_remove_user(s, e->user);
    return store_add_user(s, &(const StoredUser){.name = e->user,
                                                 .agent_id = agent_id,
                                                 .is_administrator = e->is_administrator});
}
