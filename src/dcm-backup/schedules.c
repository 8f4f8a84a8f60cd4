/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-backup/schedules.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "backup/schedule.h"
#include "basic/bounds.h"
#include "basic/fd-util.h"
#include "basic/file-util.h"
#include "basic/log.h"
#include "basic/memfd-util.h"
#include "basic/time-util.h"

#define UNITS "/etc/systemd/system"
#define STAMPS "/var/lib/systemd/timers"
#define SCHEDULES BACKUP_STATE_DIRECTORY "/schedules"
#define PROGRAM PKGLIBDIR "/dcm-backup"
#define SEALED_MAX ((size_t)1024 * 1024) /* systemd takes no more */

static int make_path(char **ret, const char *directory, const char *id, const char *suffix) {
    if (asprintf(ret, "%s%s%s", directory, id, suffix) >= 0)
        return 0;
    *ret = NULL;
    return -ENOMEM;
}

static int unit_path(char **ret, const char *id, const char *suffix) {
    return make_path(ret, UNITS "/" SCHEDULE_UNIT_PREFIX, id, suffix);
}

/* --- the calendar ------------------------------------------------------------------------------
 */

static int analyze(const char *calendar, uint64_t after_usec, char **ret) {
    _cleanup_(pipeline_freep) Pipeline *p =
        pipeline_new(now_usec(CLOCK_BOOTTIME) + 60 * USEC_PER_SEC);
    char base[48];
    const Stage stage = {
        .name = "systemd-analyze",
        .argv = (const char *const[]){"systemd-analyze", "calendar", base, "--", calendar, NULL},
    };
    int i, r;

    (void)snprintf(base, sizeof(base), "--base-time=@%llu",
                   (unsigned long long)(after_usec / USEC_PER_SEC));
    if (!p)
        return -ENOMEM;
    i = pipeline_add(p, &stage);
    r = i < 0 ? i : pipeline_run(p);
    if (r < 0)
        return r;
    *ret = strdup(pipeline_output(p, i, NULL));
    return *ret ? 0 : -ENOMEM;
}

/* "Next elapse: Wed 2026-12-02 00:00:00 CET", and below it "(in UTC): ..." unless it is UTC. */
int schedule_next(const char *calendar, uint64_t after_usec, uint64_t *ret_usec) {
    _cleanup_free_ char *text = NULL;
    const char *line;
    struct tm tm = {};
    time_t seconds;

    TRY(analyze(calendar, after_usec, &text));
    line = strstr(text, "(in UTC): ");
    line = line ? line + strlen("(in UTC): ") : strstr(text, "Next elapse: ");
    if (!line)
        return -ENODATA; /* never again */
    if (strncmp(line, "Next", 4) == 0)
        line += strlen("Next elapse: ");
    line = strchr(line, ' ');
    if (!line || !strptime(line + 1, "%Y-%m-%d %H:%M:%S", &tm))
        return -ENODATA;
    seconds = timegm(&tm);
    if (seconds < 0)
        return -ENODATA;
    *ret_usec = (uint64_t)seconds * USEC_PER_SEC;
    return 0;
}

int schedule_validate(Work *w) {
    const char *calendar = w->request.schedule;
    uint64_t next;
    int r;

    if (!calendar)
        return 0;
    r = schedule_next(calendar, now_usec(CLOCK_REALTIME), &next);
    if (r == -ENODATA)
        return work_fail(w, "bad-argument", "schedule is never again: %s", calendar);
    if (r == -EIO)
        return work_fail(w, "bad-argument",
                         "schedule is no calendar event that systemd understands: %s; 'man "
                         "systemd.time' describes them, such as daily or \"Mon..Fri 02:30\"",
                         calendar);
    return r;
}

/* --- what is known of a schedule ---------------------------------------------------------------
 */

