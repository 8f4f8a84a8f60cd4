/* SPDX-License-Identifier: Apache-2.0 */
/* A handshake offer at the manager: it is refused with a reason, or its fields are within their
 * bounds and the token is gone. Then the way on: an agent that says the same of itself is
 * understood likewise, and understands what it is answered. */
#include "dcm-manager/limits.h"
#include "dcm-manager/offer.h"
#include "fuzz.h"
#include "proto/handshake.h"
#include "proto/peer-text.h"

static void check_field(const char *text) {
    CHECK(!text || (*text && !peer_text_fault(text, strlen(text))));
}

static size_t count(struct json_object *list) {
    CHECK(!list || json_object_is_type(list, json_type_array));
    return list ? json_object_array_length(list) : 0;
}

static void check_addresses(struct json_object *list) {
    CHECK(count(list) <= OFFER_ADDRESSES_MAX);
    for (size_t i = 0; i < count(list); i++)
        CHECK(!peer_text_fault_within(json_object_array_get_idx(list, i)));
}

static void check_offer(const Offer *o) {
    CHECK(strlen(o->token_sha256) == SHA256_HEX_SIZE - 1);
    CHECK(!json_object_object_get_ex(o->json, "token", NULL));
    check_field(o->agent_id);
    check_field(o->vm_instance);
    check_field(o->injected_id);
    check_field(o->version);
    check_field(o->platform);
    check_field(o->platform_version);
    check_addresses(o->ipv4);
    check_addresses(o->ipv6);
    CHECK(!o->features || json_object_is_type(o->features, json_type_object));
    CHECK((offer_compare_addresses(o, o) == ADDRESSES_UNKNOWN) ==
          (count(o->ipv4) + count(o->ipv6) == 0));
}

/* NULL-terminated; the strings are the list's. */
static char **to_strings(struct json_object *list) {
    char **strings = calloc(count(list) + 1, sizeof(char *));

    CHECK(strings);
    for (size_t i = 0; i < count(list); i++)
        strings[i] = (char *)(uintptr_t)json_object_get_string(json_object_array_get_idx(list, i));
    return strings;
}

static bool are_equal(const char *a, const char *b) {
    return (!a && !b) || (a && b && streq(a, b));
}

/* As the agent would have put it. */
static void check_same_again(const Offer *o) {
    _cleanup_json_ struct json_object *features = json_object_new_object();
    _cleanup_free_ char **ipv4 = to_strings(o->ipv4), **ipv6 = to_strings(o->ipv6), *text = NULL;
    const HandshakeOffer mine = {
        .ipv4 = ipv4,
        .ipv6 = ipv6,
        .agent_id = o->agent_id,
        .token = o->token_sha256,
        .vm_instance = o->vm_instance,
        .injected_id = o->injected_id,
        .version = o->version,
        .platform = o->platform,
        .platform_version = o->platform_version,
        .features = o->features ?: features,
    };
    _cleanup_(offer_done) Offer again = {};
    const char *error = NULL;
    size_t size = 0;
    int r;

    CHECK(handshake_offer_encode(&mine, &text, &size) == 0);
    r = offer_parse(text, size, &again, &error);
    if (r < 0) { /* blanks and escapes were shorter, or there were fewer members */
        CHECK(size > OFFER_SIZE_MAX || strstr(error, "too many values"));
        return;
    }
    check_offer(&again);
    CHECK(are_equal(again.agent_id, o->agent_id) && are_equal(again.platform, o->platform) &&
          are_equal(again.vm_instance, o->vm_instance) && are_equal(again.version, o->version) &&
          are_equal(again.injected_id, o->injected_id));
    CHECK(count(again.ipv4) == count(o->ipv4) && count(again.ipv6) == count(o->ipv6));
}

static void check_answer(const Offer *o) {
    const char *id = o->agent_id ?: "id", *name = o->vm_instance ?: "name";
    _cleanup_(handshake_answer_done) HandshakeAnswer a = {};
    _cleanup_free_ char *text = NULL, *fault = NULL;
    size_t size = 0;

    CHECK(answer_encode_accepted(id, "1", name, &text, &size) == 0);
    CHECK(handshake_answer_parse(text, size, &a, &fault) == 0);
    CHECK(a.return_code == HANDSHAKE_ACCEPTED);
    CHECK(streq(a.agent_id, id) && streq(a.server_name, name) && streq(a.server_id, "1"));
}

static void check_refusal(const char *why, size_t size) {
    _cleanup_(handshake_answer_done) HandshakeAnswer a = {};
    _cleanup_free_ char *text = NULL, *fault = NULL;
    unsigned seconds = (unsigned)size;

    CHECK(answer_encode_refused(HANDSHAKE_BUSY, why, seconds, &text, &size) == 0);
    CHECK(handshake_answer_parse(text, size, &a, &fault) == 0);
    CHECK(a.return_code == HANDSHAKE_BUSY && !a.agent_id);
    CHECK(a.force_backoff_usec == MIN(seconds, 86400u) * USEC_PER_SEC);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    _cleanup_(offer_done) Offer o = {};
    const char *error = NULL;
    int r;

    r = offer_parse((const char *)data, size, &o, &error);
    CHECK(r == 0 || r == -EBADMSG || r == -EINVAL);
    CHECK((r < 0) == (error != NULL));
    if (r < 0) {
        check_refusal(error, size);
        return 0;
    }
    check_offer(&o);
    check_same_again(&o);
    check_answer(&o);
    return 0;
}
