/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-backup/begun.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/bounds.h"
#include "basic/fd-util.h"
#include "basic/log.h"
#include "basic/time-util.h"
#include "dcm-backup/catalogue.h"
#include "dcm-backup/lock-file.h"
#include "dcm-backup/schedules.h"

/* The file of this invocation of the unit; NULL: it is none, or systemd does not say so. */
static char *marker(void) {
    const char *id = getenv("INVOCATION_ID");
    char *path;

    if (isempty(id) || strspn(id, "0123456789abcdef") != strlen(id) ||
        asprintf(&path, BACKUP_RUN_DIRECTORY "/begun-%s", id) < 0)
        return NULL;
    return path;
}

void begun_mark(void) {
    _cleanup_free_ char *path = marker();
    _cleanup_close_ int fd =
        path ? open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600) : -1;

    if (path && fd < 0)
        log_warning_errno(errno, "%s cannot be made: %m", path);
}

void begun_forget(void) {
    _cleanup_free_ char *path = marker();

    if (path)
        (void)unlink(path);
}

static int write_record(const char *id, const char *error) {
    _cleanup_(series_done) Series s = {};
    _cleanup_(record_done) Record r = {.is_scheduled = true, .outcome = RECORD_FAILED};
    char name[CATALOGUE_NAME_SIZE];

    TRY(schedule_series(id, &s));
    r.kind = s.kind;
    r.begin_usec = r.end_usec = now_usec(CLOCK_REALTIME);
    TRY(series_object(&s, r.begin_usec, &r.object));
    TRY(free_and_strdup(&r.series, id));
    TRY(free_and_strdup(&r.error, error));
    return catalogue_add(&r, name);
}

int begun_note(const char *id, const char *error) {
    const char *result = strempty(getenv("SERVICE_RESULT"));
    _cleanup_free_ char *path = marker(), *text = NULL;
    int r;

    if (path && access(path, F_OK) == 0)
        return 0;
    if (!error && (!*result || streq(result, "success")))
        return 0;
    if (!error && asprintf(&text,
                           "The scheduled backup did not begin (%s, status %s): journalctl -u "
                           "dcm-backup-%s.service says why",
                           result, strempty(getenv("EXIT_STATUS")), id) < 0)
        return -ENOMEM;
    r = write_record(id, error ?: text);
    if (r < 0)
        return log_error_errno(r, "That the backup %s did not begin cannot be noted: %m", id);
    begun_mark();
    return 0;
}
