/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-backup/catalogue.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/bounds.h"
#include "basic/fd-util.h"
#include "basic/file-util.h"
#include "basic/log.h"
#include "dcm-backup/lock-file.h"
#include "dcm-backup/work.h"

#define RECORDS BACKUP_STATE_DIRECTORY "/records"
#define SUFFIX ".json"
#define LOCK "catalogue"                   /* of changes */
#define LOCK_WAIT_USEC (60 * USEC_PER_SEC) /* nobody has it for long */

void catalogue_done(Catalogue *c) {
    for (size_t i = 0; i < c->n; i++)
        record_done(&c->entries[i].record);
    free(c->entries);
    *c = (Catalogue){};
}

int catalogue_name(uint64_t time_usec, char ret[static CATALOGUE_NAME_SIZE]) {
    char stamp[STAMP_SIZE];
    uint32_t number;

    if (getrandom(&number, sizeof(number), 0) != sizeof(number))
        return -EIO;
    stamp_format(time_usec, stamp);
    (void)snprintf(ret, CATALOGUE_NAME_SIZE, "%s-%08x" SUFFIX, stamp, number);
    return 0;
}

static int is_record(const struct dirent *e) {
    const size_t size = strlen(e->d_name), suffix = strlen(SUFFIX);

    return e->d_name[0] != '.' && size > suffix && size < CATALOGUE_NAME_SIZE &&
           streq(e->d_name + size - suffix, SUFFIX);
}

static int read_record(const char *name, Record *ret) {
    _cleanup_free_ char *path = NULL, *text = NULL;
    _cleanup_json_ struct json_object *o = NULL;
    size_t size = 0;

    if (asprintf(&path, RECORDS "/%s", name) < 0)
        return -ENOMEM;
    TRY(read_file_at(AT_FDCWD, path, BACKUP_RECORD_MAX, &text, &size));
    TRY(json_parse_stored(text, size, &o));
    return o ? record_from_json(o, ret) : -EBADMSG;
}

static void load_one(Catalogue *c, const char *name) {
    CatalogueEntry *e = &c->entries[c->n];
    const int r = read_record(name, &e->record);

    if (r < 0 && r != -ENOENT) /* removed meanwhile */
        log_warning_errno(r, "The record of a backup " RECORDS "/%s cannot be read: %m", name);
    if (r < 0)
        return;
    memcpy(e->name, name, strlen(name) + 1); /* is_record() */
    c->n++;
}

/* The clock may have been set back since: names have its time, numbers do not. */
static int compare(const void *a, const void *b) {
    const CatalogueEntry *x = a, *y = b;

    if (x->record.number != y->record.number)
        return x->record.number < y->record.number ? -1 : 1;
    return strcmp(x->name, y->name);
}

int catalogue_load(Catalogue *ret) {
    struct dirent **list = NULL;
    int n;

    *ret = (Catalogue){};
    n = scandir(RECORDS, &list, is_record, alphasort);
    if (n < 0)
        return errno == ENOENT ? 0 : -errno;
    ret->entries = calloc((size_t)n + 1, sizeof(CatalogueEntry));
    for (int i = 0; i < n; i++) {
        if (ret->entries)
            load_one(ret, list[i]->d_name);
        free(list[i]);
    }
    free(list);
    if (!ret->entries)
        return -ENOMEM;
    qsort(ret->entries, ret->n, sizeof(CatalogueEntry), compare);
    return 0;
}

const Record *catalogue_newest(const Catalogue *c, const char *series) {
    for (size_t i = c->n; i-- > 0;) {
        const Record *r = &c->entries[i].record;

        if (r->outcome == RECORD_COMPLETE && streq_ptr(r->series, series))
            return r;
    }
    return NULL;
}

const CatalogueEntry *catalogue_find(const Catalogue *c, const char *object) {
    for (size_t i = c->n; i-- > 0;)
        if (streq_ptr(c->entries[i].record.object, object))
            return &c->entries[i];
    return NULL;
}

/* --- changes -----------------------------------------------------------------------------------
 */

static int make_directories(void) {
    if (mkdir(BACKUP_STATE_DIRECTORY, 0755) < 0 && errno != EEXIST)
        return -errno;
    return mkdir(RECORDS, 0700) < 0 && errno != EEXIST ? -errno : 0;
}

static int path_of(const char *name, char **ret) {
    if (asprintf(ret, RECORDS "/%s", name) >= 0)
        return 0;
    *ret = NULL;
    return -ENOMEM;
}

static int write_record(const char *name, const Record *r) {
    _cleanup_free_ char *path = NULL, *text = NULL;
    _cleanup_json_ struct json_object *o = NULL;
    size_t size = 0;

    TRY(record_to_json(r, &o));
    TRY(json_encode(o, &text, &size));
    TRY(path_of(name, &path));
    TRY(make_directories());
    return write_file_atomic(path, text, size, 0600);
}

static int remove_record(const char *name) {
    _cleanup_free_ char *path = NULL;

    TRY(path_of(name, &path));
    return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
}

static size_t count_records(void) {
    struct dirent **list = NULL;
    const int n = scandir(RECORDS, &list, is_record, NULL);

    for (int i = 0; i < n; i++)
        free(list[i]);
    free(list);
    return (size_t)MAX(n, 0);
}

static int remove_oldest(const Catalogue *c, size_t n, bool complete) {
    size_t removed = 0;

    for (size_t i = 0; i < c->n && removed < n; i++) {
        const Record *r = &c->entries[i].record;

        if ((r->outcome == RECORD_COMPLETE) != complete || r->outcome == RECORD_RUNNING ||
            r == catalogue_newest(c, r->series))
            continue;
        TRY(remove_record(c->entries[i].name));
        removed++;
    }
    return (int)removed;
}

static int prune(void) {
    _cleanup_(catalogue_done) Catalogue c = {};
    _cleanup_close_ int fd = -1;
    size_t n;
    int r;

    if (count_records() <= BACKUP_RECORDS_MAX)
        return 0;
    TRY(lock_file_take(LOCK, LOCK_WAIT_USEC, &fd));
    TRY(catalogue_load(&c));
    n = c.n > BACKUP_RECORDS_MAX ? c.n - BACKUP_RECORDS_MAX : 0;
    r = remove_oldest(&c, n, false);
    TRY(r);
    return MIN(remove_oldest(&c, n - (size_t)r, true), 0);
}

int catalogue_write(const char *name, const Record *r) {
    TRY(write_record(name, r));
    return prune();
}

int catalogue_add(Record *r, char ret_name[static CATALOGUE_NAME_SIZE]) {
    _cleanup_(catalogue_done) Catalogue c = {};

    TRY(catalogue_load(&c));
    r->number = c.n > 0 ? c.entries[c.n - 1].record.number + 1 : 1;
    TRY(catalogue_name(r->begin_usec, ret_name));
    return catalogue_write(ret_name, r);
}

static int change_locked(const char *name, int (*change)(Record *r, void *userdata),
                         void *userdata) {
    Record record;
    int r;

    TRY(read_record(name, &record));
    r = change(&record, userdata);
    if (r == RECORD_WRITE)
        r = write_record(name, &record);
    else if (r == RECORD_REMOVE)
        r = remove_record(name);
    record_done(&record);
    return MIN(r, 0);
}

int catalogue_change(const char *name, int (*change)(Record *r, void *userdata), void *userdata) {
    _cleanup_close_ int fd = -1;

    TRY(lock_file_take(LOCK, LOCK_WAIT_USEC, &fd));
    return change_locked(name, change, userdata);
}
