/* SPDX-License-Identifier: Apache-2.0 */
/* The operations by rclone. Its exit status says little: each answer is looked at. */
#include <stdio.h>

#include "basic/strv.h"
#include "basic/time-util.h"
#include "basic/utf8.h"
#include "dcm-object/store.h"

#define TRIES_MAX 3u
#define TRY_AGAIN_USEC (10 * USEC_PER_SEC) /* who failed slowly will not be better at once */
#define FULL_SIZE ((uint64_t)1024 * 1024)  /* so little space left is none */
#define BIG_SIZE ((uint64_t)100 * 1024 * 1024 * 1024)
#define ANSWER_MAX ((size_t)64 * 1024) /* about one object */

typedef struct Arguments {
    char **list;
    size_t n;
} Arguments;

static void arguments_done(Arguments *a) {
    strv_free(a->list);
}

static int add(Arguments *a, const char *text) {
    return strv_push(&a->list, &a->n, strdup(text));
}

/* rclone VERB --flags. No statistics: they would tell what is known here, and wake both up. */
static int begin(const Store *s, Arguments *a, const char *verb) {
    static const char *const flags[] = {
        "--use-json-log", "--log-level=NOTICE",    "--stats=0", "--retries=1", "--contimeout=20s",
        "--timeout=60s",  "--low-level-retries=3",
    };

    TRY(add(a, "rclone"));
    TRY(add(a, verb));
    for (size_t i = 0; i < ELEMENTSOF(flags); i++)
        TRY(add(a, flags[i]));
    return s->config.is_authority ? add(a, "--ca-cert=/proc/self/fd/3") : 0;
}

/* What follows the double dash is no flag, whatever its name. */
static int add_path(const Store *s, Arguments *a, const char *name) {
    char *path;

    if (a->n > 0 && !streq(a->list[a->n - 1], "--") && strncmp(a->list[a->n - 1], "x:", 2) != 0)
        TRY(add(a, "--"));
    TRY(rclone_path(s->place, name, &path));
    return strv_push(&a->list, &a->n, path);
}

static int no_memory(Failure *f) {
    return failure_set(f, FAILURE_OTHER, "No memory");
}

static FailureCode code_of(const RunResult *r) {
    return r->evidence.code == FAILURE_NONE ? FAILURE_OTHER : r->evidence.code;
}

/* What is not to be seen from rclone's own words. */
static const char *hint_of(const Store *s, const RunResult *r) {
    return s->place->kind == PLACE_SFTP && strstr(r->evidence.text, "knownhosts")
               ? " (the server has none of the keys that the place's hostKey has; give all of them)"
               : "";
}

/* What rclone said, as a failure. */
static int failure_of(const Store *s, const RunResult *r, const char *what, const char *name,
                      Failure *f) {
    const char *why = *r->evidence.text ? r->evidence.text : "rclone does not say why";

    return failure_set(f, code_of(r), "%s %.*s%s%.*s failed: %s%s", what, UTF8_SHORT(name, 200),
                       name ? " in " : "the bucket ", UTF8_SHORT(s->place->bucket, 100), why,
                       hint_of(s, r));
}

/* --- what is asked again where the failure may pass ----------------------------------------------
 */

typedef struct Answer {
    char text[ANSWER_MAX];
    size_t size;
} Answer;

static int on_answer(void *userdata, const void *data, size_t size) {
    Answer *a = userdata;

    if (size > sizeof(a->text) - a->size)
        return -EFBIG;
    memcpy(a->text + a->size, data, size);
    a->size += size;
    return 0;
}

/* Runs rclone until it succeeds, or fails for a reason that will not pass. rclone has tried some
 * requests again by itself; this is for all the others. */
static int run_again(Store *s, const RunSpec *spec, RunResult *ret, Failure *f) {
    int r = 0;

    for (unsigned i = 0; i < TRIES_MAX; i++) {
        const uint64_t began = now_usec(CLOCK_BOOTTIME);

        if (spec->on_output == on_answer)
            ((Answer *)spec->userdata)->size = 0;
        r = run_rclone(&s->session, spec, ret, f);
        if (r < 0 || ret->exit_status == 0 || !failure_may_pass(code_of(ret)) ||
            now_usec(CLOCK_BOOTTIME) - began > TRY_AGAIN_USEC)
            break;
    }
    return r;
}

