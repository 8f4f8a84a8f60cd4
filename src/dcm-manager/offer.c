/* SPDX-License-Identifier: Apache-2.0 */
/* Hashes and erases the token before any other code sees the offer. */
#include "dcm-manager/offer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>

#include "basic/utf8.h"
#include "dcm-manager/limits.h"
#include "proto/message.h"
#include "proto/peer-text.h"

#define TOKEN_SIZE_MAX ((size_t)1024)

static void take_token(struct json_object *j, const char *key, const char *token, char *ret) {
    size_t size = strlen(token);

    sha256_hex(token, size, ret);
    explicit_bzero((char *)token, size); /* json-c's own copy */
    json_object_object_del(j, key);
}

/* One that no manager can have made is a wrong one. */
static const char *take_enrolment_token(struct json_object *j, Offer *o) {
    struct json_object *value = json_get(j, "enrolment_token");

    if (!value)
        return NULL;
    if (!json_object_is_type(value, json_type_string))
        return "the handshake's enrolment_token is not a text";
    if (json_object_get_string_len(value) > 0)
        take_token(j, "enrolment_token", json_object_get_string(value), o->enrolment_sha256);
    return NULL;
}

#define OFFSET(field) offsetof(Offer, field)

static const struct {
    const char *key;
    size_t offset;
} texts[] = {
    {"agent_id", OFFSET(agent_id)},       {"vm_instance", OFFSET(vm_instance)},
    {"injected_id", OFFSET(injected_id)}, {"version", OFFSET(version)},
    {"platform", OFFSET(platform)},       {"platform_version", OFFSET(platform_version)},
    {"host_name", OFFSET(host_name)},
};

/* Returns NULL without a fault; the text is valid until the next call. */
static const char *explain(const char *key, const char *fault) {
    static char text[128];

    if (!fault)
        return NULL;
    (void)utf8_format(text, sizeof(text), "the handshake's %s %s", key, fault);
    return text;
}

static const char *take_texts(struct json_object *j, Offer *o) {
    const char *error = NULL;

    for (size_t i = 0; i < ELEMENTSOF(texts) && !error; i++)
        error = explain(texts[i].key, peer_text_take(j, texts[i].key,
                                                     (const char **)((char *)o + texts[i].offset)));
    return error;
}

static const char *addresses_fault(struct json_object *list) {
    if (!list)
        return NULL;
    if (!json_object_is_type(list, json_type_array))
        return "is not a list";
    if (json_object_array_length(list) > OFFER_ADDRESSES_MAX)
        return "has too many addresses";
    for (size_t i = 0; i < json_object_array_length(list); i++)
        if (!json_object_is_type(json_object_array_get_idx(list, i), json_type_string))
            return "has something else than texts";
    return peer_text_fault_within(list);
}

static const char *features_fault(struct json_object *features) {
    if (features && !json_object_is_type(features, json_type_object))
        return "is not an object";
    return peer_text_fault_within(features);
}

static const char *take_values(struct json_object *j, Offer *o) {
    o->ipv4 = json_get(j, "ipv4");
    o->ipv6 = json_get(j, "ipv6");
    o->features = json_get(j, "features");
    return explain("ipv4", addresses_fault(o->ipv4))
               ?: explain("ipv6", addresses_fault(o->ipv6))
               ?: explain("features", features_fault(o->features));
}

static const char *check(struct json_object *j, Offer *o) {
    const char *token = json_get_string(j, "token");
    struct json_object *version = json_get(j, "protocol_version");
    int64_t number;

    if (!json_object_is_type(j, json_type_object))
        return "the handshake is not a JSON object";
    if (isempty(token) || strlen(token) > TOKEN_SIZE_MAX)
        return "the handshake has no valid token";
    take_token(j, "token", token, o->token_sha256);
    if (version && (json_to_integer(version, &number) < 0 || number != PROTOCOL_VERSION))
        return "only protocol version 104 is spoken here";
    return take_enrolment_token(j, o) ?: take_texts(j, o) ?: take_values(j, o);
}

static int keep(struct json_object *to, struct json_object *from, const char *key) {
    struct json_object *value = json_get(from, key);

    return value ? json_add(to, key, json_object_get(value)) : 0;
}

/* Drops all other keys: an unidentified peer may have sent many. */
static int drop_others(Offer *o, bool with_texts) {
    struct json_object *kept = json_object_new_object();
    int r;

    if (!kept)
        return -ENOMEM;
    r = keep(kept, o->json, "ipv4") ?: keep(kept, o->json, "ipv6");
    for (size_t i = 0; r >= 0 && with_texts && i < ELEMENTSOF(texts); i++)
        r = keep(kept, o->json, texts[i].key);
    if (r >= 0 && with_texts)
        r = keep(kept, o->json, "features");
    if (r < 0) {
        (void)json_object_put(kept);
        return r;
    }
    (void)json_object_put(o->json);
    o->json = kept;
    return 0;
}

