/* SPDX-License-Identifier: Apache-2.0 */
#include "package/process.h"

#include <fnmatch.h>

static const char *const kept[] = {
    "dcm-*",
    "dbus.service",
    "dbus-broker.service",
    "systemd-*",
    "getty@*",
    "serial-getty@*",
    "user@*",
    "polkit.service",
    "init.scope",
    "NetworkManager.service",
    "networking.service",
};

bool process_line_is_stale(const char *line) {
    static const char deleted[] = " (deleted)";
    static const char *const places[] = {"/usr/", "/lib", "/opt/", "/bin/", "/sbin/"};
    const size_t size = strlen(line);
    const char *path = strchr(line, '/');

    if (!path || size < strlen(deleted) || !streq(line + size - strlen(deleted), deleted))
        return false;
    /* "7f00-7f01 r-xp ...": only code */
    if (!strstr(line, "xp ") || strstr(line, "xp ") > path)
        return false;
    for (size_t i = 0; i < ELEMENTSOF(places); i++)
        if (strncmp(path, places[i], strlen(places[i])) == 0)
            return true;
    return false;
}

int process_find_service(const char *cgroup, char **ret) {
    static const char suffix[] = ".service";
    const char *path = strstr(cgroup, "0::/");
    const char *end = path ? path + strcspn(path, "\n") : NULL;

    /* the first service on the way down: what is below belongs to it */
    for (const char *s = path ? strchr(path, '/') : NULL; s && s < end;) {
        const size_t size = strcspn(++s, "/\n");

        if (size > strlen(suffix) &&
            strncmp(s + size - strlen(suffix), suffix, strlen(suffix)) == 0) {
            *ret = strndup(s, size);
            return *ret ? 0 : -ENOMEM;
        }
        s = s + size < end ? s + size : NULL;
    }
    *ret = strdup("");
    return *ret ? 0 : -ENOMEM;
}

bool process_service_is_kept(const char *service) {
    for (size_t i = 0; i < ELEMENTSOF(kept); i++)
        if (fnmatch(kept[i], service, 0) == 0)
            return true;
    return false;
}
