/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/fields.h"

#include "basic/bounds.h"
#include "basic/strv.h"
#include "proto/text.h"

static void *at(void *object, size_t offset) {
    return (char *)object + offset;
}

static const void *at_const(const void *object, size_t offset) {
    return (const char *)object + offset;
}

static void structs_done(const Field *f, void *object) {
    char **items = at(object, f->offset);
    size_t *n = at(object, f->n_offset);

    for (size_t i = 0; i < *n; i++)
        fields_done(f->table, *items + i * f->table->size);
    free(*items);
}

static void field_done(const Field *f, void *object) {
    void *p = at(object, f->offset);

    switch (f->type) {
    case FIELD_TEXT:
        free(*(char **)p);
        break;
    case FIELD_TEXTS:
        strv_free(*(char ***)p);
        break;
    case FIELD_STRUCT:
        fields_done(f->table, p);
        break;
    case FIELD_STRUCTS:
        structs_done(f, object);
        break;
    default:
        break;
    }
}

void fields_done(const FieldTable *t, void *object) {
    for (size_t i = 0; i < t->n_fields; i++)
        field_done(&t->fields[i], object);
    memset(object, 0, t->size);
}

static int copy_texts(char *const *from, char ***ret) {
    char **list = NULL;
    size_t n = 0;

    for (; from && *from; from++) {
        int r = strv_push(&list, &n, strdup(*from));

        if (r < 0) {
            strv_free(list);
            return r;
        }
    }
    *ret = list;
    return 0;
}

/* *n counts what has been copied so far, so that fields_done() releases it after an error. */
static int copy_structs(const Field *f, const void *from, void *to) {
    const char *const *source = at_const(from, f->offset);
    const size_t n_source = *(const size_t *)at_const(from, f->n_offset);
    char **items = at(to, f->offset);
    size_t *n = at(to, f->n_offset);

    if (n_source == 0)
        return 0;
    *items = calloc(n_source, f->table->size);
    if (!*items)
        return -ENOMEM;
    for (; *n < n_source; (*n)++)
        TRY(fields_copy(f->table, *source + *n * f->table->size, *items + *n * f->table->size));
    return 0;
}

static int field_copy(const Field *f, const void *from, void *to) {
    const void *source = at_const(from, f->offset);
    void *p = at(to, f->offset);

    switch (f->type) {
    case FIELD_TEXT:
        return free_and_strdup(p, *(char *const *)source);
    case FIELD_TEXTS:
        return copy_texts(*(char **const *)source, p);
    case FIELD_BOOL:
        *(bool *)p = *(const bool *)source;
        return 0;
    case FIELD_INT:
    case FIELD_UNSIGNED:
    case FIELD_ENUM:
        memcpy(p, source, sizeof(int));
        return 0;
    case FIELD_SIZE:
        memcpy(p, source, sizeof(uint64_t));
        return 0;
    case FIELD_CHARS:
        memcpy(p, source, f->n);
        return 0;
    case FIELD_STRUCT:
        return fields_copy(f->table, source, p);
    case FIELD_STRUCTS:
        return copy_structs(f, from, to);
    }
    return -EINVAL;
}

int fields_copy(const FieldTable *t, const void *object, void *ret) {
    memset(ret, 0, t->size);
    for (size_t i = 0; i < t->n_fields; i++) {
        int r = field_copy(&t->fields[i], object, ret);

        if (r < 0) {
            fields_done(t, ret);
            return r;
        }
    }
    return 0;
}

static int text_to_json(const char *text, struct json_object **ret) {
    _cleanup_free_ char *clean = NULL;

    TRY(utf8_replace_invalid(text, strlen(text), &clean));
    *ret = json_object_new_string(clean);
    return *ret ? 0 : -ENOMEM;
}

static int array_add(struct json_object *array, struct json_object *item) {
    if (json_object_array_add(array, item) == 0)
        return 0;
    (void)json_object_put(item);
    return -ENOMEM;
}

