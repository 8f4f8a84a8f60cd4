/* SPDX-License-Identifier: Apache-2.0 */
/*
 *   inotify ─▶ timer ─▶ look(): one piece of the file ─▶ alerts and mark behind them: one commit
 *                ▲        │
 *                └────────┘ at once: more to read; a moment later: is the last alert complete?
 *
 * The mark is the position up to which alerts are stored. Each look reads again from the mark on,
 * so that no state is in memory alone. A rotated file is first read to its end: it is still open,
 * or is found by the mark; then the files rotated after it, the earliest first. A truncated file is
 * read from its beginning, and its unread part is searched in a copy beside it.
 *
 * Nothing marks the end of the file's last alert. It ends with an empty line, but so may some of
 * its lines; so it counts as complete when the file has not grown for a moment, and without an
 * empty line for a longer one. */
#include "alert/intrusion.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "alert/file.h"
#include "alert/log.h"
#include "basic/bounds.h"
#include "basic/fd-util.h"
#include "basic/log-fields.h"
#include "basic/log.h"
#include "basic/ratelimit.h"
#include "basic/time-util.h"
#include "basic/timer.h"
#include "system/file-watch.h"
#include "system/name-watch.h"

#define FACT "alert_file"
#define SILENCE_USEC USEC_PER_SEC                   /* after it an alert is complete ... */
#define SILENCE_UNFINISHED_USEC (10 * USEC_PER_SEC) /* ... without an empty line */
#define RETRY_USEC (5 * USEC_PER_SEC)
#define NEVER UINT64_MAX
#define BATCH_MAX 256u /* alerts in one commit */

struct Intrusion {
    sd_event *event;
    Alerts *alerts;
    char *path; /* NULL: off */
    uint64_t gap_usec;
    int threshold;
    FileWatches *watches;
    FileWatch *watch; /* of the open file; none while a look is scheduled */
    NameWatch *name;
    sd_event_source *timer;
    int fd;                    /* -1: no open file */
    bool all_read;             /* nothing followed `mark` at the last look */
    bool has_mark;             /* `mark` is stored, by this or an earlier process */
    AlertMark mark;            /* in `fd`, or before it is open, in the file to find */
    uint64_t read_usec;        /* start of the last read; CLOCK_BOOTTIME, like all here */
    uint64_t size, grown_usec; /* size of the file, and since when */
    AlertFiles done;           /* rotated files that were read on the way to the current one */
    int problem;               /* last one logged */
    bool told_absent;
    RateLimit broken; /* limits log entries about invalid alerts */
};

static void on_change(void *userdata);

static void look_at(Intrusion *i, uint64_t usec) {
    if (usec < timer_get_time(i->timer))
        (void)timer_arm(i->timer, usec);
}

static void look_in(Intrusion *i, uint64_t usec) {
    look_at(i, now_usec(CLOCK_BOOTTIME) + usec);
}

/* Schedules a look, not before the gap has passed. */
static void look_again(Intrusion *i) {
    look_at(i, MAX(now_usec(CLOCK_BOOTTIME), i->read_usec + i->gap_usec));
}

static void close_file(Intrusion *i) {
    i->watch = file_watch_free(i->watch);
    i->fd = safe_close(i->fd);
}

static void say_problem(Intrusion *i, int error) {
    if (error == i->problem)
        return;
    i->problem = error;
    if (error == -EACCES || error == -EPERM)
        (void)log_struct(LOG_WARNING, error, LOG_FIELDS(LOG_ID(DCM_MESSAGE_ALERT_FILE)),
                         "The alert file %s cannot be read: %m. Let the agent into its group, for "
                         "instance by SupplementaryGroups=ossec in the [Service] section of "
                         "\"systemctl edit dcm-agent\", and restart it",
                         i->path);
    else
        (void)log_struct(LOG_WARNING, error, LOG_FIELDS(LOG_ID(DCM_MESSAGE_ALERT_FILE)),
                         "The alert file %s cannot be read: %m", i->path);
}

/* The user's limit of watches may be reached, for instance. */
static int say_unwatched(Intrusion *i, int error) {
    if (error >= 0 || error == i->problem)
        return error;
    i->problem = error;
    return log_struct(LOG_WARNING, error, LOG_FIELDS(LOG_ID(DCM_MESSAGE_ALERT_FILE)),
                      "inotify cannot watch the alert file %s: %m; retrying", i->path);
}

