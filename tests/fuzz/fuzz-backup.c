/* SPDX-License-Identifier: Apache-2.0 */
/* What dcm-backup reads: a request of each command, a record, the name of an object. What is
 * accepted is within the bounds; a record is the same after it was written and read again. */
#include "backup/content.h"
#include "backup/record.h"
#include "backup/request.h"
#include "basic/bounds.h"
#include "fuzz.h"

static bool is_path(const char *path) {
    return *path == '/' && !strstr(path, "//") && !strstr(path, "/../");
}

static void check_request(BackupCommand command, struct json_object *o) {
    _cleanup_free_ char *problem = NULL;
    BackupRequest q;
    Series s;
    int r = backup_request_parse(command, o, &q, &problem);

    CHECK(r == 0 || r == -EINVAL);
    CHECK((r == 0) == (problem == NULL));
    if (r < 0)
        return;
    for (char **p = q.paths; p && *p; p++)
        CHECK(is_path(*p));
    CHECK(!q.service_id || (!strchr(q.service_id, '/') && *q.service_id != '.'));
    CHECK(!q.target || (is_path(q.target) && q.target[1]));
    CHECK(q.retain.newest <= BACKUP_KEPT_MAX && q.retain.months <= BACKUP_KEPT_MAX);
    for (char **k = q.recipients; k && *k; k++)
        CHECK(**k != '-' && strlen(*k) <= BACKUP_RECIPIENT_MAX);
    r = backup_request_series(&q, &s);
    CHECK(r == 0 || r == -ENOENT);
    if (r == 0) {
        CHECK(!strchr(s.id, '/') && !strchr(s.prefix, '/'));
        series_done(&s);
    }
    backup_request_done(&q);
}

static void check_record(struct json_object *o) {
    _cleanup_json_ struct json_object *first = NULL, *second = NULL;
    Record r, again;

    if (record_from_json(o, &r) < 0)
        return;
    CHECK(record_to_json(&r, &first) == 0);
    CHECK(record_from_json(first, &again) == 0);
    CHECK(record_to_json(&again, &second) == 0);
    CHECK(json_object_equal(first, second));
    record_done(&r);
    record_done(&again);
}

static void check_name(const char *name) {
    _cleanup_free_ char *object = NULL;
    uint64_t time = 0;
    Series s;

    CHECK(series_init(SERIES_SERVICE, "a1", NULL, &s) == 0);
    if (series_has(&s, name, &time)) {
        CHECK(series_object(&s, time, &object) == 0);
        CHECK(strcmp(object, name) == 0);
    }
    series_done(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    _cleanup_json_ struct json_object *o = NULL;
    _cleanup_free_ char *text = strndup((const char *)data, size);

    (void)content_type_of(data, size);
    if (text)
        check_name(text);
    if (json_parse_small((const char *)data, size, &o) < 0)
        return 0;
    for (int c = 0; c < _BACKUP_COMMAND_MAX; c++)
        check_request((BackupCommand)c, o);
    check_record(o);
    return 0;
}
