/* SPDX-License-Identifier: Apache-2.0 */
/* Each second at most JOB_LINES_MAX lines of a job's files are sent; then reading resumes. As many
 * may come over the socket, and further calls wait: neither source stops the other. If a file is
 * more than JOB_LINES_BEHIND_MAX bytes ahead by then, the older part is skipped and reported: so a
 * job that writes without end costs no more than one that writes a little. */
#include "job/voice.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "basic/bounds.h"
#include "basic/fd-util.h"
#include "basic/guid.h"
#include "basic/log-fields.h"
#include "basic/log.h"
#include "basic/time-util.h"
#include "basic/timer.h"
#include "job/follower.h"
#include "proto/text.h"

#define INTERVAL_USEC USEC_PER_SEC
/* Limits of the last lines, which are sent whatever was skipped before: of each file, and of all
 * files. */
#define BYTES_AT_END_MAX ((uint64_t)8192)
#define LINES_AT_END_MAX 1000u
#define N_FOLLOWERS (FOLLOWER_STDERR + 1)

struct Voice {
    const VoicePlace *place;
    char *guid, *command;
    char unit[JOB_UNIT_SIZE];
    ino_t directory; /* the followed one */
    Follower *followers[N_FOLLOWERS];
    sd_event_source *timer; /* end of the interval, while lines wait for it */
    uint64_t interval_end_usec;
    unsigned n_left, n_calls_left; /* lines in this interval, from files and from calls */
    int offsets_fd;
    JobProgress progress;
    uint64_t progress_told_usec;
    unsigned progress_told; /* percent */
};

/* Read positions: an agent that was restarted resumes there. */

