/* SPDX-License-Identifier: Apache-2.0 */
#include "core/offer.h"

#include "commands/command-list.h"
#include "proto/handshake.h"
#include "system/addresses.h"

static struct json_object *make_features(const Config *config) {
    _cleanup_json_ struct json_object *features = NULL, *plugins = json_object_new_array();
    const Command *const *commands;
    size_t n;

    if (!plugins || json_object_deep_copy(config->features, &features, NULL) < 0)
        return NULL;
    commands = command_list(&n);
    for (size_t i = 0; i < n; i++) {
        struct json_object *name = json_object_new_string(commands[i]->name);

        if (!name || json_object_array_add(plugins, name) < 0) {
            (void)json_object_put(name);
            return NULL;
        }
    }
    return json_add(features, "plugins", TAKE_PTR(plugins)) < 0 ? NULL : TAKE_PTR(features);
}

int offer_make(const OfferFacts *facts, char **ret, size_t *ret_size) {
    _cleanup_(addresses_done) Addresses addresses = {};
    _cleanup_json_ struct json_object *features = make_features(facts->config);
    int r;

    if (!features)
        return -ENOMEM;
    r = addresses_read(facts->local_address, &addresses);
    if (r < 0)
        return r;
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
            .features = features,
        },
        ret, ret_size);
}
