/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-backup/object.h"

#include <stdio.h>

#include "basic/strv.h"
#include "basic/utf8.h"

#define ARGUMENTS_MAX 12
#define PART_SIZE 32
/* the descriptor of the place is the first one that the program gets, that of the end, or of a
 * file, the second */
#define PLACE_OPTION "--place=/dev/fd/3"
#define CONFIRM_OPTION "--confirm-fd=4"
#define FILE_OPERAND "/proc/self/fd/4"

static const char program[] = PKGLIBDIR "/dcm-object";

ProgressPart object_part(ProgressPart all, size_t i, size_t n) {
    const size_t size = all.last - all.first;

    return (ProgressPart){all.first + (unsigned)(i * size / n),
                          all.first + (unsigned)((i + 1) * size / n)};
}

/* Adds the options for the job's progress. */
static size_t add_part(const char **argv, size_t n, ProgressPart part,
                       char text[static PART_SIZE]) {
    if (part.last == 0)
        return n;
    (void)snprintf(text, PART_SIZE, "--progress-part=%u-%u", part.first, part.last);
    argv[n++] = "--job-progress";
    argv[n++] = text;
    return n;
}

/* The arguments of `put`. A directory that is missing may be one that is not mounted: if it were
 * made, it would fill the disk below. */
static const char *const *format_put(const Target *t, const char *confirm, const char *file,
                                     const char *name, ProgressPart part,
                                     char part_text[static PART_SIZE],
                                     const char *argv[static ARGUMENTS_MAX]) {
    size_t n = 0;

    argv[n++] = program;
    argv[n++] = "put";
    argv[n++] = PLACE_OPTION;
    if (confirm)
        argv[n++] = confirm;
    if (t->place.kind != PLACE_DIRECTORY)
        argv[n++] = "--create-bucket";
    n = add_part(argv, n, part, part_text);
    argv[n++] = "--";
    argv[n++] = file;
    argv[n++] = name;
    argv[n] = NULL;
    return argv;
}

int object_add_put(Pipeline *p, const Target *t, const char *name, ProgressPart part) {
    const char *argv[ARGUMENTS_MAX];
    char text[PART_SIZE];
    const Stage stage = {
        .name = "dcm-object put",
        .argv = format_put(t, CONFIRM_OPTION, "-", name, part, text, argv),
        .input = STAGE_SINK,
        .is_confirmed = true,
        .fds = {t->place_fd},
        .n_fds = 1,
    };

    return pipeline_add(p, &stage);
}

int object_add_get(Pipeline *p, const Target *t, const char *name, const char *sha256,
                   ProgressPart part) {
    _cleanup_free_ char *option = NULL;
    const char *argv[ARGUMENTS_MAX] = {program, "get", PLACE_OPTION};
    char text[PART_SIZE];
    size_t n = 3;
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
        argv[n++] = option;
    }
    n = add_part(argv, n, part, text);
    argv[n++] = "--";
    argv[n++] = name;
    argv[n] = "-";
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

/* `file_fd` may be -1. */
static int run(Work *w, const Target *t, int file_fd, const char *const *argv,
               struct json_object **ret, char **ret_code, char **ret_text) {
    _cleanup_(pipeline_freep) Pipeline *p = pipeline_new(w->deadline_usec);
    _cleanup_json_ struct json_object *o = NULL;
    const Stage stage = {.name = "dcm-object",
                         .argv = argv,
                         .fds = {t->place_fd, file_fd},
                         .n_fds = file_fd >= 0 ? 2 : 1,
                         .status_max = 126};
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
    return run(w, t, -1, argv, ret, ret_code, ret_text);
}

int object_put_file(Work *w, const Target *t, int fd, const char *name, ProgressPart part,
                    struct json_object **ret, char **ret_code, char **ret_text) {
    const char *argv[ARGUMENTS_MAX];
    char text[PART_SIZE];

    return run(w, t, fd, format_put(t, NULL, FILE_OPERAND, name, part, text, argv), ret, ret_code,
               ret_text);
}

int target_describe(const Target *t, char **ret) {
    const Place *p = &t->place;

    return asprintf(ret, "%s, %s %.*s", place_kind_name(p->kind),
                    place_has_buckets(p) ? "bucket" : "directory", UTF8_SHORT(p->bucket, 100)) < 0
               ? -ENOMEM
               : 0;
}

int target_to_copy(const Target *t, RecordCopy *ret) {
    const Place *p = &t->place;

    TRY(free_and_strdup(&ret->provider, place_kind_name(p->kind)));
    TRY(free_and_strdup(&ret->endpoint, p->endpoint));
    TRY(free_and_strdup(&ret->region, p->region));
    TRY(free_and_strdup(&ret->account, p->account));
    return free_and_strdup(&ret->bucket, p->bucket);
}
