/* SPDX-License-Identifier: Apache-2.0 */
/* The catalogue: a file for each backup that was made or tried, in BACKUP_STATE_DIRECTORY/records.
 * It tells what is where, and which hash it must have, which the storage alone cannot. */
#pragma once

#include "backup/record.h"

#define CATALOGUE_NAME_SIZE 40

typedef struct CatalogueEntry {
    char name[CATALOGUE_NAME_SIZE]; /* of the file */
    Record record;
} CatalogueEntry;

typedef struct Catalogue {
    CatalogueEntry *entries; /* in the order in which they were begun */
    size_t n;
} Catalogue;

void catalogue_done(Catalogue *c);
/* Damaged files are skipped, with a warning in the journal. */
int catalogue_load(Catalogue *ret);
/* The newest complete backup of a series, or the newest of that object; NULL: none is known. */
const Record *catalogue_newest(const Catalogue *c, const char *series) _pure_;
const CatalogueEntry *catalogue_find(const Catalogue *c, const char *object) _pure_;

/* A name for what is new at that time. */
int catalogue_name(uint64_t time_usec, char ret[static CATALOGUE_NAME_SIZE]);
/* Writes a new record, which gets a number; the name is that of its file. */
int catalogue_add(Record *r, char ret_name[static CATALOGUE_NAME_SIZE]);
/* Is on the disk when it returns. Of too many the oldest go, first of those that failed; the newest
 * complete one of a series never does. */
int catalogue_write(const char *name, const Record *r);

typedef enum RecordChange {
    RECORD_KEEP,
    RECORD_WRITE,
    RECORD_REMOVE,
} RecordChange;

/* Reads a record again and changes it, while nobody else does. `change` returns a RecordChange or a
 * negative errno. -ENOENT: it was removed meanwhile. */
int catalogue_change(const char *name, int (*change)(Record *r, void *userdata), void *userdata);
