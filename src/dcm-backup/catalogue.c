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
#include "dcm-backup/work.h"

#define RECORDS BACKUP_STATE_DIRECTORY "/records"
#define SUFFIX ".json"

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
    return ret->entries ? 0 : -ENOMEM;
}

const Record *catalogue_newest(const Catalogue *c, const char *series) {
    for (size_t i = c->n; i-- > 0;) {
        const Record *r = &c->entries[i].record;

        if (r->outcome == RECORD_COMPLETE && streq_ptr(r->series, series))
            return r;
    }
    return NULL;
}

Record *catalogue_find(const Catalogue *c, const char *object) {
    for (size_t i = c->n; i-- > 0;)
        if (streq_ptr(c->entries[i].record.object, object))
            return &c->entries[i].record;
    return NULL;
}

/* --- changes -----------------------------------------------------------------------------------
 */

static int make_directories(void) {
    if (mkdir(BACKUP_STATE_DIRECTORY, 0755) < 0 && errno != EEXIST)
        return -errno;
    return mkdir(RECORDS, 0700) < 0 && errno != EEXIST ? -errno : 0;
}

static int prune(void) {
    struct dirent **list = NULL;
    const int n = scandir(RECORDS, &list, is_record, alphasort);
    int r = 0;

    for (int i = 0; i < n; i++) {
        if (n - i > (int)BACKUP_RECORDS_MAX && r >= 0)
            r = catalogue_remove(list[i]->d_name);
        free(list[i]);
    }
    free(list);
    return r;
}

int catalogue_write(const char *name, const Record *r) {
    _cleanup_free_ char *path = NULL, *text = NULL;
    _cleanup_json_ struct json_object *o = NULL;
    size_t size = 0;

    TRY(record_to_json(r, &o));
    TRY(json_encode(o, &text, &size));
    if (asprintf(&path, RECORDS "/%s", name) < 0)
        return -ENOMEM;
    TRY(make_directories());
    TRY(write_file_atomic(path, text, size, 0600));
    return prune();
}

int catalogue_remove(const char *name) {
    _cleanup_free_ char *path = NULL;

    if (asprintf(&path, RECORDS "/%s", name) < 0)
        return -ENOMEM;
    return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
}
