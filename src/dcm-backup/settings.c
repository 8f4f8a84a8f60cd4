/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-backup/settings.h"

#include "basic/ini-file.h"
#include "basic/log.h"

#define SERVICES_PRESET "/srv/dcm/services"

static int on_value(const IniPlace *at, const char *value, void *userdata) {
    char **directory = userdata;

    if (!streq(at->section, "storage") || strcasecmp(at->name, "services_dir") != 0)
        return 0;
    return free_and_strdup(directory, isempty(value) ? SERVICES_PRESET : value);
}

/* The agent logs these problems at a higher level. */
static void on_problem(const char *file, unsigned line, const char *text, void *userdata) {
    log_debug("%s:%u: %s", file, line, text);
}

int settings_services_directory(char **ret) {
    static const IniCallbacks callbacks = {.on_value = on_value, .on_problem = on_problem};
    _cleanup_free_ char *directory = strdup(SERVICES_PRESET);

    if (!directory)
        return -ENOMEM;
    TRY(ini_file_load(CONFDIR "/agent.conf", CONFDIR "/agent.conf.d", &callbacks, &directory));
    if (directory[0] != '/') {
        log_error("agent.conf: services_dir in [storage] is no absolute path: %s", directory);
        return -EINVAL;
    }
    *ret = TAKE_PTR(directory);
    return 0;
}
