/* SPDX-License-Identifier: Apache-2.0 */
#include "package/request.h"

#include <stdarg.h>
#include <stdio.h>

#include "basic/bounds.h"
#include "basic/strv.h"

#define LOCK_SEC_DEFAULT 300
#define LOCK_SEC_MAX 3600

static const char *const known[_PACKAGE_VERB_MAX][10] = {
    [PACKAGE_LIST] = {"packages", NULL},
    [PACKAGE_UPDATES] = {"refresh", "lock_timeout", NULL},
    [PACKAGE_INSTALL] = {"packages", "allow_downgrade", "recommends", "refresh", "restart_services",
                         "lock_timeout", "dry_run", NULL},
    [PACKAGE_REMOVE] = {"packages", "purge", "restart_services", "lock_timeout", "dry_run", NULL},
    [PACKAGE_UPDATE] = {"packages", "security", "refresh", "restart_services", "lock_timeout",
                        "dry_run", NULL},
    [PACKAGE_HOLD] = {"packages", "hold", "lock_timeout", "dry_run", NULL},
};

int package_problem(char **ret_problem, const char *format, ...) {
    va_list list;
    int n;

    va_start(list, format);
    n = vasprintf(ret_problem, format, list);
    va_end(list);
    if (n < 0)
        *ret_problem = NULL;
    return n < 0 ? -ENOMEM : -EINVAL;
}

int package_read_bool(struct json_object *arguments, const char *key, bool *ret,
                      char **ret_problem) {
    struct json_object *value = json_get(arguments, key);

    if (!value)
        return 0;
    if (!json_object_is_type(value, json_type_boolean))
        return package_problem(ret_problem, "%s is neither true nor false", key);
    *ret = json_object_get_boolean(value);
    return 0;
}

static int copy_text(struct json_object *value, const char *key, size_t size_max, char **ret,
                     char **ret_problem) {
    const char *s =
        json_object_is_type(value, json_type_string) ? json_object_get_string(value) : NULL;

    if (!s || strlen(s) != (size_t)json_object_get_string_len(value))
        return package_problem(ret_problem, "%s is not a text", key);
    if (!*s || strlen(s) > size_max)
        return package_problem(ret_problem, "%s is empty, or has more than %zu bytes", key,
                               size_max);
    return free_and_strdup(ret, s);
}

int package_read_text(struct json_object *arguments, const char *key, size_t size_max, char **ret,
                      char **ret_problem) {
    struct json_object *value = json_get(arguments, key);

    return value ? copy_text(value, key, size_max, ret, ret_problem) : 0;
}

int package_read_texts(struct json_object *arguments, const char *key, size_t n_max, char ***ret,
                       char **ret_problem) {
    struct json_object *list = json_get(arguments, key);
    size_t n = 0;

    if (!list)
        return 0;
    if (!json_object_is_type(list, json_type_array))
        return package_problem(ret_problem, "%s is not a list", key);
    if (json_object_array_length(list) > n_max)
        return package_problem(ret_problem, "%s has more than %zu entries", key, n_max);
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        char *text = NULL;

        TRY(copy_text(json_object_array_get_idx(list, i), key, 2 * PACKAGE_NAME_MAX + 1, &text,
                      ret_problem));
        TRY(strv_push(ret, &n, text));
    }
    return 0;
}

int package_check_known(struct json_object *arguments, const char *const *names,
                        char **ret_problem) {
    struct json_object_iterator i = json_object_iter_begin(arguments),
                                end = json_object_iter_end(arguments);

    for (; !json_object_iter_equal(&i, &end); json_object_iter_next(&i)) {
        const char *key = json_object_iter_peek_name(&i);
        size_t k = 0;

        while (names[k] && !streq(names[k], key))
            k++;
        if (!names[k])
            return package_problem(ret_problem, "%.64s is not an argument of this command", key);
    }
    return 0;
}

void package_request_done(PackageRequest *q) {
    strv_free(q->names);
    strv_free(q->versions);
    *q = (PackageRequest){};
}