static int ask(Store *s, char **arguments, Answer *answer, RunResult *ret, Failure *f) {
    const RunSpec spec = {.arguments = arguments,
                          .input_fd = -1,
                          .on_output = answer ? on_answer : NULL,
                          .userdata = answer};
    int r = run_again(s, &spec, ret, f);

    return r == -ECANCELED ? failure_set(f, FAILURE_OTHER, "rclone's answer is too long") : r;
}

/* --- about one object or the bucket --------------------------------------------------------------
 */

static int read_info(struct json_object *o, ObjectInfo *ret) {
    struct json_object *hashes = json_get(o, "Hashes");
    const char *md5 = hashes ? json_get_string(hashes, "md5") : NULL;
    int64_t size;

    TRY(json_to_integer(json_get(o, "Size"), &size));
    *ret = (ObjectInfo){.size = size < 0 ? UINT64_MAX : (uint64_t)size};
    (void)utf8_format(ret->modified, sizeof(ret->modified), "%s",
                      strempty(json_get_string(o, "ModTime")));
    if (md5 && strlen(md5) == MD5_HEX_SIZE - 1)
        (void)utf8_format(ret->md5, sizeof(ret->md5), "%s", md5);
    return 0;
}

static bool is_directory(struct json_object *o) {
    struct json_object *value = json_get(o, "IsDir");

    return value && json_object_get_boolean(value);
}

static int no_object(const Store *s, const char *name, Failure *f) {
    return failure_set(f, FAILURE_NO_OBJECT, "There is no object %.*s in %.*s",
                       UTF8_SHORT(name, 200), UTF8_SHORT(s->place->bucket, 100));
}

static int no_bucket(const Store *s, Failure *f) {
    return failure_set(f, FAILURE_NO_BUCKET, "There is no %s %.*s",
                       place_has_buckets(s->place) ? "bucket" : "directory",
                       UTF8_SHORT(s->place->bucket, 100));
}

static int find_bucket(Store *s, bool *ret_is_there, Failure *f);

/* Missing can be the object, or the bucket as well. */
static int missing(Store *s, const char *name, Failure *f) {
    bool is_there = false;

    TRY(find_bucket(s, &is_there, f));
    return is_there ? no_object(s, name, f) : no_bucket(s, f);
}

static int head(Store *s, const char *name, ObjectInfo *ret, Failure *f) {
    _cleanup_(arguments_done) Arguments a = {};
    _cleanup_json_ struct json_object *o = NULL;
    _cleanup_free_ Answer *answer = malloc(sizeof(*answer));
    RunResult result;

    if (!answer || begin(s, &a, "lsjson") < 0 || add(&a, "--stat") < 0 || add(&a, "--hash") < 0 ||
        add(&a, "--hash-type=md5") < 0 || add_path(s, &a, name) < 0)
        return no_memory(f);
    TRY(ask(s, a.list, answer, &result, f));
    if (result.exit_status != 0) {
        const FailureCode code = code_of(&result);

        if (code == FAILURE_NO_OBJECT || code == FAILURE_NO_BUCKET)
            return missing(s, name, f);
        return failure_of(s, &result, "Looking for", name, f);
    }
    if (json_parse_small(answer->text, answer->size, &o) < 0 || !o || is_directory(o))
        return missing(s, name, f);
    if (read_info(o, ret) < 0)
        return failure_set(f, FAILURE_OTHER, "rclone's answer about an object has no size");
    return 0;
}

static int stop_list(void *userdata, const void *data, size_t size) {
    (void)userdata;
    (void)data;
    (void)size;
    return -ECANCELED;
}

/* The first piece of a list says that the bucket is there: the rest may be long. */
static int find_bucket(Store *s, bool *ret_is_there, Failure *f) {
    _cleanup_(arguments_done) Arguments a = {};
    RunSpec spec = {.input_fd = -1, .on_output = stop_list};
    RunResult result;
    int r;

    if (begin(s, &a, "lsf") < 0 || add(&a, "--max-depth=1") < 0 || add_path(s, &a, NULL) < 0)
        return no_memory(f);
    spec.arguments = a.list;
    r = run_again(s, &spec, &result, f);
    if (r == -EIO)
        return r;
    *ret_is_there = r == -ECANCELED || result.exit_status == 0;
    if (*ret_is_there || code_of(&result) == FAILURE_NO_BUCKET ||
        result.evidence.is_directory_missing)
        return 0;
    return failure_of(s, &result, "Looking for", NULL, f);
}

