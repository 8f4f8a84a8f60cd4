/* SPDX-License-Identifier: Apache-2.0 */
#include "core/policy-watch.h"

#include <sys/inotify.h>

#include "basic/bounds.h"
#include "basic/timer.h"

#define SETTLE_USEC (50 * USEC_PER_MSEC) /* an editor writes, renames and removes */
#define CHANGES                                                                                    \
    (IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE | IN_ATTRIB |            \
     IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)

struct PolicyWatch {
    sd_event *event;
    const char *file, *directory;
    char *parent;                                        /* of the file */
    sd_event_source *parent_changes, *directory_changes; /* NULL: it does not exist */
    sd_event_source *timer;
    void (*on_change)(void *userdata);
    void *userdata;
};

static const char *get_name(const char *path) {
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

static bool concerns_us(const PolicyWatch *w, const char *name) {
    return streq(name, get_name(w->file)) || streq(name, get_name(w->directory));
}

/* The parent has other files, too. */
static int on_parent_event(sd_event_source *source, const struct inotify_event *e, void *userdata) {
    PolicyWatch *w = userdata;
    bool is_lost = e->mask & (IN_IGNORED | IN_Q_OVERFLOW);

    if ((is_lost || (e->len > 0 && concerns_us(w, e->name))) && !timer_is_armed(w->timer))
        (void)timer_arm_in(w->timer, SETTLE_USEC);
    return 0;
}

static int on_directory_event(sd_event_source *source, const struct inotify_event *e,
                              void *userdata) {
    PolicyWatch *w = userdata;

    if (!timer_is_armed(w->timer))
        (void)timer_arm_in(w->timer, SETTLE_USEC);
    return 0;
}

/* A directory may have come, gone, or been replaced. */
static int watch(PolicyWatch *w) {
    int r;

    w->parent_changes = sd_event_source_disable_unref(w->parent_changes);
    w->directory_changes = sd_event_source_disable_unref(w->directory_changes);
    r = sd_event_add_inotify(w->event, &w->parent_changes, w->parent, CHANGES, on_parent_event, w);
    if (r >= 0 || r == -ENOENT || r == -EACCES)
        r = sd_event_add_inotify(w->event, &w->directory_changes, w->directory, CHANGES,
                                 on_directory_event, w);
    return r == -ENOENT || r == -ENOTDIR || r == -EACCES ? 0 : r;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
    PolicyWatch *w = userdata;

    (void)watch(w);
    w->on_change(w->userdata);
    return 0;
}

int policy_watch_new(sd_event *event, const char *file, const char *directory,
                     void (*on_change)(void *userdata), void *userdata, PolicyWatch **ret) {
    PolicyWatch *w = calloc(1, sizeof(*w));
    int r;

    if (!w)
        return -ENOMEM;
    w->event = sd_event_ref(event);
    w->file = file;
    w->directory = directory;
    w->on_change = on_change;
    w->userdata = userdata;
    w->parent = get_name(file) > file + 1 ? strndup(file, (size_t)(get_name(file) - file - 1))
                                          : strdup(get_name(file) == file ? "." : "/");
    r = w->parent ? timer_new(event, 0, on_timer, w, &w->timer) : -ENOMEM;
    if (r >= 0)
        r = watch(w);
    if (r < 0) {
        policy_watch_free(w);
        return r;
    }
    *ret = w;
    return 0;
}

PolicyWatch *policy_watch_free(PolicyWatch *w) {
    if (!w)
        return NULL;
    sd_event_source_disable_unref(w->parent_changes);
    sd_event_source_disable_unref(w->directory_changes);
    sd_event_source_disable_unref(w->timer);
    sd_event_unref(w->event);
    free(w->parent);
    free(w);
    return NULL;
}
