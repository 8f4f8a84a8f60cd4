/* SPDX-License-Identifier: Apache-2.0 */
/* The list is read without dnf, so that packages can be listed where nothing can be written. */
#include "dcm-package/dnf-versionlock.h"

#include <fcntl.h>
#include <unistd.h>

#include "basic/bounds.h"
#include "basic/file-util.h"
#include "basic/ini-file.h"
#include "basic/log.h"
#include "basic/parse-util.h"
#include "package/dnf-text.h"

#define CONFIG "/etc/dnf/plugins/versionlock.conf"
#define LIST "/etc/dnf/plugins/versionlock.list"
#define LIST_MAX ((size_t)4 * 1024 * 1024)

typedef struct Settings {
    bool enabled;
    char *list;
} Settings;

/* Other keys are the plugin's own. */
static int on_value(const IniPlace *at, const char *value, void *userdata) {
    Settings *s = userdata;

    if (!streq(at->section, "main"))
        return 0;
    if (streq(at->name, "enabled"))
        return parse_bool(value, &s->enabled);
    return streq(at->name, "locklist") ? free_and_strdup(&s->list, value) : 0;
}

static void on_problem(const char *file, unsigned line, const char *text, void *userdata) {
    (void)userdata;
    log_warning("%s:%u: %s", file, line, text);
}

int versionlock_find(bool *ret_active, char **ret_list) {
    static const IniCallbacks callbacks = {.on_value = on_value, .on_problem = on_problem};
    Settings s = {.enabled = true};
    int r;

    *ret_active = false;
    if (access(CONFIG, F_OK) < 0)
        return errno == ENOENT ? free_and_strdup(ret_list, LIST) : -errno;
    r = free_and_strdup(&s.list, LIST);
    if (r >= 0)
        r = ini_file_load(CONFIG, NULL, &callbacks, &s);
    if (r < 0) {
        free(s.list);
        return r;
    }
    *ret_active = s.enabled;
    *ret_list = s.list;
    return 0;
}

int versionlock_mark(PackageList *l) {
    _cleanup_free_ char *path = NULL, *text = NULL;
    bool active;
    int r;

    TRY(versionlock_find(&active, &path));
    if (!active)
        return 0;
    r = read_file_at(AT_FDCWD, path, LIST_MAX, &text, NULL);
    if (r < 0)
        return r == -ENOENT ? 0 : r;
    return dnf_mark_held(l, text);
}
