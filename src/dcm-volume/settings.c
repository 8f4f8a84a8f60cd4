/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-volume/settings.h"

#include "basic/ini-file.h"
#include "basic/log.h"

#define MOUNT_POINT_PRESET "/mnt/dcmdata"

static int on_value(const IniPlace *at, const char *value, void *userdata) {
    char **mount_point = userdata;

    if (!streq(at->section, "storage") || strcasecmp(at->name, "mountpoint") != 0)
        return 0;
    return free_and_strdup(mount_point, isempty(value) ? MOUNT_POINT_PRESET : value);
}

/* The agent logs these problems at a higher level. */
static void on_problem(const char *file, unsigned line, const char *text, void *userdata) {
    log_debug("%s:%u: %s", file, line, text);
}

int settings_mount_point(char **ret) {
    static const IniCallbacks callbacks = {.on_value = on_value, .on_problem = on_problem};
    _cleanup_free_ char *mount_point = strdup(MOUNT_POINT_PRESET);

    if (!mount_point)
        return -ENOMEM;
    TRY(ini_file_load(CONFDIR "/agent.conf", CONFDIR "/agent.conf.d", &callbacks, &mount_point));
    if (mount_point[0] != '/') {
        log_error("agent.conf: mountpoint in [storage] is no absolute path: %s", mount_point);
        return -EINVAL;
    }
    *ret = TAKE_PTR(mount_point);
    return 0;
}
