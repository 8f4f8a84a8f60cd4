/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-executord/kept.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/inotify.h>

#include "basic/bounds.h"
#include "basic/file-util.h"
#include "basic/guid.h"

#define CGROUP_ROOT "/sys/fs/cgroup"
#define EVENTS_MAX ((size_t)4096)

struct Kept {
    Kept *next;
    Executord *manager;
    char unit[JOB_UNIT_SIZE];
    char *events; /* path of the group's cgroup.events */
    sd_event_source *source;
    void (*on_empty)(Executord *m, const char *unit);
};

static Kept *kept_free(Kept *k) {
    if (!k)
        return NULL;
    sd_event_source_disable_unref(k->source);
    free(k->events);
    free(k);
    return NULL;
}
DEFINE_CLEANUP(Kept *, kept_free)

static void unlink_kept(Kept *k) {
    for (Kept **p = &k->manager->kept; *p; p = &(*p)->next)
        if (*p == k) {
            *p = k->next;
            k->manager->n_kept--;
            return;
        }
}

/* A group that does not exist has no processes. */
static bool is_empty(const Kept *k) {
    _cleanup_free_ char *text = NULL;

    return read_file_at(AT_FDCWD, k->events, EVENTS_MAX, &text, NULL) < 0 ||
           !strstr(text, "populated 1");
}

static int on_change(sd_event_source *source, const struct inotify_event *event, void *userdata) {
    Kept *k = userdata;

    if (!is_empty(k))
        return 0;
    unlink_kept(k);
    k->on_empty(k->manager, k->unit);
    executord_check_idle(k->manager);
    kept_free(k);
    return 0;
}

/* Cuts the path at the unit, because processes may have made groups below it. */
static int make_path(const char *unit, const char *cgroup, char **ret) {
    const char *at = strstr(cgroup, unit);

    if (!at)
        return -EINVAL;
    return asprintf(ret, CGROUP_ROOT "%.*s/cgroup.events",
                    (int)((size_t)(at - cgroup) + strlen(unit)), cgroup) < 0
               ? -ENOMEM
               : 0;
}

static const Kept *find(const Executord *m, const char *unit) {
    for (const Kept *k = m->kept; k; k = k->next)
        if (streq(k->unit, unit))
            return k;
    return NULL;
}

int kept_watch(Executord *m, const char *unit, const char *cgroup,
               void (*on_empty)(Executord *m, const char *unit)) {
    _cleanup_(kept_freep) Kept *k = NULL;
    int r;

    if (find(m, unit))
        return 0;
    if (m->n_kept >= KEPT_UNITS_MAX)
        return -EBUSY;
    k = calloc(1, sizeof(*k));
    if (!k)
        return -ENOMEM;
    k->manager = m;
    k->on_empty = on_empty;
    (void)snprintf(k->unit, sizeof(k->unit), "%s", unit);
    r = make_path(unit, cgroup, &k->events);
    if (r >= 0)
        r = sd_event_add_inotify(m->event, &k->source, k->events, IN_MODIFY | IN_DELETE_SELF,
                                 on_change, k);
    if (r >= 0 && is_empty(k)) /* emptied meanwhile: no event will follow */
        r = -ESRCH;
    if (r < 0)
        return r;
    k->next = m->kept;
    m->kept = TAKE_PTR(k);
    m->n_kept++;
    return 0;
}

void kept_abandon(Executord *m) {
    Kept *next;

    for (Kept *k = m->kept; k; k = next) {
        next = k->next;
        kept_free(k);
    }
    m->kept = NULL;
    m->n_kept = 0;
}
