/* SPDX-License-Identifier: Apache-2.0 */
/* One inotify for all files. sd_event_add_inotify() wakes the loop for each change, even while its
 * source is off: a job that writes byte by byte would cost the agent as much as itself. This
 * descriptor can wait instead. The kernel queues events meanwhile and merges equal consecutive
 * ones; if it drops events it says so, and then every file counts as changed. */
#include "system/file-watch.h"

#include <stdio.h>
#include <sys/inotify.h>
#include <sys/queue.h>
#include <unistd.h>

#include "basic/bounds.h"
#include "basic/fd-util.h"

#define INTERVAL_USEC (100 * USEC_PER_MSEC)

struct FileWatch {
    FileWatches *set;
    int wd;
    bool changed;
    void (*on_change)(void *userdata);
    void *userdata;
    LIST_ENTRY(FileWatch) entries;
};

struct FileWatches {
    sd_event *event;
    int fd; /* -1 before the first watch */
    sd_event_source *io;
    LIST_HEAD(, FileWatch) list;
};

/* wd -1: the kernel has dropped events, so all files count. */
static void note_change(FileWatches *s, int wd) {
    FileWatch *w;

    LIST_FOREACH(w, &s->list, entries)
    w->changed |= wd < 0 || w->wd == wd;
}

static void note_changes(FileWatches *s) {
    union {
        struct inotify_event event;
        char bytes[4096];
    } buf;
    ssize_t n;

    while ((n = read(s->fd, &buf, sizeof(buf))) > 0)
        for (const char *p = buf.bytes; p < buf.bytes + n;) {
            struct inotify_event event;

            memcpy(&event, p, sizeof(event));
            note_change(s, event.wd);
            p += sizeof(event) + event.len;
        }
}

static FileWatch *take_changed(FileWatches *s) {
    FileWatch *w;

    LIST_FOREACH(w, &s->list, entries)
    if (w->changed) {
        w->changed = false;
        return w;
    }
    return NULL;
}

static int on_io(sd_event_source *source, int fd, uint32_t events, void *userdata) {
    FileWatches *s = userdata;
    FileWatch *w;

    note_changes(s);
    while ((w = take_changed(s))) /* the callback may free watches */
        w->on_change(w->userdata);
    return 0;
}

static int open_inotify(FileWatches *s) {
    int r;

    if (s->fd >= 0)
        return 0;
    s->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (s->fd < 0)
        return -errno;
    r = sd_event_add_io(s->event, &s->io, s->fd, EPOLLIN, on_io, s);
    if (r >= 0)
        r = sd_event_source_set_ratelimit(s->io, INTERVAL_USEC, FILE_WATCH_LOOKS_MAX);
    if (r < 0) {
        s->io = sd_event_source_disable_unref(s->io);
        s->fd = safe_close(s->fd);
    }
    return r;
}

int file_watch_new(FileWatches *s, int fd, void (*on_change)(void *userdata), void *userdata,
                   FileWatch **ret) {
    _cleanup_free_ FileWatch *w = calloc(1, sizeof(*w));
    char path[sizeof("/proc/self/fd/") + 16];

    if (!w)
        return -ENOMEM;
    TRY(open_inotify(s));
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    *w = (FileWatch){.set = s, .on_change = on_change, .userdata = userdata};
    w->wd = inotify_add_watch(s->fd, path, IN_MODIFY | IN_MASK_CREATE);
    if (w->wd < 0)
        return -errno;
    LIST_INSERT_HEAD(&s->list, w, entries);
    *ret = TAKE_PTR(w);
    return 0;
}

FileWatch *file_watch_free(FileWatch *w) {
    if (!w)
        return NULL;
    (void)inotify_rm_watch(w->set->fd, w->wd);
    LIST_REMOVE(w, entries);
    free(w);
    return NULL;
}

int file_watches_new(sd_event *event, FileWatches **ret) {
    FileWatches *s = calloc(1, sizeof(*s));

    if (!s)
        return -ENOMEM;
    s->event = event;
    s->fd = -1;
    LIST_INIT(&s->list);
    *ret = s;
    return 0;
}

FileWatches *file_watches_free(FileWatches *s) {
    if (!s)
        return NULL;
    sd_event_source_disable_unref(s->io);
    safe_close(s->fd);
    free(s);
    return NULL;
}