static int act(Store *s, const char *verb, const char *from, const char *to, const char *what,
               Failure *f) {
    _cleanup_(arguments_done) Arguments a = {};
    RunResult result;

    if (begin(s, &a, verb) < 0 || add_path(s, &a, from) < 0 || (to && add_path(s, &a, to) < 0))
        return no_memory(f);
    TRY(ask(s, a.list, NULL, &result, f));
    return result.exit_status == 0 ? 0 : failure_of(s, &result, what, from, f);
}

static int make_bucket(Store *s, Failure *f) {
    return act(s, "mkdir", NULL, NULL, "Making", f);
}

static int move(Store *s, const char *from, const char *to, Failure *f) {
    return act(s, "moveto", from, to, "Renaming", f);
}

static int remove_object(Store *s, const char *name, Failure *f) {
    return act(s, "deletefile", name, NULL, "Deleting", f);
}

/* Only S3 keeps parts until somebody ends the upload. */
static int end_uploads(Store *s, const char *prefix, uint64_t age_usec, Failure *f) {
    _cleanup_(arguments_done) Arguments a = {};
    RunResult result;
    char age[64];

    if (!s->config.is_s3)
        return 0;
    (void)snprintf(age, sizeof(age), "--option=max-age=%llus",
                   (unsigned long long)(age_usec / USEC_PER_SEC));
    if (begin(s, &a, "backend") < 0 || add(&a, age) < 0 || add(&a, "cleanup") < 0 ||
        add_path(s, &a, prefix) < 0)
        return no_memory(f);
    TRY(ask(s, a.list, NULL, &result, f));
    return result.exit_status == 0 ? 0 : failure_of(s, &result, "Ending old uploads of", prefix, f);
}

/* --- contents ------------------------------------------------------------------------------------
 */

/* What needs the size: WebDAV, since rclone would keep a stream in a file first; and S3, where
 * parts of the usual size would become too many. Elsewhere a stream of parts is better, of which
 * one can be sent again. */
static int add_size(const Store *s, Arguments *a, uint64_t size) {
    char text[32];

    if (size == SIZE_UNKNOWN || (s->place->kind != PLACE_WEBDAV && size < BIG_SIZE))
        return 0;
    (void)snprintf(text, sizeof(text), "--size=%llu", (unsigned long long)size);
    return add(a, text);
}

/* Whether there is less space than `size`. sshd says "failure" for what it has no code for, a full
 * disk among others; rclone has deleted then what it had written. */
static bool is_full(Store *s, uint64_t size) {
    _cleanup_(arguments_done) Arguments a = {};
    _cleanup_json_ struct json_object *o = NULL;
    _cleanup_free_ Answer *answer = malloc(sizeof(*answer));
    RunResult result;
    int64_t left;
    Failure f;

    if (s->place->kind != PLACE_SFTP || !answer || begin(s, &a, "about") < 0 ||
        add(&a, "--json") < 0 || add_path(s, &a, NULL) < 0 ||
        ask(s, a.list, answer, &result, &f) < 0 || result.exit_status != 0 ||
        json_parse_small(answer->text, answer->size, &o) < 0)
        return false;
    return json_to_integer(json_get(o, "free"), &left) >= 0 && (uint64_t)left < size;
}

static int write_failed(Store *s, uint64_t size, RunResult *r, const char *name, Failure *f) {
    const uint64_t needed = size == SIZE_UNKNOWN ? r->input_size : size;

    if (code_of(r) == FAILURE_OTHER && is_full(s, MAX(needed, FULL_SIZE)))
        r->evidence.code = FAILURE_NO_SPACE_THERE;
    return failure_of(s, r, "Writing", name, f);
}

static int write_object(Store *s, const char *name, const RunSpec *from, RunResult *ret,
                        Failure *f) {
    _cleanup_(arguments_done) Arguments a = {};
    RunSpec spec = *from;

    if (s->place->kind == PLACE_WEBDAV && from->input_size == SIZE_UNKNOWN)
        return failure_set(f, FAILURE_UNSUPPORTED,
                           "WebDAV must know the size of an object beforehand: put a file, or give "
                           "the size of standard input (--size)");
    if (begin(s, &a, "rcat") < 0 || add(&a, "--s3-no-check-bucket") < 0 ||
        add_size(s, &a, from->input_size) < 0 || add_path(s, &a, name) < 0)
        return no_memory(f);
    spec.arguments = a.list;
    TRY(run_rclone(&s->session, &spec, ret, f));
    return ret->exit_status == 0 ? 0 : write_failed(s, from->input_size, ret, name, f);
}