int offer_parse(const char *text, size_t size, Offer *ret, const char **ret_error) {
    _cleanup_(offer_done) Offer o = {};
    int r;

    *ret_error = "the handshake is too large";
    if (size > OFFER_SIZE_MAX)
        return -EINVAL;
    r = json_parse_small(text, size, &o.json);
    *ret_error =
        r == -E2BIG ? "the handshake has too many values" : "the handshake is not a JSON document";
    if (r < 0)
        return r == -ENOMEM ? r : -EBADMSG;
    *ret_error = check(o.json, &o);
    if (*ret_error)
        return -EINVAL;
    TRY(drop_others(&o, true));
    *ret = o;
    o = (Offer){};
    return 0;
}

void offer_keep_addresses(Offer *o) {
    if (drop_others(o, false) < 0)
        return;
    for (size_t i = 0; i < ELEMENTSOF(texts); i++)
        *(const char **)((char *)o + texts[i].offset) = NULL;
    o->features = NULL;
}

void offer_done(Offer *o) {
    json_object_putp(&o->json);
    *o = (Offer){};
}

static size_t list_size(struct json_object *list) {
    return list ? json_object_array_length(list) : 0;
}

static bool is_private(uint32_t a) {
    return a >> 24 == 10 || a >> 20 == 0xac1 || a >> 16 == 0xc0a8;
}

/* Loopback, link-local, multicast; 10.0.2.15 of machines behind the router of QEMU or VirtualBox;
 * the first addresses of private nets, which container and virtual machine bridges use: 172.17.0.1
 * of docker0, 192.168.122.1 of virbr0, 10.42.0.0 of flannel. */
static bool is_common_ipv4(uint32_t a) {
    return a >> 24 == 0 || a >> 24 == 127 || a >> 16 == 0xa9fe || a >= 0xe0000000 ||
           a == 0x0a00020f || (is_private(a) && (a & 0xff) <= 1);
}

static bool is_common_ipv6(const struct in6_addr *a) {
    static const uint8_t end_one[8] = {[7] = 1};

    return IN6_IS_ADDR_UNSPECIFIED(a) || IN6_IS_ADDR_LOOPBACK(a) || IN6_IS_ADDR_LINKLOCAL(a) ||
           IN6_IS_ADDR_MULTICAST(a) ||
           ((a->s6_addr[0] & 0xfe) == 0xfc && memcmp(a->s6_addr + 8, end_one, 8) == 0);
}

/* Invalid, or common to many machines: sharing it proves nothing. */
static bool proves_nothing(const char *address) {
    struct in6_addr ipv6;
    struct in_addr ipv4;
    char text[INET6_ADDRSTRLEN];

    (void)utf8_format(text, sizeof(text), "%.*s", (int)strcspn(address, "%"), address);
    if (inet_pton(AF_INET, text, &ipv4) == 1)
        return is_common_ipv4(ntohl(ipv4.s_addr));
    if (inet_pton(AF_INET6, text, &ipv6) != 1)
        return true;
    if (IN6_IS_ADDR_V4MAPPED(&ipv6)) {
        memcpy(&ipv4, ipv6.s6_addr + 12, sizeof(ipv4));
        return is_common_ipv4(ntohl(ipv4.s_addr));
    }
    return is_common_ipv6(&ipv6);
}

static bool share_one(struct json_object *a, struct json_object *b) {
    for (size_t i = 0; i < list_size(a); i++) {
        const char *address = json_object_get_string(json_object_array_get_idx(a, i));

        if (proves_nothing(address))
            continue;
        for (size_t k = 0; k < list_size(b); k++)
            if (streq(address, json_object_get_string(json_object_array_get_idx(b, k))))
                return true;
    }
    return false;
}

AddressRelation offer_compare_addresses(const Offer *a, const Offer *b) {
    if (list_size(a->ipv4) + list_size(a->ipv6) == 0 ||
        list_size(b->ipv4) + list_size(b->ipv6) == 0)
        return ADDRESSES_UNKNOWN;
    return share_one(a->ipv4, b->ipv4) || share_one(a->ipv6, b->ipv6) ? ADDRESSES_SHARED
                                                                      : ADDRESSES_DISJOINT;
}

/* This manager knows neither customers nor clouds; the keys have the types that agents expect. */
int answer_encode_accepted(const char *agent_id, const char *server_id, const char *server_name,
                           char **ret, size_t *ret_size) {
    _cleanup_json_ struct json_object *j = json_object_new_object();
    struct json_object *h;

    if (!j)
        return -ENOMEM;
    TRY(json_add_int(j, "return_code", 200));
    TRY(json_add(j, "handshake", json_object_new_object()));
    h = json_get(j, "handshake");
    TRY(json_add_string(h, "version", "1"));
    TRY(json_add_string(h, "agentID", agent_id));
    TRY(json_add_string(h, "customerId", "1"));
    TRY(json_add_string(h, "cloudId", "1"));
    TRY(json_add_string(h, "regionId", "1"));
    TRY(json_add_string(h, "zoneId", "1"));
    TRY(json_add_string(h, "serverId", server_id));
    TRY(json_add_string(h, "serverName", server_name));
    TRY(json_add_string(h, "mountPoint", "/mnt/dcmdata"));
    TRY(json_add_null(h, "pk"));
    TRY(json_add_null(h, "cloudDelegate"));
    return json_encode(j, ret, ret_size);
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
