/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/handshake.h"

#include <stdio.h>

#include "basic/bounds.h"
#include "basic/utf8.h"
#include "proto/message.h"
#include "proto/peer-text.h"
#include "proto/text.h"

#define FORCE_BACKOFF_DEFAULT_SEC 60.0
#define FORCE_BACKOFF_MAX_SEC (24.0 * 3600)

static struct json_object *string_array(char *const *list) {
    struct json_object *array = json_object_new_array();

    for (; array && list && *list; list++) {
        struct json_object *s = json_object_new_string(*list);

        if (!s || json_object_array_add(array, s) < 0) {
            json_object_put(s);
            json_object_put(array);
            return NULL;
        }
    }
    return array;
}

bool enrolment_token_is_valid(const char *text) {
    size_t size = strlen(text);

    for (size_t i = 0; i < size; i++)
        if (text[i] <= ' ' || text[i] > '~')
            return false;
    return size > 0 && size <= ENROLMENT_TOKEN_SIZE_MAX;
}

int handshake_offer_encode(const HandshakeOffer *o, char **ret, size_t *ret_size) {
    _cleanup_json_ struct json_object *j = json_object_new_object();

    if (!j)
        return -ENOMEM;
    TRY(json_add(j, "ipv4", string_array(o->ipv4)));
    TRY(json_add(j, "ipv6", string_array(o->ipv6)));
    TRY(json_add_string(j, "agent_id", o->agent_id));
    TRY(json_add_string(j, "token", o->token));
    TRY(json_add_string(j, "vm_instance", o->vm_instance));
    TRY(json_add_string(j, "injected_id", o->injected_id));
    TRY(json_add_string(j, "version", o->version));
    TRY(json_add_int(j, "protocol_version", PROTOCOL_VERSION));
    TRY(json_add_string(j, "platform", o->platform));
    TRY(json_add_string(j, "platform_version", o->platform_version));
    TRY(json_add_string(j, "host_name", o->host_name));
    if (o->enrolment_token)
        TRY(json_add_string(j, "enrolment_token", o->enrolment_token));
    TRY(json_add(j, "features", json_object_get(o->features)));
    return json_encode(j, ret, ret_size);
}

static uint64_t parse_force_backoff(struct json_object *j) {
    struct json_object *value = json_get(j, "FORCE_BACKOFF");
    double seconds;

    errno = 0; /* json-c sets it for a value that is not a number, and returns 0 */
    seconds = json_object_get_double(value);
    if (!value || json_object_is_type(value, json_type_boolean) || errno != 0 ||
        !(seconds >= 0)) /* also false for NaN */
        seconds = FORCE_BACKOFF_DEFAULT_SEC;
    return (uint64_t)(MIN(seconds, FORCE_BACKOFF_MAX_SEC) * (double)USEC_PER_SEC);
}

/* Accepts numbers too: managers send ids as numbers or strings. */
static int take(char **field, struct json_object *handshake, const char *key, char **ret_error) {
    const char *text, *fault = peer_text_take(handshake, key, &text);

    if (!fault)
        return free_and_strdup(field, text);
    return asprintf(ret_error, "'%s' %s", key, fault) < 0 ? -ENOMEM : -EINVAL;
}

/* What is not needed is no reason to refuse the manager. */
static int take_valid(char **field, struct json_object *handshake, const char *key) {
    const char *text;

    return peer_text_take(handshake, key, &text) ? 0 : free_and_strdup(field, text);
}

static int take_identity(HandshakeAnswer *a, struct json_object *handshake, char **ret_error) {
    TRY(take(&a->agent_id, handshake, "agentID", ret_error));
    TRY(take(&a->customer_id, handshake, "customerId", ret_error));
    TRY(take(&a->server_id, handshake, "serverId", ret_error));
    TRY(take_valid(&a->cloud_id, handshake, "cloudId"));
    TRY(take_valid(&a->region_id, handshake, "regionId"));
    return take(&a->server_name, handshake, "serverName", ret_error);
}

/* Ours. A text that may not be shown is none. */
static int take_refusal(HandshakeAnswer *a, struct json_object *j) {
    _cleanup_free_ char *text = NULL;
    const char *wire = json_get_string(j, "error_message");

    if (isempty(wire))
        return 0;
    TRY(error_text_for_people(wire, &text));
    if (!peer_text_fault(text, strlen(text)))
        a->refusal = TAKE_PTR(text);
    return 0;
}

int handshake_answer_parse(const char *text, size_t size, HandshakeAnswer *ret, char **ret_error) {
    _cleanup_(handshake_answer_done) HandshakeAnswer a = {};
    _cleanup_json_ struct json_object *j = NULL;
    int64_t code;
    int r;

    *ret_error = NULL;
    r = json_parse_small(text, size, &j);
    if (r < 0)
        return r == -ENOMEM ? r : -EBADMSG;
    if (json_to_integer(json_get(j, "return_code"), &code) < 0)
        return -EBADMSG;
    a.return_code = (int)MAX(MIN(code, INT32_MAX), INT32_MIN);
    a.force_backoff_usec = parse_force_backoff(j);
    TRY(take_identity(&a, json_get(j, "handshake"), ret_error));
    if (a.return_code != HANDSHAKE_ACCEPTED)
        TRY(take_refusal(&a, j));
    *ret = a;
    a = (HandshakeAnswer){};
    return 0;
}

/* A manager that lets each server in by hand has no answer of its own for one that waits: 401. */
static const char *describe_code(int code) {
    switch (code) {
    case HANDSHAKE_TOKEN_STALE:
        return "the token belongs to another server (409), as on a copied machine; the agent makes "
               "a new one";
    case HANDSHAKE_UNAUTHORIZED:
        return "the manager does not authorise this agent (401), or not yet; approve this server "
               "in the manager, or check its entry there";
    case HANDSHAKE_BUSY:
        return "the manager asked for a pause (503)";
    default:
        return NULL;
    }
}

void handshake_refusal_format(const HandshakeAnswer *a, char *buf, size_t size) {
    const char *text = describe_code(a->return_code);
    char other[64];

    (void)snprintf(other, sizeof(other), "the manager refused with code %d; see its log",
                   a->return_code);
    (void)utf8_format(buf, size, "%s%s%s", text ?: other, a->refusal ? "; it says: " : "",
                      strempty(a->refusal));
}

void handshake_answer_done(HandshakeAnswer *a) {
    free(a->agent_id);
    free(a->customer_id);
    free(a->server_id);
    free(a->server_name);
    free(a->cloud_id);
    free(a->region_id);
    free(a->refusal);
    *a = (HandshakeAnswer){};
}