static int read_object(Store *s, const char *name, uint64_t offset, const RunSpec *to,
                       RunResult *ret, Failure *f) {
    _cleanup_(arguments_done) Arguments a = {};
    RunSpec spec = *to;
    char number[32];

    (void)snprintf(number, sizeof(number), "--offset=%llu", (unsigned long long)offset);
    if (begin(s, &a, "cat") < 0 || (offset > 0 && add(&a, number) < 0) || add_path(s, &a, name) < 0)
        return no_memory(f);
    spec.arguments = a.list;
    TRY(run_rclone(&s->session, &spec, ret, f));
    return ret->exit_status == 0 ? 0 : failure_of(s, ret, "Reading", name, f);
}

/* --- lists ---------------------------------------------------------------------------------------
 */

typedef struct Lister {
    const char *prefix; /* what the names begin with */
    const char *folder; /* of the prefix, which the list is of: what precedes rclone's names */
    ObjectHandler handler;
    void *userdata;
    char line[OBJECT_LINE_MAX];
    size_t size;
} Lister;

/* "{...}," or "{...}" or a bracket: lsjson writes an object of its array per line. */
static int take_line(Lister *l) {
    _cleanup_json_ struct json_object *o = NULL;
    _cleanup_free_ char *name = NULL;
    size_t size = l->size;
    ObjectInfo info;

    l->size = 0;
    if (size > 0 && l->line[size - 1] == ',')
        size--;
    if (size < 2 || l->line[0] != '{')
        return 0;
    TRY(json_parse_small(l->line, size, &o));
    if (!json_get_string(o, "Path"))
        return -EBADMSG;
    TRY(read_info(o, &info));
    if (asprintf(&name, "%s%s", l->folder, json_get_string(o, "Path")) < 0)
        return -ENOMEM;
    return strncmp(name, l->prefix, strlen(l->prefix)) == 0 ? l->handler(l->userdata, name, &info)
                                                            : 0;
}

static int on_list(void *userdata, const void *data, size_t size) {
    Lister *l = userdata;
    const char *text = data;

    for (size_t i = 0; i < size; i++)
        if (text[i] == '\n')
            TRY(take_line(l));
        else if (l->size == sizeof(l->line))
            return -EFBIG;
        else
            l->line[l->size++] = text[i];
    return 0;
}

static int list_failed(int error, Failure *f) {
    if (error == -ENOBUFS)
        return failure_set(f, FAILURE_OTHER,
                           "There are more than %u objects; ask for those with a longer prefix",
                           OBJECTS_LISTED_MAX);
    return failure_set(f, FAILURE_OTHER, "rclone's list cannot be read: %s", strerror(-error));
}

static int list_folder(Store *s, Lister *l, Failure *f) {
    _cleanup_(arguments_done) Arguments a = {};
    RunSpec spec = {.input_fd = -1, .on_output = on_list, .userdata = l};
    RunResult result;
    int r;

    if (begin(s, &a, "lsjson") < 0 || add(&a, "--recursive") < 0 || add(&a, "--files-only") < 0 ||
        add_path(s, &a, *l->folder ? l->folder : NULL) < 0)
        return no_memory(f);
    spec.arguments = a.list;
    r = run_rclone(&s->session, &spec, &result, f);
    if (r == -ECANCELED)
        return list_failed(result.error, f);
    if (r < 0 || result.exit_status == 0)
        return r;
    if (result.evidence.is_directory_missing) {
        bool is_there = false;

        TRY(find_bucket(s, &is_there, f));
        return is_there ? 0 : no_bucket(s, f);
    }
    return failure_of(s, &result, "Listing", NULL, f);
}

static int list(Store *s, const char *prefix, ObjectHandler handler, void *userdata, Failure *f) {
    const char *slash = strrchr(prefix, '/');
    _cleanup_free_ char *folder = strndup(prefix, slash ? (size_t)(slash - prefix) + 1 : 0);
    _cleanup_free_ Lister *l = calloc(1, sizeof(*l));

    if (!folder || !l)
        return no_memory(f);
    l->prefix = prefix;
    l->folder = folder;
    l->handler = handler;
    l->userdata = userdata;
    return list_folder(s, l, f);
}

const StoreOperations remote_operations = {
    .find_bucket = find_bucket,
    .make_bucket = make_bucket,
    .head = head,
    .write = write_object,
    .read = read_object,
    .move = move,
    .list = list,
    .remove = remove_object,
    .end_uploads = end_uploads,
};
