/* SPDX-License-Identifier: Apache-2.0 */
/* A test on many made-up machines, one for each seed, and how it tells what it has found.
 *
 * DCM_VOLUME_MACHINES: how many machines; DCM_VOLUME_SEED: of the first. */
#pragma once

#include "volume-model.h"

static inline uint64_t model_setting(const char *name, uint64_t fallback) {
    const char *text = g_getenv(name);

    return text ? g_ascii_strtoull(text, NULL, 10) : fallback;
}

/* Returns how many there were. */
static inline uint64_t model_each_seed(uint64_t machines, void (*run)(uint64_t seed)) {
    const uint64_t first = model_setting("DCM_VOLUME_SEED", 1),
                   n = model_setting("DCM_VOLUME_MACHINES", machines);

    for (uint64_t i = 0; i < n; i++)
        run(first + i);
    return n;
}

static inline void model_tell_plan(const char *what, const Plan *p) {
    _cleanup_json_ struct json_object *json = NULL;

    g_assert_cmpint(plan_to_json(p, &json), ==, 0);
    g_printerr("%s: %s\n", what, json_object_to_json_string(json));
}

/* How to have it again, and what the machine and the request are. */
static inline void model_tell(const Model *m, const VolumeRequest *q, uint64_t seed) {
    _cleanup_json_ struct json_object *facts = NULL, *request = NULL;

    g_assert_cmpint(facts_to_json(&m->facts, &facts), ==, 0);
    g_assert_cmpint(fields_to_json(&volume_request_table, q, &request), ==, 0);
    g_printerr("DCM_VOLUME_SEED=%" G_GUINT64_FORMAT
               " DCM_VOLUME_MACHINES=1\nfacts: %s\nrequest: %s\n",
               seed, json_object_to_json_string(facts), json_object_to_json_string(request));
}
