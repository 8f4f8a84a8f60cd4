/* SPDX-License-Identifier: Apache-2.0 */
/* The token is hashed and erased before anything else sees the offer. */
#include "manager/offer.h"

#include "manager/limits.h"
#include "proto/message.h"

#define TOKEN_SIZE_MAX ((size_t)1024)

static void take_token(struct json_object *j, const char *token, char *ret) {
    size_t size = strlen(token);

    sha256_hex(token, size, ret);
    explicit_bzero((char *)token, size); /* json-c's own copy */
    json_object_object_del(j, "token");
}

/* absent and null are the same; numbers are taken as text, for ids */
static bool take_field(struct json_object *j, const char *key, const char **ret) {
    struct json_object *value = json_get(j, key);
    const char *text = json_get_scalar(j, key);

    if (!value) {
        *ret = NULL;
        return true;
    }
    if (!text || strlen(text) > OFFER_FIELD_MAX)
        return false;
    *ret = isempty(text) ? NULL : text;
    return true;
}

static bool take_addresses(struct json_object *j, const char *key, struct json_object **ret) {
    struct json_object *list = json_get(j, key);

    *ret = list;
    if (!list)
        return true;
    if (!json_object_is_type(list, json_type_array) ||
        json_object_array_length(list) > OFFER_ADDRESSES_MAX)
        return false;
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        struct json_object *entry = json_object_array_get_idx(list, i);

        if (!json_object_is_type(entry, json_type_string) ||
            strlen(json_object_get_string(entry)) > OFFER_FIELD_MAX)
            return false;
    }
    return true;
}

static const char *check(struct json_object *j, Offer *o) {
    const char *token = json_get_string(j, "token");
    struct json_object *version = json_get(j, "protocol_version");

    if (!json_object_is_type(j, json_type_object))
        return "the handshake is not a JSON object";
    if (isempty(token) || strlen(token) > TOKEN_SIZE_MAX)
        return "the handshake has no valid token";
    take_token(j, token, o->token_sha256);
    if (version && (!json_object_is_type(version, json_type_int) ||
                    json_object_get_int(version) != PROTOCOL_VERSION))
        return "only protocol version 104 is spoken here";
    if (!take_field(j, "agent_id", &o->agent_id) ||
        !take_field(j, "vm_instance", &o->vm_instance) ||
        !take_field(j, "injected_id", &o->injected_id) || !take_field(j, "version", &o->version) ||
        !take_field(j, "platform", &o->platform) ||
        !take_field(j, "platform_version", &o->platform_version))
        return "a field of the handshake is no string or too long";
    if (!take_addresses(j, "ipv4", &o->ipv4) || !take_addresses(j, "ipv6", &o->ipv6))
        return "the handshake's addresses are no list of strings or too many";
    o->features = json_get(j, "features");
    if (o->features && !json_object_is_type(o->features, json_type_object))
        return "the handshake's features are no object";
    return NULL;
}

int offer_parse(const char *text, size_t size, Offer *ret, const char **ret_error) {
    _cleanup_(offer_done) Offer o = {};
    int r;

    *ret_error = "the handshake is too large";
    if (size > OFFER_SIZE_MAX)
        return -EINVAL;
    *ret_error = "the handshake is not a JSON document";
    r = json_parse(text, size, &o.json);
    if (r < 0)
        return r == -ENOMEM ? r : -EBADMSG;
    *ret_error = check(o.json, &o);
    if (*ret_error)
        return -EINVAL;
    *ret = offer_take(&o);
    return 0;
}

void offer_done(Offer *o) {
    json_object_putp(&o->json);
    *o = (Offer){};
}

Offer offer_take(Offer *from) {
    Offer o = *from;

    *from = (Offer){};
    return o;
}

static size_t list_size(struct json_object *list) {
    return list ? json_object_array_length(list) : 0;
}

static bool share_one(struct json_object *a, struct json_object *b) {
    for (size_t i = 0; i < list_size(a); i++)
        for (size_t k = 0; k < list_size(b); k++)
            if (streq(json_object_get_string(json_object_array_get_idx(a, i)),
                      json_object_get_string(json_object_array_get_idx(b, k))))
                return true;
    return false;
}

AddressRelation offer_compare_addresses(const Offer *a, const Offer *b) {
    if (list_size(a->ipv4) + list_size(a->ipv6) == 0 ||
        list_size(b->ipv4) + list_size(b->ipv6) == 0)
        return ADDRESSES_UNKNOWN;
    return share_one(a->ipv4, b->ipv4) || share_one(a->ipv6, b->ipv6) ? ADDRESSES_SHARED
                                                                      : ADDRESSES_DISJOINT;
}

/* This manager knows neither customers nor clouds; the keys have the types agents expect. */
int answer_encode_accepted(const char *agent_id, const char *server_id, const char *server_name,
                           char **ret, size_t *ret_size) {
    _cleanup_json_ struct json_object *j = json_object_new_object();
    struct json_object *h;
    int r;

    if (!j)
        return -ENOMEM;
    r = json_add_int(j, "return_code", 200) ?: json_add(j, "handshake", json_object_new_object());
    if (r < 0)
        return r;
    h = json_get(j, "handshake");
    r = json_add_string(h, "version", "1")
            ?: json_add_string(h, "agentID", agent_id)
            ?: json_add_string(h, "customerId", "1")
            ?: json_add_string(h, "cloudId", "1")
            ?: json_add_string(h, "regionId", "1")
            ?: json_add_string(h, "zoneId", "1")
            ?: json_add_string(h, "serverId", server_id)
            ?: json_add_string(h, "serverName", server_name)
            ?: json_add_string(h, "mountPoint", "/mnt/dcmdata")
            ?: json_add_null(h, "pk")
            ?: json_add_null(h, "cloudDelegate");
    return r < 0 ? r : json_encode(j, ret, ret_size);
}

int answer_encode_refused(int code, const char *text, unsigned force_backoff_sec, char **ret,
                          size_t *ret_size) {
    _cleanup_json_ struct json_object *j = json_object_new_object();
    int r;

    if (!j)
        return -ENOMEM;
    r = json_add_int(j, "return_code", code) ?: json_add_string(j, "error_message", text);
    if (r >= 0 && code == 503)
        r = json_add_int(j, "FORCE_BACKOFF", force_backoff_sec);
    return r < 0 ? r : json_encode(j, ret, ret_size);
}