static void open_offsets(Voice *x, uint64_t offsets[static N_FOLLOWERS]) {
    char name[JOB_NAME_SIZE], text[128] = "";

    if (x->place->directory_fd < 0)
        return;
    guid_to_job_name(x->guid, name);
    x->offsets_fd =
        openat(x->place->directory_fd, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (x->offsets_fd >= 0 && pread(x->offsets_fd, text, sizeof(text) - 1, 0) > 0)
        (void)sscanf(text, "%" SCNu64 " %" SCNu64 " %" SCNu64, &offsets[0], &offsets[1],
                     &offsets[2]);
}

static void note_offsets(const Voice *x) {
    uint64_t o[N_FOLLOWERS] = {};
    char text[128];
    int size;

    for (size_t i = 0; i < N_FOLLOWERS; i++)
        o[i] = x->followers[i] ? follower_get_offset(x->followers[i]) : 0;
    size = snprintf(text, sizeof(text), "%20" PRIu64 " %20" PRIu64 " %20" PRIu64 "\n", o[0], o[1],
                    o[2]);
    if (x->offsets_fd >= 0 && pwrite(x->offsets_fd, text, (size_t)size, 0) < 0)
        (void)log_debug_errno(errno, "The read position of %s cannot be saved: %m", x->unit);
}

/* Lines */

static void say(const Voice *x, int level, const char *text) {
    console_log_job(x->place->console, level, x->command, x->guid, text);
}

static const int levels[N_FOLLOWERS] = {
    [FOLLOWER_LOG] = LOG_DEBUG,
    [FOLLOWER_STDOUT] = LOG_INFO,
    [FOLLOWER_STDERR] = LOG_WARNING,
};

static void on_line(FollowerKind kind, const char *line, void *userdata) {
    say(userdata, levels[kind], line);
}

static void begin_interval(Voice *x, uint64_t now) {
    if (now < x->interval_end_usec)
        return;
    x->interval_end_usec = now + INTERVAL_USEC;
    x->n_left = x->n_calls_left = JOB_LINES_MAX;
}

static void wait_for_interval(Voice *x) {
    (void)sd_event_source_set_time(x->timer, x->interval_end_usec);
    (void)sd_event_source_set_enabled(x->timer, SD_EVENT_ONESHOT);
}

static void read_lines(Voice *x, Follower *f) {
    begin_interval(x, now_usec(CLOCK_BOOTTIME));
    if (follower_read(f, &x->n_left) > 0)
        wait_for_interval(x);
    note_offsets(x);
}

static void on_ready(Follower *f, void *userdata) {
    Voice *x = userdata;
    int enabled = SD_EVENT_OFF;

    (void)sd_event_source_get_enabled(x->timer, &enabled);
    if (enabled == SD_EVENT_OFF)
        read_lines(x, f);
}

static void tell_skipped(const Voice *x, uint64_t bytes) {
    char text[96];

    if (bytes == 0)
        return;
    (void)snprintf(text, sizeof(text), "%" PRIu64 " bytes arrived too fast and were omitted here.",
                   bytes);
    say(x, LOG_WARNING, text);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
    Voice *x = userdata;
    uint64_t skipped = 0;

    for (size_t i = 0; i < N_FOLLOWERS; i++)
        if (x->followers[i])
            skipped += follower_skip(x->followers[i], JOB_LINES_BEHIND_MAX);
    tell_skipped(x, skipped);
    for (size_t i = 0; i < N_FOLLOWERS; i++)
        if (x->followers[i])
            read_lines(x, x->followers[i]);
    return 0;
}

Voice *voice_free(Voice *x) {
    if (!x)
        return NULL;
    for (size_t i = 0; i < N_FOLLOWERS; i++)
        follower_free(x->followers[i]);
    sd_event_source_disable_unref(x->timer);
    safe_close(x->offsets_fd);
    free(x->guid);
    free(x->command);
    free(x);
    return NULL;
}
int voice_new(const VoicePlace *place, const char *guid, const char *command, Voice **ret) {
    _cleanup_(voice_freep) Voice *x = calloc(1, sizeof(*x));

    if (!x)
        return -ENOMEM;
    x->place = place;
    x->offsets_fd = -1;
    x->guid = strdup(guid);
    x->command = strdup(command);
    if (!x->guid || !x->command)
        return -ENOMEM;
    guid_to_unit_name(guid, x->unit);
    TRY(timer_new(place->event, 0, on_timer, x, &x->timer));
    *ret = TAKE_PTR(x);
    return 0;
}

/* Does nothing if the console's level hides the lines. If one file cannot be followed, the others
 * are. */
static void follow_files(Voice *x, int dir_fd, bool stream) {
    static const FollowerCallbacks callbacks = {.on_line = on_line, .on_ready = on_ready};
    uint64_t offsets[N_FOLLOWERS] = {};
    int r;

    for (FollowerKind k = 0; k < N_FOLLOWERS; k++) {
        if ((k != FOLLOWER_LOG && !stream) || !console_takes(x->place->console, levels[k]))
            continue;
        if (x->offsets_fd < 0)
            open_offsets(x, offsets);
        r = follower_new(x->place->watches, dir_fd, k, offsets[k], &callbacks, x, &x->followers[k]);
        if (r < 0)
            (void)log_struct(LOG_DEBUG, r, LOG_FIELDS(LOG_REQUEST(x->guid)),
                             "An output file of %s cannot be followed: %m", x->unit);
        else
            read_lines(x, x->followers[k]);
    }
}

void voice_follow(Voice *x, int dir_fd, bool stream) {
    struct stat st = {};

    (void)fstat(dir_fd, &st);
    if (x->directory == st.st_ino)
        return;
    for (size_t i = 0; i < N_FOLLOWERS; i++) /* of a directory that does not exist any more */
        x->followers[i] = follower_free(x->followers[i]);
    x->directory = st.st_ino;
    follow_files(x, dir_fd, stream);
}

void voice_end(Voice *x) {
    unsigned n = LINES_AT_END_MAX;
    char name[JOB_NAME_SIZE];
    uint64_t skipped = 0;

    for (size_t i = 0; i < N_FOLLOWERS; i++) {
        Follower *f = x->followers[i];

        if (!f)
            continue;
        follower_end(f);
        skipped += follower_skip(f, BYTES_AT_END_MAX);
    }
    tell_skipped(x, skipped);
    for (size_t i = 0; i < N_FOLLOWERS; i++)
        if (x->followers[i]) {
            (void)follower_read(x->followers[i], &n);
            follower_drain(x->followers[i], &n);
        }
    if (x->offsets_fd >= 0) {
        guid_to_job_name(x->guid, name);
        (void)unlinkat(x->place->directory_fd, name, 0);
    }
}

/* Calls over the socket */

static int copy_line(const char *text, char **ret) {
    size_t size = strnlen(text, JOB_LINE_MAX + 1);

    if (size > JOB_LINE_MAX)
        size = utf8_cut(text, JOB_LINE_MAX);
    return utf8_replace_invalid(text, size, ret);
}

int voice_log(Voice *x, int level, const char *text, uint64_t *ret_wait_usec) {
    uint64_t now = now_usec(CLOCK_BOOTTIME);
    _cleanup_free_ char *line = NULL;

    begin_interval(x, now);
    if (x->n_calls_left == 0) {
        *ret_wait_usec = x->interval_end_usec - now;
        return -EAGAIN;
    }
    TRY(copy_line(text, &line));
    x->n_calls_left--;
    say(x, level, line);
    return 0;
}

/* Once per second, and at 100 percent at once. */
static bool is_progress_due(const Voice *x, uint64_t now) {
    return now - x->progress_told_usec >= INTERVAL_USEC ||
           (x->progress.percent == 100 && x->progress_told < 100);
}

void voice_progress(Voice *x, unsigned percent, const char *text) {
    uint64_t now = now_usec(CLOCK_BOOTTIME);
    char line[JOB_PROGRESS_SIZE + 32];

    x->progress.is_known = true;
    x->progress.percent = percent;
    (void)utf8_format(x->progress.text, sizeof(x->progress.text), "%s", text);
    if (!is_progress_due(x, now))
        return;
    x->progress_told_usec = now;
    x->progress_told = percent;
    (void)utf8_format(line, sizeof(line), "%u %%%s%s", percent, *text ? ": " : "",
                      x->progress.text);
    say(x, LOG_INFO, line);
}

const char *voice_get_guid(const Voice *x) {
    return x->guid;
}

const char *voice_get_unit(const Voice *x) {
    return x->unit;
}

const JobProgress *voice_get_progress(const Voice *x) {
    return &x->progress;
}