static int add_texts(const Field *f, char *const *list, struct json_object *o) {
    _cleanup_json_ struct json_object *array = NULL;

    if (!list || !*list)
        return 0;
    array = json_object_new_array();
    if (!array)
        return -ENOMEM;
    for (; *list; list++) {
        struct json_object *item;

        TRY(text_to_json(*list, &item));
        TRY(array_add(array, item));
    }
    return json_add(o, f->key, TAKE_PTR(array));
}

static int add_structs(const Field *f, const void *object, struct json_object *o) {
    const char *const *items = at_const(object, f->offset);
    const size_t n = *(const size_t *)at_const(object, f->n_offset);
    _cleanup_json_ struct json_object *array = NULL;

    if (n == 0)
        return 0;
    array = json_object_new_array();
    if (!array)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        struct json_object *item;

        TRY(fields_to_json(f->table, *items + i * f->table->size, &item));
        TRY(array_add(array, item));
    }
    return json_add(o, f->key, TAKE_PTR(array));
}

static int add_text(const Field *f, const char *text, struct json_object *o) {
    struct json_object *value;

    if (!text)
        return 0;
    TRY(text_to_json(text, &value));
    return json_add(o, f->key, value);
}

static int add_struct(const Field *f, const void *object, struct json_object *o) {
    struct json_object *value;

    TRY(fields_to_json(f->table, object, &value));
    return json_add(o, f->key, value);
}

static int add_field(const Field *f, const void *object, struct json_object *o) {
    const void *p = at_const(object, f->offset);

    switch (f->type) {
    case FIELD_TEXT:
        return add_text(f, *(char *const *)p, o);
    case FIELD_TEXTS:
        return add_texts(f, *(char **const *)p, o);
    case FIELD_BOOL:
        return json_add_bool(o, f->key, *(const bool *)p);
    case FIELD_INT:
        return *(const int *)p == f->fallback ? 0 : json_add_int(o, f->key, *(const int *)p);
    case FIELD_UNSIGNED:
        return *(const unsigned *)p == 0 ? 0 : json_add_int(o, f->key, *(const unsigned *)p);
    case FIELD_SIZE: {
        const uint64_t n = *(const uint64_t *)p;

        return n == 0 ? 0 : json_add_int(o, f->key, (int64_t)MIN(n, (uint64_t)INT64_MAX));
    }
    case FIELD_ENUM:
        return json_add_string(o, f->key, f->names[*(const unsigned *)p]);
    case FIELD_CHARS:
        return add_text(f, p, o);
    case FIELD_STRUCT:
        return add_struct(f, p, o);
    case FIELD_STRUCTS:
        return add_structs(f, object, o);
    }
    return -EINVAL;
}

int fields_to_json(const FieldTable *t, const void *object, struct json_object **ret) {
    _cleanup_json_ struct json_object *o = json_object_new_object();

    if (!o)
        return -ENOMEM;
    for (size_t i = 0; i < t->n_fields; i++)
        TRY(add_field(&t->fields[i], object, o));
    *ret = TAKE_PTR(o);
    return 0;
}

/* Returns NULL if the value is no string, or has a NUL. */
static const char *string_of(struct json_object *value) {
    const char *s;

    if (!json_object_is_type(value, json_type_string))
        return NULL;
    s = json_object_get_string(value);
    return strlen(s) == (size_t)json_object_get_string_len(value) ? s : NULL;
}

static int read_text(struct json_object *value, char **p) {
    const char *s = string_of(value);

    return s ? free_and_strdup(p, s) : -EBADMSG;
}

static int read_texts(struct json_object *value, char ***p) {
    size_t n = 0;

    if (!json_object_is_type(value, json_type_array))
        return -EBADMSG;
    for (size_t i = 0; i < json_object_array_length(value); i++) {
        const char *s = string_of(json_object_array_get_idx(value, i));

        if (!s)
            return -EBADMSG;
        TRY(strv_push(p, &n, strdup(s)));
    }
    return 0;
}

static int read_bool(struct json_object *value, bool *p) {
    if (!json_object_is_type(value, json_type_boolean))
        return -EBADMSG;
    *p = json_object_get_boolean(value);
    return 0;
}