static void say_absent(Intrusion *i) {
    if (!i->told_absent)
        log_notice("Alert file %s does not exist yet; waiting for it", i->path);
    i->told_absent = true;
}

static void say_other(Intrusion *i) {
    if (i->all_read)
        log_info("The alert file %s was truncated; reading it from the start", i->path);
    else
        (void)log_struct(LOG_WARNING, 0, LOG_FIELDS(LOG_ID(DCM_MESSAGE_ALERT_FILE)),
                         "The alert file %s was replaced, and its predecessor is not in the same "
                         "directory: alerts that were not read from it are lost",
                         i->path);
}

static void say_broken(Intrusion *i, uint64_t offset) {
    unsigned missed;

    if (!ratelimit_below(&i->broken, &missed))
        return;
    if (missed > 0)
        log_warning("%u more alerts in %s could not be parsed", missed, i->path);
    (void)log_struct(LOG_WARNING, 0, LOG_FIELDS(LOG_ID(DCM_MESSAGE_ALERT_FILE)),
                     "In %s, the alert at byte %llu could not be parsed and was skipped", i->path,
                     (unsigned long long)offset);
}

static void on_name(void *userdata) {
    Intrusion *i = userdata;

    i->name = name_watch_free(i->name); /* a nearer directory may exist now */
    look_in(i, 0);
}

static int watch_name(Intrusion *i) {
    return i->name ? 0 : name_watch_new(i->event, i->path, on_name, i, &i->name);
}

static void take_file(Intrusion *i, int fd) {
    close_file(i);
    i->fd = fd;
    i->problem = 0;
    i->told_absent = false;
    i->size = 0;
    i->all_read = false;
}

/* Stores the new mark, and alerts if any. */
static int store(Intrusion *i, const LoggedAlert *list, size_t n, const AlertMark *mark) {
    char text[ALERT_MARK_TEXT_SIZE];
    Alert alerts[BATCH_MAX];

    for (size_t k = 0; k < n; k++)
        alerts[k] = list[k].alert;
    alert_mark_to_string(mark, text);
    TRY(alerts_add(i->alerts, alerts, n, i->threshold, FACT, text));
    i->mark = *mark;
    i->has_mark = true;
    return 0;
}

/* Begins the file at the path, from its start. */
static int begin_file(Intrusion *i, int fd) {
    AlertMark mark = {};
    int r;

    take_file(i, fd);
    r = alert_mark_make(fd, 0, &mark);
    if (r >= 0)
        r = store(i, NULL, 0, &mark);
    if (r < 0)
        close_file(i);
    return r;
}

/* Begins the next file after that of the mark: one rotated since, or the one at the path. */
static int begin_next(Intrusion *i) {
    int fd;

    TRY(alert_file_find_next(i->path, &i->mark, &i->done, &fd));
    if (alert_mark_matches(&i->mark, fd) <= 0)
        return begin_file(i, fd);
    take_file(i, fd); /* begun already */
    return 0;
}

/* Resumes at the mark, even if its file has been rotated. */
static int open_file(Intrusion *i) {
    _cleanup_close_ int fd = -1, former = -1;
    int r;

    r = alert_file_open(i->path, &fd);
    if (r < 0 && (r != -ENOENT || !i->has_mark))
        return r;
    if (!i->has_mark)
        return begin_file(i, TAKE_FD(fd));
    r = fd < 0 ? 0 : alert_mark_matches(&i->mark, fd);
    if (r < 0)
        return r;
    if (r > 0 && i->mark.offset == 0) /* perhaps a copy has its former content */
        return begin_next(i);
    if (r > 0) {
        take_file(i, TAKE_FD(fd));
        return 0;
    }
    if (alert_file_find(i->path, &i->mark, &former) >= 0) {
        take_file(i, TAKE_FD(former));
        return 0;
    }
    if (fd < 0)
        return -ENOENT;
    say_other(i);
    return begin_next(i);
}

