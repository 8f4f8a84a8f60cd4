/* SPDX-License-Identifier: Apache-2.0 */
#include "job/voices.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "basic/array.h"
#include "basic/bounds.h"
#include "basic/fd-util.h"
#include "basic/log-fields.h"
#include "basic/log.h"

struct Voices {
    VoicePlace place;
    Voice **of;
    size_t n, allocated;
    void (*on_progress)(void *userdata);
    void *observer;
};

static Voice *find(const Voices *v, const char *(*get)(const Voice *x), const char *name,
                   size_t *ret_index) {
    for (size_t i = 0; i < v->n; i++)
        if (streq(get(v->of[i]), name)) {
            if (ret_index)
                *ret_index = i;
            return v->of[i];
        }
    return NULL;
}

static int add(Voices *v, const char *guid, const char *command, Voice **ret) {
    /* NOLINTNEXTLINE(bugprone-sizeof-expression): the items are pointers */
    TRY(array_reserve(&v->of, &v->allocated, v->n + 1, JOBS_LISTED_MAX));
    TRY(voice_new(&v->place, guid, command, ret));
    v->of[v->n++] = *ret;
    return 0;
}

void voices_add(Voices *v, const char *guid, const char *command, int dir_fd, bool stream) {
    Voice *x = find(v, voice_get_guid, guid, NULL);
    int r;

    r = x ? 0 : add(v, guid, command, &x);
    if (r >= 0)
        voice_follow(x, dir_fd, stream);
    else
        (void)log_struct(LOG_WARNING, r, LOG_FIELDS(LOG_REQUEST(guid)),
                         "The output of %s cannot be followed: %m", guid);
}

void voices_remove(Voices *v, const char *guid) {
    size_t i;
    Voice *x = find(v, voice_get_guid, guid, &i);

    if (!x)
        return;
    voice_end(x);
    voice_free(x);
    v->of[i] = v->of[--v->n];
}

int voices_log(Voices *v, const char *unit, int level, const char *text, uint64_t *ret_wait_usec) {
    Voice *x = find(v, voice_get_unit, unit, NULL);

    return x ? voice_log(x, level, text, ret_wait_usec) : -ENOENT;
}

int voices_progress(Voices *v, const char *unit, unsigned percent, const char *text) {
    Voice *x = find(v, voice_get_unit, unit, NULL);

    if (!x)
        return -ENOENT;
    voice_progress(x, percent, text);
    if (v->on_progress)
        v->on_progress(v->observer);
    return 0;
}

void voices_set_observer(Voices *v, void (*on_progress)(void *userdata), void *userdata) {
    v->on_progress = on_progress;
    v->observer = userdata;
}

const JobProgress *voices_get_progress(const Voices *v, const char *guid) {
    const Voice *x = find(v, voice_get_guid, guid, NULL);

    return x ? voice_get_progress(x) : NULL;
}

int voices_new(sd_event *event, Console *console, const char *directory, Voices **ret) {
    _cleanup_(voices_freep) Voices *v = calloc(1, sizeof(*v));

    if (!v)
        return -ENOMEM;
    v->place = (VoicePlace){.event = event, .console = console, .directory_fd = -1};
    TRY(file_watches_new(event, &v->place.watches));
    if (directory && (mkdir(directory, 0700) >= 0 || errno == EEXIST))
        v->place.directory_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    *ret = TAKE_PTR(v);
    return 0;
}

Voices *voices_free(Voices *v) {
    if (!v)
        return NULL;
    for (size_t i = 0; i < v->n; i++)
        voice_free(v->of[i]);
    free(v->of);
    file_watches_free(v->place.watches);
    safe_close(v->place.directory_fd);
    free(v);
    return NULL;
}
