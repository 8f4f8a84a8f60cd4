/* SPDX-License-Identifier: Apache-2.0 */
#include "job/trouble.h"

struct Trouble {
    void (*on_changed)(const char *text, void *userdata);
    void *userdata;
    const void *owner;
    char *text; /* NULL: there is none */
};

int trouble_new(void (*on_changed)(const char *text, void *userdata), void *userdata,
                Trouble **ret) {
    Trouble *t = malloc(sizeof(*t));

    if (!t)
        return -ENOMEM;
    *t = (Trouble){.on_changed = on_changed, .userdata = userdata};
    *ret = t;
    return 0;
}

Trouble *trouble_free(Trouble *t) {
    if (t)
        free(t->text);
    free(t);
    return NULL;
}

void trouble_note(Trouble *t, const void *owner, const char *text) {
    if (!t)
        return;
    t->owner = owner;
    if (!streq_ptr(t->text, text) && free_and_strdup(&t->text, text) >= 0)
        t->on_changed(t->text, t->userdata);
}

void trouble_end(Trouble *t, const void *owner) {
    if (!t || !t->text || (owner && owner != t->owner))
        return;
    free(TAKE_PTR(t->text));
    t->on_changed(NULL, t->userdata);
}

const char *trouble_get(const Trouble *t) {
    return t ? t->text : NULL;
}