static int read_integer(struct json_object *value, int64_t min, int64_t max, int64_t *ret) {
    if (!json_object_is_type(value, json_type_int))
        return -EBADMSG;
    *ret = json_object_get_int64(value);
    return *ret >= min && *ret <= max ? 0 : -EBADMSG;
}

static int read_number(const Field *f, struct json_object *value, void *p) {
    int64_t n;

    if (f->type == FIELD_INT) {
        TRY(read_integer(value, INT32_MIN, INT32_MAX, &n));
        *(int *)p = (int)n;
    } else if (f->type == FIELD_UNSIGNED) {
        TRY(read_integer(value, 0, UINT32_MAX, &n));
        *(unsigned *)p = (unsigned)n;
    } else {
        TRY(read_integer(value, 0, INT64_MAX, &n));
        *(uint64_t *)p = (uint64_t)n;
    }
    return 0;
}

static int read_enum(const Field *f, struct json_object *value, unsigned *p) {
    const char *s = string_of(value);

    for (size_t i = 0; s && i < f->n; i++)
        if (streq(f->names[i], s)) {
            *p = (unsigned)i;
            return 0;
        }
    return -EBADMSG;
}

static int read_chars(const Field *f, struct json_object *value, char *p) {
    const char *s = string_of(value);

    if (!s || strlen(s) >= f->n)
        return -EBADMSG;
    memcpy(p, s, strlen(s) + 1);
    return 0;
}

static int read_structs(const Field *f, struct json_object *value, void *object) {
    char **items = at(object, f->offset);
    size_t *n = at(object, f->n_offset), length;

    if (!json_object_is_type(value, json_type_array))
        return -EBADMSG;
    length = json_object_array_length(value);
    if (length == 0)
        return 0;
    *items = calloc(length, f->table->size);
    if (!*items)
        return -ENOMEM;
    for (; *n < length; (*n)++)
        TRY(fields_from_json(f->table, json_object_array_get_idx(value, *n),
                             *items + *n * f->table->size));
    return 0;
}

static int read_field(const Field *f, struct json_object *value, void *object) {
    void *p = at(object, f->offset);

    switch (f->type) {
    case FIELD_TEXT:
        return read_text(value, p);
    case FIELD_TEXTS:
        return read_texts(value, p);
    case FIELD_BOOL:
        return read_bool(value, p);
    case FIELD_INT:
    case FIELD_UNSIGNED:
    case FIELD_SIZE:
        return read_number(f, value, p);
    case FIELD_ENUM:
        return read_enum(f, value, p);
    case FIELD_CHARS:
        return read_chars(f, value, p);
    case FIELD_STRUCT:
        return fields_from_json(f->table, value, p);
    case FIELD_STRUCTS:
        return read_structs(f, value, object);
    }
    return -EINVAL;
}

static const Field *find(const FieldTable *t, const char *key) {
    for (size_t i = 0; i < t->n_fields; i++)
        if (streq(t->fields[i].key, key))
            return &t->fields[i];
    return NULL;
}

static void set_fallbacks(const FieldTable *t, void *object) {
    for (size_t i = 0; i < t->n_fields; i++)
        if (t->fields[i].type == FIELD_INT)
            *(int *)at(object, t->fields[i].offset) = t->fields[i].fallback;
        else if (t->fields[i].type == FIELD_STRUCT)
            set_fallbacks(t->fields[i].table, at(object, t->fields[i].offset));
}

static int read_fields(const FieldTable *t, struct json_object *o, void *object) {
    struct json_object_iterator i, end;

    if (!json_object_is_type(o, json_type_object))
        return -EBADMSG;
    end = json_object_iter_end(o);
    for (i = json_object_iter_begin(o); !json_object_iter_equal(&i, &end);
         json_object_iter_next(&i)) {
        const Field *f = find(t, json_object_iter_peek_name(&i));

        if (!f)
            return -EBADMSG;
        TRY(read_field(f, json_object_iter_peek_value(&i), object));
    }
    return 0;
}

int fields_from_json(const FieldTable *t, struct json_object *o, void *ret) {
    int r;

    memset(ret, 0, t->size);
    set_fallbacks(t, ret);
    r = read_fields(t, o, ret);
    if (r < 0)
        fields_done(t, ret);
    return r;
}