/* Without secrets, for people and the status. */
static int write_description(Work *w, const char *id) {
    _cleanup_json_ struct json_object *o = json_object_new_object();
    _cleanup_free_ char *path = NULL, *text = NULL;
    size_t size = 0;

    if (!o)
        return -ENOMEM;
    TRY(json_add_string(o, "name", id));
    TRY(json_add_string(o, "command", backup_command_name(w->request.command)));
    TRY(json_add_string(o, "kind", series_kind_names[w->series.kind]));
    TRY(json_add_string(o, "prefix", w->series.prefix));
    TRY(json_add_string(o, "schedule", w->request.schedule));
    TRY(json_add_int(o, "schedule_delay", w->request.delay_sec));
    TRY(json_add_int(o, "made_usec", (int64_t)now_usec(CLOCK_REALTIME)));
    TRY(json_encode(o, &text, &size));
    TRY(make_path(&path, SCHEDULES "/", id, ".json"));
    return write_file_atomic(path, text, size, 0600);
}

static int read_description(const char *id, struct json_object **ret) {
    _cleanup_free_ char *path = NULL, *text = NULL;
    size_t size = 0;

    TRY(make_path(&path, SCHEDULES "/", id, ".json"));
    TRY(read_file_at(AT_FDCWD, path, BACKUP_RECORD_MAX, &text, &size));
    TRY(json_parse_small(text, size, ret));
    return json_object_is_type(*ret, json_type_object) ? 0 : -EBADMSG;
}

int schedule_series(const char *id, Series *ret) {
    _cleanup_json_ struct json_object *o = NULL;
    const char *kind;
    SeriesKind k = 0;

    TRY(read_description(id, &o));
    kind = strempty(json_get_string(o, "kind"));
    while (k < _SERIES_KIND_MAX && !streq(series_kind_names[k], kind))
        k++;
    if (k == _SERIES_KIND_MAX || !json_get_string(o, "prefix"))
        return -EBADMSG;
    *ret = (Series){k, strdup(id), strdup(json_get_string(o, "prefix"))};
    return ret->id && ret->prefix ? 0 : -ENOMEM;
}

int schedule_calendar(const char *id, char **ret, unsigned *ret_delay_sec,
                      uint64_t *ret_made_usec) {
    _cleanup_json_ struct json_object *o = NULL;
    int64_t delay = 0, made = 0;

    TRY(read_description(id, &o));
    if (!json_get_string(o, "schedule"))
        return -EBADMSG;
    (void)json_to_integer(json_get(o, "schedule_delay"), &delay);
    (void)json_to_integer(json_get(o, "made_usec"), &made);
    *ret_delay_sec = (unsigned)delay;
    *ret_made_usec = (uint64_t)made;
    return free_and_strdup(ret, json_get_string(o, "schedule"));
}

static int is_description(const struct dirent *e) {
    const size_t size = strlen(e->d_name);

    return e->d_name[0] != '.' && size > 5 && streq(e->d_name + size - 5, ".json");
}

int schedule_visit(int (*visit)(const char *id, void *userdata), void *userdata) {
    struct dirent **list = NULL;
    const int n = scandir(SCHEDULES, &list, is_description, alphasort);
    int r = 0;

    if (n < 0)
        return errno == ENOENT ? 0 : -errno;
    for (int i = 0; i < n; i++) {
        list[i]->d_name[strlen(list[i]->d_name) - 5] = 0;
        if (r >= 0)
            r = visit(list[i]->d_name, userdata);
        free(list[i]);
    }
    free(list);
    return r;
}

/* --- the sealed request ------------------------------------------------------------------------
 */

/* The command and its arguments without the schedule itself. */
static int make_request(Work *w, char **ret, size_t *ret_size) {
    _cleanup_json_ struct json_object *o = json_object_new_object(), *arguments = NULL;

    if (json_object_deep_copy(w->arguments, &arguments, NULL) < 0 || !o)
        return -ENOMEM;
    json_object_object_del(arguments, "schedule");
    json_object_object_del(arguments, "schedule_delay");
    TRY(json_add_string(o, "command", backup_command_name(w->request.command)));
    TRY(json_add(o, "arguments", TAKE_PTR(arguments)));
    return json_encode(o, ret, ret_size);
}

static int flush_and_rename(const char *from, const char *to) {
    _cleanup_close_ int fd = open(from, O_RDONLY | O_CLOEXEC);

    if (fd < 0 || fchmod(fd, 0600) < 0 || fsync(fd) < 0)
        return -errno;
    return rename(from, to) < 0 ? -errno : 0;
}

