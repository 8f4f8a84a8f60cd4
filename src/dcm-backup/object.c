/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-backup/object.h"

#include <stdio.h>

#include "basic/strv.h"
#include "basic/utf8.h"

#define ARGUMENTS_MAX 12
/* the descriptor of the place is the first one that the program gets, that of the end the second */
#define PLACE_OPTION "--place=/dev/fd/3"
#define CONFIRM_OPTION "--confirm-fd=4"

static const char program[] = PKGLIBDIR "/dcm-object";

int object_add_put(Pipeline *p, const Target *t, const char *name) {
    const Stage stage = {
        .name = "dcm-object put",
        .argv = (const char *const[]){program, "put", PLACE_OPTION, CONFIRM_OPTION,
                                      "--create-bucket", "--", "-", name, NULL},
        .input = STAGE_SINK,
        .is_confirmed = true,
        .fds = {t->place_fd},
        .n_fds = 1,
    };

    return pipeline_add(p, &stage);
}

int object_add_get(Pipeline *p, const Target *t, const char *name, const char *sha256) {
    _cleanup_free_ char *option = NULL;
    const char *argv[] = {program, "get", PLACE_OPTION, "--", name, "-", NULL, NULL};
    const Stage stage = {
        .name = "dcm-object get",
        .argv = argv,
        .output = STAGE_TO_NEXT,
        .fds = {t->place_fd},
        .n_fds = 1,
    };

    if (sha256) {
        if (asprintf(&option, "--sha256=%s", sha256) < 0) {
            option = NULL;
            return -ENOMEM;
        }
        argv[3] = option;
        argv[4] = "--";
        argv[5] = name;
        argv[6] = "-";
    }
    return pipeline_add(p, &stage);
}

/* The line that is the result, among others. */
static struct json_object *find_result(const char *text, size_t size) {
    struct json_object *o = NULL;

    for (const char *line = text; line < text + size;) {
        const size_t n = strcspn(line, "\n");

        if (strncmp(line, "{\"ok\":", 6) == 0 && !o && json_parse(line, n, &o) < 0)
            o = NULL;
        line += n + 1;
    }
    return o;
}

int object_put_result(const Pipeline *p, int stage, struct json_object **ret, char **ret_text) {
    _cleanup_json_ struct json_object *o = NULL;
    size_t size = 0;
    const char *text = pipeline_output(p, stage, &size), *why;

    o = find_result(text, size);
    if (o && pipeline_status(p, stage) == 0) {
        *ret = TAKE_PTR(o);
        return 0;
    }
    why = json_get_string(o, "text") ?: pipeline_messages(p, stage);
    *ret_text = strdup(isempty(why) ? "dcm-object was ended before it was done" : why);
    return -EIO;
}

/* `get` also fails when who reads what it puts out has failed. */
int object_fail_get(Work *w, const Pipeline *p) {
    const char *messages = pipeline_messages(p, 0), *code;
    _cleanup_json_ struct json_object *o = find_result(messages, strlen(messages));
    _cleanup_free_ char *other = NULL;

    code = json_get_string(o, "code");
    if (pipeline_status(p, 0) == 0 || !code || !json_get_string(o, "text"))
        return work_fail_pipeline(w, p);
    if (streq(code, "other") && pipeline_find_failed(p, 1, &other) >= 0)
        return work_fail(w, "failed", "%s", other);
    return work_fail(w, code, "%s", json_get_string(o, "text"));
}

static int run(Work *w, const Target *t, const char *const *argv, struct json_object **ret,
               char **ret_code, char **ret_text) {
    _cleanup_(pipeline_freep) Pipeline *p = pipeline_new(w->deadline_usec);
    _cleanup_json_ struct json_object *o = NULL;
    const Stage stage = {
        .name = "dcm-object", .argv = argv, .fds = {t->place_fd}, .n_fds = 1, .status_max = 126};
    const char *text;
    size_t size = 0;
    int i, r;

    if (!p)
        return -ENOMEM;
    i = pipeline_add(p, &stage);
    r = i < 0 ? i : pipeline_run(p);
    text = r >= 0 ? pipeline_output(p, i, &size) : "";
    o = find_result(text, size);
    if (r >= 0 && o && pipeline_status(p, i) == 0) {
        *ret = TAKE_PTR(o);
        return 0;
    }
    if (o && json_get_string(o, "code"))
        *ret_code = strdup(json_get_string(o, "code"));
    *ret_text = strdup(r < 0 ? pipeline_error(p)
                             : json_get_string(o, "text") ?: pipeline_messages(p, i));
    return -EIO;
}

int object_call(Work *w, const Target *t, const char *const *arguments, struct json_object **ret,
                char **ret_code, char **ret_text) {
    const char *argv[ARGUMENTS_MAX + 4] = {program, arguments[0], PLACE_OPTION};
    size_t n = 3;

    for (const char *const *a = arguments + 1; *a && n < ELEMENTSOF(argv) - 1; a++)
        argv[n++] = *a;
    return run(w, t, argv, ret, ret_code, ret_text);
}

int target_describe(const Target *t, char **ret) {
    const Place *p = &t->place;

    return asprintf(ret, "%s, %s %.*s", place_kind_name(p->kind),
                    place_has_buckets(p) ? "bucket" : "directory", UTF8_SHORT(p->bucket, 100)) < 0
               ? -ENOMEM
               : 0;
}