/* 1: another file has the name now; -ENOENT: none has it yet */
static int was_rotated(const Intrusion *i) {
    struct stat named, st;

    if (stat(i->path, &named) < 0 || fstat(i->fd, &st) < 0)
        return -errno;
    return named.st_ino != st.st_ino || named.st_dev != st.st_dev;
}

/* Leaves the bytes after the last complete alert for the next look. */
static int take_alerts(Intrusion *i, const char *buf, size_t size, bool is_last, size_t *ret_size) {
    LoggedAlert list[BATCH_MAX] = {};
    bool in_line = i->mark.in_line;
    size_t done = 0, taken, n = 0;
    AlertMark mark;
    int r;

    do {
        r = alert_log_take(buf + done, size - done, in_line, is_last, &taken, &list[n]);
        if (r == -EBADMSG)
            say_broken(i, i->mark.offset + done);
        else if (r < 0)
            break;
        n += r > 0;
        done += taken;
        in_line = taken > 0 ? !alert_log_ends_line(buf[done - 1]) : in_line;
    } while (taken > 0 && done < size && n < BATCH_MAX);
    r = r == -EBADMSG ? 0 : MIN(r, 0);
    if (r >= 0 && done > 0)
        r = alert_mark_advance(&i->mark, i->fd, buf, done, &mark);
    if (r >= 0 && done > 0)
        r = store(i, list, n, &mark);
    if (r == -ESTALE)
        r = 0; /* the next look finds the truncated file */
    for (size_t k = 0; k < n; k++)
        logged_alert_done(&list[k]);
    *ret_size = done;
    return r;
}

static bool is_complete(const Intrusion *i, const char *buf, size_t size, uint64_t *ret_wait_usec) {
    bool finished = size >= 2 && buf[size - 1] == '\n' && buf[size - 2] == '\n';
    uint64_t silent = now_usec(CLOCK_BOOTTIME) - i->grown_usec;
    uint64_t needed = finished ? SILENCE_USEC : SILENCE_UNFINISHED_USEC;

    *ret_wait_usec = silent < needed ? needed - silent : 0;
    return silent >= needed;
}

/* Searches the directory each time, because its files may have changed since this one was begun.
 * Remembers the files that were read: files with the same time would alternate for ever. */
static int switch_file(Intrusion *i) {
    const uint64_t inode = i->mark.inode;
    int r;

    r = was_rotated(i);
    if (r == -ENOENT)
        return 0; /* the next one brings a look */
    if (r == 0)
        i->done.n = 0;
    if (r <= 0)
        return r;
    TRY(begin_next(i));
    if (i->done.n < ELEMENTSOF(i->done.inodes))
        i->done.inodes[i->done.n++] = inode;
    return 1;
}

/* Handles the bytes after the last complete alert, and keeps a possible beginning of another
 * one. */
static int take_rest(Intrusion *i, const char *buf, size_t size) {
    uint64_t wait_usec;
    size_t done;

    if (!is_complete(i, buf, size, &wait_usec)) {
        look_in(i, wait_usec);
        return 0;
    }
    TRY(take_alerts(i, buf, size, true, &done));
    return done > 0 ? 1 : switch_file(i);
}

/* A file seen for the first time may have been silent for long. */
static void note_size(Intrusion *i, const struct stat *st) {
    uint64_t now = now_usec(CLOCK_BOOTTIME), today = now_usec(CLOCK_REALTIME),
             written = timespec_to_usec(&st->st_mtim), age = 0;

    if ((uint64_t)st->st_size == i->size)
        return;
    if (i->size == 0 && written < today)
        age = MIN(today - written, SILENCE_UNFINISHED_USEC);
    i->size = (uint64_t)st->st_size;
    i->grown_usec = now - MIN(now, age);
}

/* Reads one piece. 1: there may be more. */
static int read_piece(Intrusion *i) {
    _cleanup_free_ char *buf = malloc(ALERT_PIECE_MAX);
    struct stat st;
    size_t done = 0;
    ssize_t n;
    int r;

    if (!buf)
        return -ENOMEM;
    if (fstat(i->fd, &st) < 0)
        return -errno;
    note_size(i, &st);
    n = pread(i->fd, buf, ALERT_PIECE_MAX, (off_t)i->mark.offset);
    if (n < 0)
        return -errno;
    i->all_read = n == 0;
    if (n > 0) {
        r = take_alerts(i, buf, (size_t)n, false, &done);
        if (r < 0 || done > 0)
            return r < 0 ? r : 1;
        return take_rest(i, buf, (size_t)n);
    }
    return switch_file(i);
}