bool package_request_has(const PackageRequest *q, const char *name) {
    for (size_t i = 0; i < q->n; i++)
        if (streq(q->names[i], name))
            return true;
    return false;
}

static int add_spec(const char *spec, PackageVerb verb, PackageFamily family, PackageRequest *q,
                    char **ret_problem) {
    _cleanup_free_ char *name = NULL, *version = NULL;
    size_t n = q->n;
    int r;

    if (verb == PACKAGE_LIST)
        r = package_pattern_is_valid(spec) ? free_and_strdup(&name, spec) : -EINVAL;
    else
        r = package_spec_parse(family, spec, &name, &version);
    if (r == -EINVAL)
        return package_problem(ret_problem, "packages: \"%s\" is not %s", spec,
                               verb == PACKAGE_LIST ? "a name or pattern" : "name or name=version");
    TRY(r);
    if (version && verb != PACKAGE_INSTALL)
        return package_problem(
            ret_problem, "packages: \"%s\" has a version, which this command does not take", spec);
    if (package_request_has(q, name))
        return package_problem(ret_problem, "packages: %s is there twice", name);
    TRY(strv_push(&q->versions, &n, strdup(strempty(version))));
    return strv_push(&q->names, &q->n, TAKE_PTR(name));
}

static int read_packages(struct json_object *arguments, PackageVerb verb, PackageFamily family,
                         PackageRequest *q, char **ret_problem) {
    const bool is_optional =
        verb == PACKAGE_LIST || verb == PACKAGE_UPDATES || verb == PACKAGE_UPDATE;
    _cleanup_(strv_freep) char **specs = NULL;

    TRY(package_read_texts(arguments, "packages", PACKAGES_NAMED_MAX, &specs, ret_problem));
    for (char **s = specs; s && *s; s++)
        TRY(add_spec(*s, verb, family, q, ret_problem));
    return q->n > 0 || is_optional ? 0 : package_problem(ret_problem, "packages is missing");
}

static int read_lock_time(struct json_object *arguments, PackageRequest *q, char **ret_problem) {
    struct json_object *value = json_get(arguments, "lock_timeout");
    int64_t seconds = LOCK_SEC_DEFAULT;

    if (value && (json_to_integer(value, &seconds) < 0 || seconds < 0 || seconds > LOCK_SEC_MAX))
        return package_problem(ret_problem, "lock_timeout is not a number of 0 to %d seconds",
                               LOCK_SEC_MAX);
    q->lock_usec = (uint64_t)seconds * USEC_PER_SEC;
    return 0;
}

static int read_choices(struct json_object *arguments, PackageRequest *q, char **ret_problem) {
    const struct {
        const char *key;
        bool *field;
    } choices[] = {
        {"dry_run", &q->dry_run},
        {"allow_downgrade", &q->allow_downgrade},
        {"recommends", &q->recommends},
        {"refresh", &q->refresh},
        {"security", &q->security},
        {"purge", &q->purge},
        {"hold", &q->hold},
        {"restart_services", &q->restart_services},
    };

    q->refresh = q->hold = true;
    for (size_t i = 0; i < ELEMENTSOF(choices); i++)
        TRY(package_read_bool(arguments, choices[i].key, choices[i].field, ret_problem));
    return 0;
}

static int parse(struct json_object *arguments, PackageVerb verb, PackageFamily family,
                 PackageRequest *q, char **ret_problem) {
    TRY(package_check_known(arguments, known[verb], ret_problem));
    TRY(read_choices(arguments, q, ret_problem));
    TRY(read_lock_time(arguments, q, ret_problem));
    return read_packages(arguments, verb, family, q, ret_problem);
}

int package_request_parse(struct json_object *arguments, PackageVerb verb, PackageFamily family,
                          PackageRequest *ret, char **ret_problem) {
    PackageRequest q = {};
    int r = parse(arguments, verb, family, &q, ret_problem);

    if (r < 0)
        package_request_done(&q);
    else
        *ret = q;
    return r;
}