static int encrypt(Work *w, int fd, const char *to) {
    static const char name[] = "--name=" SCHEDULE_CREDENTIAL;
    _cleanup_(pipeline_freep) Pipeline *p = pipeline_new(w->deadline_usec);
    const Stage stage = {
        .name = "systemd-creds",
        .argv = (const char *const[]){"systemd-creds", "encrypt", name, "/dev/fd/3", to, NULL},
        .fds = {fd},
        .n_fds = 1,
    };
    int r;

    if (!p)
        return -ENOMEM;
    r = pipeline_add(p, &stage);
    if (r >= 0)
        r = pipeline_run(p);
    return r < 0 && r != -ENOMEM ? work_fail_pipeline(w, p) : MIN(r, 0);
}

static int seal(Work *w, const char *path) {
    _cleanup_free_ char *text = NULL, *new = NULL;
    _cleanup_close_ int fd = -1;
    size_t size = 0;
    int r;

    TRY(make_request(w, &text, &size));
    r = memfd_new_sealed("dcm-backup-request", text, size, &fd);
    explicit_bzero(text, size);
    TRY(r);
    if (size > SEALED_MAX)
        return work_fail(w, "bad-argument", "The request is too large to be kept: %zu bytes", size);
    TRY(make_path(&new, path, "", ".new"));
    (void)unlink(new);
    TRY(encrypt(w, fd, new));
    r = flush_and_rename(new, path);
    return r < 0 ? work_fail(w, "failed", "%s cannot be written: %s", path, strerror(-r)) : 0;
}

int schedule_read_request(BackupCommand *ret_command, struct json_object **ret_arguments) {
    const char *directory = getenv("CREDENTIALS_DIRECTORY");
    _cleanup_free_ char *path = NULL, *text = NULL;
    _cleanup_json_ struct json_object *o = NULL;
    BackupCommand command;
    size_t size = 0;
    int r;

    if (isempty(directory))
        return log_error_errno(-EINVAL, "There is no sealed request: systemd starts this");
    TRY(make_path(&path, directory, "/" SCHEDULE_CREDENTIAL, ""));
    r = read_file_at(AT_FDCWD, path, SEALED_MAX, &text, &size);
    if (r >= 0)
        r = json_parse_stored(text, size, &o);
    if (text)
        explicit_bzero(text, size);
    (void)unsetenv("CREDENTIALS_DIRECTORY"); /* programs that run here have no use for it */
    if (r < 0)
        return log_error_errno(r, "The sealed request cannot be read: %m");
    command = backup_command_of(strempty(json_get_string(o, "command")));
    if (command < 0 || !json_get(o, "arguments"))
        return log_error_errno(-EBADMSG, "The sealed request cannot be understood: %m");
    *ret_command = command;
    *ret_arguments = json_object_get(json_get(o, "arguments"));
    return 0;
}

/* --- units -------------------------------------------------------------------------------------
 */

static int write_unit(Work *w, const char *id, const char *suffix, const char *text) {
    _cleanup_free_ char *path = NULL;
    int r;

    TRY(unit_path(&path, id, suffix));
    r = write_file_atomic(path, text, strlen(text), 0644);
    return r < 0 ? work_fail(w, "failed", "%s cannot be written: %s", path, strerror(-r)) : 0;
}

/* When the timer has elapsed last: another timer of that name would make up for it at once. */
static void remove_stamp(const char *timer) {
    _cleanup_free_ char *path = NULL;

    if (asprintf(&path, STAMPS "/stamp-%s", timer) >= 0)
        (void)unlink(path);
}

static int enable(Work *w, const char *id) {
    _cleanup_free_ char *timer = NULL;

    if (asprintf(&timer, SCHEDULE_UNIT_PREFIX "%s.timer", id) < 0) {
        timer = NULL;
        return -ENOMEM;
    }
    TRY(work_tool(w, (const char *const[]){"systemctl", "daemon-reload", NULL}, NULL));
    TRY(work_tool(w, (const char *const[]){"systemctl", "enable", "-q", timer, NULL}, NULL));
    /* one that runs takes its new time */
    TRY(work_tool(w, (const char *const[]){"systemctl", "stop", "-q", timer, NULL}, NULL));
    remove_stamp(timer);
    return work_tool(w, (const char *const[]){"systemctl", "start", timer, NULL}, NULL);
}

