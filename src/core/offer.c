/* SPDX-License-Identifier: Apache-2.0 */
#include "core/offer.h"

#include <limits.h>
#include <unistd.h>

#include "commands/command-list.h"
#include "proto/handshake.h"
#include "proto/peer-text.h"
#include "site/command-file.h"
#include "system/addresses.h"

static int add_plugin(struct json_object *plugins, const char *text) {
    struct json_object *name = json_object_new_string(text);

    if (name && json_object_array_add(plugins, name) >= 0)
        return 0;
    (void)json_object_put(name);
    return -ENOMEM;
}

/* Sends a pattern unchanged, as the Python agent did. */
static int add_names(struct json_object *plugins, const Command *c) {
    const char *names = c->file ? c->file->names : NULL;
    int r = 0;

    if (!names || !command_file_has_name(c->file, c->name))
        r = add_plugin(plugins, c->name);
    return r >= 0 && names ? add_plugin(plugins, names) : r;
}

/* The configuration takes precedence. */
static int add_features(struct json_object *features, const CommandFile *f) {
    int r = 0;

    for (size_t i = 0; f && i < f->n_features && r >= 0; i++) {
        const char *name = f->features[i].name, *value = f->features[i].value;

        if (!f->features[i].is_available || json_object_object_get_ex(features, name, NULL))
            continue;
        r = json_add(features, name,
                     streq(value, "true") || streq(value, "false")
                         ? json_object_new_boolean(streq(value, "true"))
                         : json_object_new_string(value));
    }
    return r;
}

static struct json_object *make_features(const Config *config) {
    _cleanup_json_ struct json_object *features = NULL, *plugins = json_object_new_array();
    const Command *const *commands;
    size_t n;

    if (!plugins || json_object_deep_copy(config->features, &features, NULL) < 0)
        return NULL;
    commands = command_list(&n);
    for (size_t i = 0; i < n; i++)
        if (add_names(plugins, commands[i]) < 0 || add_features(features, commands[i]->file) < 0)
            return NULL;
    return json_add(features, "plugins", TAKE_PTR(plugins)) < 0 ? NULL : TAKE_PTR(features);
}

int offer_make(const OfferFacts *facts, char **ret, size_t *ret_size) {
    char host[HOST_NAME_MAX + 1] = "";
    _cleanup_(addresses_done) Addresses addresses = {};
    _cleanup_json_ struct json_object *features = make_features(facts->config);

    if (!features)
        return -ENOMEM;
    TRY(addresses_read(facts->local_address, &addresses));
    if (gethostname(host, sizeof(host)) < 0 || peer_text_fault(host, strlen(host)))
        host[0] = 0;
    return handshake_offer_encode(
        &(const HandshakeOffer){
            .ipv4 = facts->cloud->ipv4 ?: addresses.ipv4,
            .ipv6 = facts->cloud->ipv6 ?: addresses.ipv6,
            .agent_id = facts->agent_id,
            .token = facts->token,
            .vm_instance = facts->cloud->instance_id,
            .injected_id = facts->cloud->injected_id ?: facts->injected_id,
            .version = PROJECT_VERSION,
            .platform = facts->config->platform_name ?: facts->platform->name,
            .platform_version = facts->config->platform_version ?: facts->platform->version,
            .host_name = host[0] ? host : NULL,
            .enrolment_token = facts->enrolment_token,
            .features = features,
        },
        ret, ret_size);
}
