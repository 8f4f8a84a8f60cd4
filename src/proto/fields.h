/* SPDX-License-Identifier: Apache-2.0 */
/* One table for a struct says which fields it has. Release, copy and JSON follow
 * from it, so that a new field cannot be forgotten in one of them. */
#pragma once

#include "proto/json.h"

typedef enum FieldType {
    FIELD_TEXT,     /* char *; NULL: absent in JSON */
    FIELD_TEXTS,    /* char **, ends with NULL; empty: NULL, and absent in JSON */
    FIELD_BOOL,     /* always there in JSON */
    FIELD_INT,      /* int; `fallback`: absent in JSON */
    FIELD_UNSIGNED, /* unsigned; 0: absent in JSON */
    FIELD_SIZE,     /* uint64_t; 0: absent in JSON */
    FIELD_ENUM,     /* an enum, by its place in `names`; always there in JSON */
    FIELD_CHARS,    /* char[n] */
    FIELD_STRUCT,   /* embedded, of type `table` */
    FIELD_STRUCTS,  /* pointer to structs of type `table`, their number at `n_offset` */
} FieldType;

struct FieldTable;

typedef struct Field {
    const char *key;
    FieldType type;
    int fallback;
    size_t offset, n_offset;
    const struct FieldTable *table;
    const char *const *names; /* of an enum */
    size_t n;                 /* names, or bytes of char[] */
} Field;

typedef struct FieldTable {
    const Field *fields;
    size_t n_fields;
    size_t size; /* of the struct */
} FieldTable;

/* Releases what a struct owns, and clears it. */
void fields_done(const FieldTable *t, void *object);

/* Copies into a struct that owns nothing. -ENOMEM: it still owns nothing. */
int fields_copy(const FieldTable *t, const void *object, void *ret);

/* Text that is not UTF-8, such as a label on a disk, gets U+FFFD for each byte that is not. */
int fields_to_json(const FieldTable *t, const void *object, struct json_object **ret);

/* -EBADMSG: a field has another type, or is not known. */
int fields_from_json(const FieldTable *t, struct json_object *o, void *ret);
