/* SPDX-License-Identifier: Apache-2.0 */
/*
 *   inotify ─▶ timer ─▶ look(): one piece of the file ─▶ alerts and mark behind them: one commit
 *                ▲        │
 *                └────────┘ at once: there is more; a moment later: is the last alert all there?
 *
 * The mark says up to where the alerts are stored. What follows it is read again each time, so that
 * nothing is in memory alone. A file that was rotated away is read to its end first: it is held
 * open, or found by the mark; then those that were rotated away after it, the earliest first. A
 * file that was cut is begun anew, and what was not read of it is looked for in a copy beside it.
 *
 * Nobody tells when the last alert of the file is complete. It ends with an empty line, but so may
 * some of its lines; so it counts when the file has not grown for a moment, and without an empty
 * line for a longer one. */
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
#define SILENCE_USEC USEC_PER_SEC                   /* after which an alert is complete ... */
#define SILENCE_UNFINISHED_USEC (10 * USEC_PER_SEC) /* ... also without an empty line */
#define RETRY_USEC (5 * USEC_PER_SEC)
#define NEVER UINT64_MAX
#define BATCH_MAX 256u /* alerts of one commit */

struct Intrusion {
    sd_event *event;
    Alerts *alerts;
    char *path; /* NULL: off */
    uint64_t gap_usec;
    int threshold;
    FileWatches *watches;
    FileWatch *watch; /* of the open file; there is none while a look is due */
    NameWatch *name;
    sd_event_source *timer;
    int fd;                    /* -1: there is none */
    bool all_read;             /* at the last look there was nothing behind `mark` */
    bool has_mark;             /* `mark` is stored, of this or an earlier process */
    AlertMark mark;            /* in `fd`, if that is open */
    uint64_t read_usec;        /* when the last read began; CLOCK_BOOTTIME, like all here */
    uint64_t size, grown_usec; /* how long the file was, since when */
    AlertFiles done;           /* those rotated away that were read on the way to the present one */
    int problem;               /* that was told */
    bool told_absent;
    RateLimit broken; /* alerts that are told not to be understood */
};

static void on_change(void *userdata);

static void look_at(Intrusion *i, uint64_t usec) {
    if (usec < timer_get_time(i->timer))
        (void)timer_arm(i->timer, usec);
}

static void look_in(Intrusion *i, uint64_t usec) {
    look_at(i, now_usec(CLOCK_BOOTTIME) + usec);
}

/* Something may be new: not oftener than that. */
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

/* As many watches as a user may have, for instance. */
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

    i->name = name_watch_free(i->name); /* there may be a nearer directory */
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

/* The new mark is stored, with alerts if there are some. */
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

/* The file that has the name, from its beginning. */
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

/* What comes after the mark, if that is not where the mark is: in what was rotated away since, or
 * at the path. */
static int begin_next(Intrusion *i) {
    int fd;

    TRY(alert_file_find_next(i->path, &i->mark, &i->done, &fd));
    if (alert_mark_matches(&i->mark, fd) <= 0)
        return begin_file(i, fd);
    take_file(i, fd); /* begun already */
    return 0;
}

/* Goes on where the mark is; in a file that was rotated away, if that is where it is. */
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
    if (r > 0 && i->mark.offset == 0) /* perhaps a copy has what was in it */
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

/* 1: the name belongs to another file by now */
static int was_rotated(const Intrusion *i) {
    struct stat named, st;

    if (stat(i->path, &named) < 0)
        return errno == ENOENT ? 0 : -errno;
    if (fstat(i->fd, &st) < 0)
        return -errno;
    return named.st_ino != st.st_ino || named.st_dev != st.st_dev;
}

/* What comes after the last alert of the buffer is left for the next look. */
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
        r = alert_mark_make(i->fd, i->mark.offset + done, &mark);
    if (r >= 0 && done > 0)
        r = store(i, list, n, &mark);
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

/* What is named in the directory may have changed since the file was begun, so it is looked at anew
 * each time; files of the same moment would follow each other for ever. */
static int switch_file(Intrusion *i) {
    const uint64_t inode = i->mark.inode;
    int r;

    r = was_rotated(i);
    if (r == 0)
        i->done.n = 0;
    if (r <= 0)
        return r;
    TRY(begin_next(i));
    if (i->done.n < ELEMENTSOF(i->done.inodes))
        i->done.inodes[i->done.n++] = inode;
    return 1;
}

/* What is behind the last whole alert. What may be the beginning of another one stays. */
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

/* A file that was not seen before may have been silent for long. */
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

/* One piece. 1: there may be more. */
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

/* Watched before it is read: what comes after the read is told. */
static int watch_file(Intrusion *i) {
    return i->watch ? 0 : file_watch_new(i->watches, i->fd, on_change, i, &i->watch);
}

static int look(Intrusion *i) {
    int r;

    r = say_unwatched(i, watch_name(i));
    if (r >= 0 && i->fd >= 0 && (r = alert_mark_matches(&i->mark, i->fd)) == 0)
        close_file(i); /* it was cut */
    if (r >= 0 && i->fd >= 0 && i->mark.offset == 0 && i->size == 0)
        close_file(i); /* perhaps it was cut before anything of it was seen */
    if (r >= 0 && i->fd < 0)
        r = open_file(i);
    if (r >= 0)
        r = say_unwatched(i, watch_file(i));
    return r < 0 ? r : read_piece(i);
}

/* Of what is rotated where a link leads to, the directory of the link tells nothing. */
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
        look_in(i, 0); /* others have their turn in between */
    else if (r == -ENOENT)
        say_absent(i);
    else if (r == -EACCES || r == -EPERM || r == -EINVAL)
        say_problem(i, r);
    else if (r < 0) {
        if (r != -EDQUOT) /* on_room() goes on */
            look_in(i, RETRY_USEC);
        (void)log_debug_errno(r, "Reading the alert file failed: %m; retrying later");
    }
    if (is_link(i->path))
        look_in(i, RETRY_USEC);
    return 0;
}

/* Not told of again before the next look: a file that grows all the time would wake us each time.
 */
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
