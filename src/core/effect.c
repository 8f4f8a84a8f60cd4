/* SPDX-License-Identifier: Apache-2.0 */
#include "core/effect.h"

#include <stdio.h>

#include "store/user-row.h"

void effect_done(Effect *e) {
    free(e->user);
    *e = (Effect){};
}

/* "strict GUID", "ignoring GUID": core/termination.c */
static int store_termination(const Effect *e, Store *s, const char *guid) {
    _cleanup_free_ char *text = NULL;

    return asprintf(&text, "%s %s", e->ignoring ? "ignoring" : "strict", guid) < 0
               ? -ENOMEM
               : store_set_meta(s, STORE_META_TERMINATING, text);
}

int effect_store(const Effect *e, Store *s, const char *guid, const char *agent_id) {
    int r = 0;

    if (e->initialized)
        r = store_set_meta(s, STORE_META_INITIALIZED, "yes");
    if (r >= 0 && e->terminating)
        r = store_termination(e, s, guid);
    if (r < 0 || !e->user)
        return r;
    if (!e->user_is_there)
        return store_remove_user(s, e->user);
    return store_add_user(s, &(const StoredUser){.name = e->user,
                                                 .agent_id = agent_id,
                                                 .is_administrator = e->is_administrator});
}
