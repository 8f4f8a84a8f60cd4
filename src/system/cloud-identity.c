/* SPDX-License-Identifier: Apache-2.0 */
#include "system/cloud-identity.h"

#include <arpa/inet.h>

#include "basic/bounds.h"
#include "basic/strv.h"
#include "proto/json.h"
#include "proto/peer-text.h"

/* the types of the Python agent */
static const char *const types[] = {
    "Amazon", "Azure",  "CloudStack", "CloudStack3", "DigitalOcean", "Google",
    "Joyent", "Konami", "OpenStack",  "Other",       "UNKNOWN",
};

bool cloud_metadata_url_is_valid(const char *url) {
    static const char scheme[] = "http://";

    return strncasecmp(url, scheme, strlen(scheme)) == 0 && url[strlen(scheme)];
}

const char *cloud_type_find(const char *name) {
    for (size_t i = 0; i < ELEMENTSOF(types); i++)
        if (strcasecmp(types[i], name) == 0)
            return types[i];
    return NULL;
}

void cloud_identity_done(CloudIdentity *i) {
    free(i->type);
    free(i->instance_id);
    free(i->injected_id);
    free(i->vm_id);
    strv_free(i->ipv4);
    strv_free(i->ipv6);
    free(i->problem);
    *i = (CloudIdentity){};
}

static bool lists_equal(char *const *a, char *const *b) {
    if (!a || !b)
        return a == b;
    for (; *a && *b; a++, b++)
        if (!streq(*a, *b))
            return false;
    return *a == *b;
}

bool cloud_identity_equal(const CloudIdentity *a, const CloudIdentity *b) {
    return streq_ptr(a->type, b->type) && streq_ptr(a->instance_id, b->instance_id) &&
           streq_ptr(a->injected_id, b->injected_id) && streq_ptr(a->vm_id, b->vm_id) &&
           lists_equal(a->ipv4, b->ipv4) && lists_equal(a->ipv6, b->ipv6) &&
           streq_ptr(a->problem, b->problem);
}

/* Returns whether the text changes. */
static bool replace_text(char **text, char **fresh, bool keeps) {
    if (streq_ptr(*text, *fresh) || (keeps && !*fresh))
        return false;
    free(*text);
    *text = TAKE_PTR(*fresh);
    return true;
}

static bool replace_list(char ***list, char ***fresh, bool keeps) {
    if (lists_equal(*list, *fresh) || (keeps && !*fresh))
        return false;
    strv_free(*list);
    *list = TAKE_PTR(*fresh);
    return true;
}

/* A detected cloud that does not answer keeps its type. */
static void note_silence(const CloudIdentity *i, CloudIdentity *fresh) {
    if (!i->instance_id || !fresh->type || !streq(fresh->type, "UNKNOWN"))
        return;
    (void)free_and_strdup(&fresh->type, i->type);
    (void)free_and_strdup(&fresh->problem, "The metadata service no longer answers");
}

CloudChange cloud_identity_replace(CloudIdentity *i, CloudIdentity *fresh) {
    bool keeps, offer, aside;

    note_silence(i, fresh);
    keeps = fresh->problem && streq_ptr(i->type, fresh->type);

    offer = replace_text(&i->instance_id, &fresh->instance_id, keeps);
    offer |= replace_text(&i->injected_id, &fresh->injected_id, keeps);
    offer |= replace_list(&i->ipv4, &fresh->ipv4, keeps);
    offer |= replace_list(&i->ipv6, &fresh->ipv6, keeps);
    aside = replace_text(&i->type, &fresh->type, false);
    aside |= replace_text(&i->vm_id, &fresh->vm_id, keeps);
    aside |= replace_text(&i->problem, &fresh->problem, false);
    cloud_identity_done(fresh);
    return offer ? CLOUD_CHANGE_OFFER : aside ? CLOUD_CHANGE_ASIDE : CLOUD_CHANGE_NONE;
}

bool cloud_value_is_valid(const char *value) {
    return *value && !peer_text_fault(value, strlen(value));
}

static int add_list(struct json_object *o, const char *key, char *const *list) {
    struct json_object *array;

    if (!list)
        return json_add_null(o, key);
    array = json_object_new_array();
    for (char *const *s = list; array && *s; s++) {
        struct json_object *text = json_object_new_string(*s);

        if (!text || json_object_array_add(array, text) < 0) {
            (void)json_object_put(text);
            (void)json_object_put(array);
            return -ENOMEM;
        }
    }
    return json_add(o, key, array);
}

int cloud_identity_encode(const CloudIdentity *i, char **ret, size_t *ret_size) {
    _cleanup_json_ struct json_object *o = json_object_new_object();

    if (!o || json_add_string(o, "type", i->type) < 0 ||
        json_add_string(o, "instance_id", i->instance_id) < 0 ||
        json_add_string(o, "injected_id", i->injected_id) < 0 ||
        json_add_string(o, "vm_id", i->vm_id) < 0 || add_list(o, "ipv4", i->ipv4) < 0 ||
        add_list(o, "ipv6", i->ipv6) < 0 || json_add_string(o, "problem", i->problem) < 0)
        return -ENOMEM;
    return json_encode(o, ret, ret_size);
}

static int take_text(struct json_object *o, const char *key, char **ret) {
    const char *s = json_get_string(o, key);

    if (!json_get(o, key))
        return 0;
    if (!s || !cloud_value_is_valid(s))
        return -EBADMSG;
    return free_and_strdup(ret, s);
}

static int take_list(struct json_object *o, const char *key, int family, char ***ret) {
    struct json_object *array = json_get(o, key);
    unsigned char raw[sizeof(struct in6_addr)];
    size_t n;

    if (!array)
        return 0;
    if (!json_object_is_type(array, json_type_array))
        return -EBADMSG;
    n = json_object_array_length(array);
    if (n > CLOUD_ADDRESSES_MAX)
        return -EBADMSG;
    *ret = calloc(n + 1, sizeof(char *));
    for (size_t i = 0; *ret && i < n; i++) {
        struct json_object *e = json_object_array_get_idx(array, i);

        if (!json_object_is_type(e, json_type_string) ||
            inet_pton(family, json_object_get_string(e), raw) != 1)
            return -EBADMSG;
        (*ret)[i] = strdup(json_object_get_string(e));
        if (!(*ret)[i])
            return -ENOMEM;
    }
    return *ret ? 0 : -ENOMEM;
}

int cloud_identity_parse(const char *text, size_t size, CloudIdentity *ret) {
    _cleanup_(cloud_identity_done) CloudIdentity i = {};
    _cleanup_json_ struct json_object *o = NULL;
    int r;

    r = json_parse_small(text, size, &o);
    if (r < 0)
        return r == -ENOMEM ? r : -EBADMSG;
    TRY(take_text(o, "type", &i.type));
    TRY(take_text(o, "instance_id", &i.instance_id));
    TRY(take_text(o, "injected_id", &i.injected_id));
    TRY(take_text(o, "vm_id", &i.vm_id));
    TRY(take_text(o, "problem", &i.problem));
    TRY(take_list(o, "ipv4", AF_INET, &i.ipv4));
    TRY(take_list(o, "ipv6", AF_INET6, &i.ipv6));
    if (!i.type || !cloud_type_find(i.type))
        return -EBADMSG;
    *ret = i;
    i = (CloudIdentity){};
    return 0;
}
