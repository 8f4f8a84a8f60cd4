/* SPDX-License-Identifier: Apache-2.0 */
#include "site/feature.h"

#include <linux/limits.h>
#include <stdio.h>
#include <unistd.h>

static bool is_program(const char *name) {
    for (const char *p = JOB_PATH, *end; *p; p = *end ? end + 1 : end) {
        char path[PATH_MAX];

        end = strchrnul(p, ':');
        if (snprintf(path, sizeof(path), "%.*s/%s", (int)(end - p), p, name) < (int)sizeof(path) &&
            access(path, X_OK) >= 0)
            return true;
    }
    return false;
}

static bool is_available(const CommandFeature *feature) {
    for (char *const *need = feature->needs; need && *need; need++)
        if (**need == '/' ? access(*need, F_OK) < 0 : !is_program(*need))
            return false;
    return true;
}

void command_file_find_features(CommandFile *f) {
    for (size_t i = 0; i < f->n_features; i++)
        f->features[i].is_available = is_available(&f->features[i]);
}
