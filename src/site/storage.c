/* SPDX-License-Identifier: Apache-2.0 */
#include "site/storage.h"

#include "basic/bounds.h"
#include "basic/ini-file.h"
#include "basic/log.h"

typedef struct Setting {
    const char *key, *preset;
    bool (*is_valid)(const char *value);
    const char *allowed;
} Setting;

typedef struct Reader {
    const Setting *setting;
    char *value;
} Reader;

bool storage_mount_point_is_valid(const char *path) {
    return *path == '/';
}

bool storage_services_dir_is_valid(const char *path) {
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                  "._-/+@";

    return *path == '/' && path[1] && strlen(path) <= SERVICES_PATH_MAX &&
           strspn(path, allowed) == strlen(path) && !strstr(path, "//") && !strstr(path, "/./") &&
           !strstr(path, "/../") && path[strlen(path) - 1] != '/' &&
           !(strlen(path) >= 3 && streq(path + strlen(path) - 3, "/.."));
}

static int on_value(const IniPlace *at, const char *value, void *userdata) {
    Reader *r = userdata;

    if (!streq(at->section, "storage") || strcasecmp(at->name, r->setting->key) != 0)
        return 0;
    return free_and_strdup(&r->value, isempty(value) ? r->setting->preset : value);
}

/* The agent logs these problems at a higher level. */
static void on_problem(const char *file, unsigned line, const char *text, void *userdata) {
    log_debug("%s:%u: %s", file, line, text);
}

static int get(const Setting *s, char **ret) {
    static const IniCallbacks callbacks = {.on_value = on_value, .on_problem = on_problem};
    Reader reader = {.setting = s, .value = strdup(s->preset)};
    _cleanup_free_ char *value = NULL;
    int r;

    if (!reader.value)
        return -ENOMEM;
    r = ini_file_load(CONFDIR "/agent.conf", CONFDIR "/agent.conf.d", &callbacks, &reader);
    value = reader.value;
    if (r < 0)
        return r;
    if (!s->is_valid(value)) {
        log_error("agent.conf: %s = %s in [storage] is not valid: it must be %s", s->key, value,
                  s->allowed);
        return -EINVAL;
    }
    *ret = TAKE_PTR(value);
    return 0;
}

int storage_get_mount_point(char **ret) {
    return get(&(const Setting){"mountpoint", STORAGE_MOUNT_POINT, storage_mount_point_is_valid,
                                "an absolute path"},
               ret);
}

int storage_get_services_dir(char **ret) {
    return get(&(const Setting){"services_dir", STORAGE_SERVICES_DIR, storage_services_dir_is_valid,
                                "an absolute path of letters, digits and ._-+@"},
               ret);
}
