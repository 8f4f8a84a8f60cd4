/* SPDX-License-Identifier: Apache-2.0 */
#include "system/name-watch.h"

#include <sys/inotify.h>

#define EVENTS (IN_CREATE | IN_MOVED_TO | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)

struct NameWatch {
    sd_event_source *directory;
    char *awaited; /* the name expected in it */
    void (*on_change)(void *userdata);
    void *userdata;
};

static int on_event(sd_event_source *source, const struct inotify_event *event, void *userdata) {
    NameWatch *w = userdata;

    if (event->len == 0 || streq(event->name, w->awaited))
        w->on_change(w->userdata);
    return 0;
}

static int watch(NameWatch *w, sd_event *event, const char *path) {
    _cleanup_free_ char *directory = strdup(path);
    int r = -ENOENT;

    if (!directory)
        return -ENOMEM;
    for (char *slash; (slash = strrchr(directory, '/'));) {
        TRY(free_and_strdup(&w->awaited, slash + 1));
        *slash = 0;
        r = sd_event_add_inotify(event, &w->directory, slash == directory ? "/" : directory, EVENTS,
                                 on_event, w);
        if (r >= 0 || (r != -ENOENT && r != -EACCES && r != -ENOTDIR))
            break;
    }
    return r;
}

int name_watch_new(sd_event *event, const char *path, void (*on_change)(void *userdata),
                   void *userdata, NameWatch **ret) {
    _cleanup_(name_watch_freep) NameWatch *w = calloc(1, sizeof(*w));

    if (!w)
        return -ENOMEM;
    w->on_change = on_change;
    w->userdata = userdata;
    TRY(watch(w, event, path));
    *ret = TAKE_PTR(w);
    return 0;
}

NameWatch *name_watch_free(NameWatch *w) {
    if (!w)
        return NULL;
    sd_event_source_disable_unref(w->directory);
    free(w->awaited);
    free(w);
    return NULL;
}