static int make_directories(Work *w) {
    if ((mkdir(BACKUP_STATE_DIRECTORY, 0755) < 0 && errno != EEXIST) ||
        (mkdir(SCHEDULES, 0700) < 0 && errno != EEXIST))
        return work_fail(w, "failed", "%s cannot be made: %m", SCHEDULES);
    return 0;
}

int schedule_install(Work *w) {
    _cleanup_(schedule_units_done) ScheduleUnits units = {};
    _cleanup_free_ char *sealed = NULL;
    const BackupRequest *q = &w->request;
    const char *id = w->series.id;
    int r;

    if (!q->schedule)
        return 0;
    TRY(make_directories(w));
    TRY(make_path(&sealed, SCHEDULES "/", id, ".cred"));
    TRY(seal(w, sealed));
    TRY(schedule_make_units(id, q->schedule, q->delay_sec, sealed, PROGRAM, &units));
    TRY(write_unit(w, id, ".service", units.service));
    TRY(write_unit(w, id, ".timer", units.timer));
    r = write_description(w, id);
    if (r < 0)
        return work_fail(w, "failed", "The schedule %s cannot be kept: %s", id, strerror(-r));
    TRY(enable(w, id));
    return work_note(w,
                     "The schedule %s (%s) is active; its request is sealed for this machine in %s",
                     id, q->schedule, sealed);
}

/* --- commands ----------------------------------------------------------------------------------
 */

static int add_next(struct json_object *o, const char *calendar) {
    uint64_t next;

    if (schedule_next(calendar, now_usec(CLOCK_REALTIME), &next) < 0)
        return json_add_null(o, "next");
    return json_add_int(o, "next", (int64_t)(next / USEC_PER_SEC));
}

static int add_schedule(const char *id, void *userdata) {
    struct json_object *list = userdata;
    _cleanup_json_ struct json_object *o = NULL;
    int r = read_description(id, &o);

    if (r == -ENOENT)
        return 0;
    if (r < 0)
        return log_warning_errno(r, "The schedule %s cannot be read: %m", id), 0;
    json_object_object_del(o, "made_usec");
    json_object_object_del(o, "kind");
    json_object_object_del(o, "prefix");
    TRY(add_next(o, strempty(json_get_string(o, "schedule"))));
    return json_object_array_add(list, TAKE_PTR(o)) < 0 ? -ENOMEM : 0;
}

int schedule_list(Work *w) {
    w->reply->reply_type = "backup_schedules";
    w->reply->object = json_object_new_array();
    return w->reply->object ? schedule_visit(add_schedule, w->reply->object) : -ENOMEM;
}

static int remove_file(Work *w, const char *path, bool *any) {
    if (unlink(path) == 0)
        *any = true;
    else if (errno != ENOENT)
        return work_fail(w, "failed", "%s cannot be removed: %m", path);
    return 0;
}

int schedule_remove(Work *w) {
    const char *id = w->request.name;
    _cleanup_free_ char *timer = NULL, *service = NULL, *sealed = NULL, *description = NULL,
                        *unit = NULL;
    bool any = false;

    TRY(unit_path(&timer, id, ".timer"));
    TRY(unit_path(&service, id, ".service"));
    TRY(make_path(&sealed, SCHEDULES "/", id, ".cred"));
    TRY(make_path(&description, SCHEDULES "/", id, ".json"));
    if (asprintf(&unit, SCHEDULE_UNIT_PREFIX "%s.timer", id) < 0) {
        unit = NULL;
        return -ENOMEM;
    }
    if (access(timer, F_OK) == 0)
        TRY(work_tool(w, (const char *const[]){"systemctl", "disable", "-q", "--now", unit, NULL},
                      NULL));
    remove_stamp(unit);
    TRY(remove_file(w, timer, &any));
    TRY(remove_file(w, service, &any));
    TRY(remove_file(w, sealed, &any));
    TRY(remove_file(w, description, &any));
    if (!any)
        return work_fail(w, "no-such-schedule",
                         "There is no schedule %s; list_schedules lists them", id);
    TRY(work_tool(w, (const char *const[]){"systemctl", "daemon-reload", NULL}, NULL));
    return work_note(w, "The schedule %s was removed", id);
}