/* Sets the watch before reading, so that no later write is missed. */
static int watch_file(Intrusion *i) {
    return i->watch ? 0 : file_watch_new(i->watches, i->fd, on_change, i, &i->watch);
}

static int look(Intrusion *i) {
    int r;

    r = say_unwatched(i, watch_name(i));
    if (r >= 0 && i->fd >= 0 && (r = alert_mark_matches(&i->mark, i->fd)) == 0)
        close_file(i); /* truncated */
    if (r >= 0 && i->fd >= 0 && i->mark.offset == 0 && i->size == 0)
        close_file(i); /* perhaps truncated before its first look */
    if (r >= 0 && i->fd < 0)
        r = open_file(i);
    if (r >= 0)
        r = say_unwatched(i, watch_file(i));
    return r < 0 ? r : read_piece(i);
}

/* If a link leads to the file, the watched directory shows no rotation. */
static bool is_link(const char *path) {
    struct stat st;

    return lstat(path, &st) >= 0 && S_ISLNK(st.st_mode);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
    Intrusion *i = userdata;
    int r;

    if (!i->path)
        return 0;
    i->read_usec = now_usec(CLOCK_BOOTTIME);
    r = look(i);
    if (r > 0)
        look_in(i, 0); /* lets other event sources take their turn */
    else if (r == -ENOENT)
        say_absent(i);
    else if (r == -EACCES || r == -EPERM || r == -EINVAL)
        say_problem(i, r);
    else if (r < 0) {
        if (r != -EDQUOT) /* on_room() continues */
            look_in(i, RETRY_USEC);
        (void)log_debug_errno(r, "Reading the alert file failed: %m; retrying later");
    }
    if (is_link(i->path))
        look_in(i, RETRY_USEC);
    return 0;
}

/* Stops watching until the next look: otherwise a file that grows all the time would cause a
 * wake-up for each write. */
static void on_change(void *userdata) {
    Intrusion *i = userdata;

    i->watch = file_watch_free(i->watch);
    look_again(i);
}

static void on_room(void *userdata) {
    Intrusion *i = userdata;

    if (i->path)
        look_in(i, 0);
}

static int load_mark(Intrusion *i) {
    _cleanup_free_ char *text = NULL;
    int r;

    r = alerts_get_fact(i->alerts, FACT, &text);
    if (r >= 0 && text)
        i->has_mark = alert_mark_from_string(text, &i->mark) >= 0;
    return r;
}

int intrusion_configure(Intrusion *i, const char *path, uint64_t gap_usec, int threshold) {
    int r;

    i->gap_usec = gap_usec;
    i->threshold = threshold;
    if (streq_ptr(i->path, path))
        return 0;
    close_file(i);
    i->name = name_watch_free(i->name);
    i->problem = 0;
    i->told_absent = false;
    i->done.n = 0;
    r = free_and_strdup(&i->path, path);
    if (r >= 0 && path)
        look_in(i, 0);
    return r;
}

int intrusion_new(sd_event *event, Alerts *alerts, Intrusion **ret) {
    _cleanup_(intrusion_freep) Intrusion *i = calloc(1, sizeof(*i));

    if (!i)
        return -ENOMEM;
    i->event = event;
    i->alerts = alerts;
    i->fd = -1;
    i->broken = (RateLimit){.interval_usec = 60 * USEC_PER_SEC, .burst = 5};
    TRY(file_watches_new(event, &i->watches));
    TRY(timer_new(event, 1, on_timer, i, &i->timer));
    TRY(load_mark(i));
    alerts_set_on_room(alerts, on_room, i);
    *ret = TAKE_PTR(i);
    return 0;
}

Intrusion *intrusion_free(Intrusion *i) {
    if (!i)
        return NULL;
    alerts_set_on_room(i->alerts, NULL, NULL);
    close_file(i);
    file_watches_free(i->watches);
    name_watch_free(i->name);
    sd_event_source_disable_unref(i->timer);
    free(i->path);
    free(i);
    return NULL;
}
