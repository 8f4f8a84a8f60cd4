/* SPDX-License-Identifier: Apache-2.0 */
/* dcm-object - puts objects into object storage and gets them from there; for scripts. */
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "basic/fd-util.h"
#include "basic/file-util.h"
#include "basic/log.h"
#include "basic/parse-util.h"
#include "basic/standard-streams.h"
#include "basic/terminal.h"
#include "basic/time-util.h"
#include "cli/verb-table.h"
#include "dcm-object/place-request.h"
#include "dcm-object/remains.h"
#include "dcm-object/transfer.h"

#define SECONDS_MAX (30.0 * 24 * 3600)
#define TIMEOUT_SEC (24.0 * 3600)
#define PATIENCE_SEC 300.0
#define OLDER_SEC (25 * 3600.0) /* longer than a transfer may take, and clocks may differ */

enum { VERB_PUT, VERB_GET, VERB_HEAD, VERB_LIST, VERB_DELETE, VERB_TIDY, _VERB_MAX };
#define ON(verb) (1u << VERB_##verb)

typedef struct Options {
    const char *place_file, *sha256, *region;
    PlaceRequest request; /* _PLACE_REQUEST_MAX: the file is a place itself */
    uint64_t size;
    int confirm_fd;
    double timeout_sec, patience_sec, older_sec;
    ProgressPart part;
    bool create_bucket, no_read_back, progress, job_progress;
} Options;

typedef struct Call {
    Options options;
    Place place;
    Store store;
    char **operands;
    struct json_object *result; /* keys of a success */
    FILE *to;
} Call;

static int parse_seconds(const char *text, void *ret) {
    char *end;
    double value = strtod(text, &end);

    if (end == text || *end || !(value > 0 && value <= SECONDS_MAX)) {
        terminal_printf(stderr, "dcm-object: not a number of seconds: %s\n", text);
        return -EINVAL;
    }
    *(double *)ret = value;
    return 0;
}

static int parse_bytes(const char *text, void *ret) {
    if (parse_size(text, ret) < 0) {
        terminal_printf(stderr, "dcm-object: not a number of bytes: %s\n", text);
        return -EINVAL;
    }
    return 0;
}

static int parse_descriptor(const char *text, void *ret) {
    char *end;
    const long value = strtol(text, &end, 10);

    if (end == text || *end || value < 0 || value > INT_MAX || fcntl((int)value, F_GETFD) < 0) {
        terminal_printf(stderr, "dcm-object: not an open descriptor: %s\n", text);
        return -EINVAL;
    }
    *(int *)ret = (int)value;
    return 0;
}

static int parse_sha256(const char *text, void *ret) {
    if (strlen(text) != SHA256_HEX_SIZE - 1 ||
        strspn(text, "0123456789abcdefABCDEF") != SHA256_HEX_SIZE - 1) {
        terminal_printf(stderr, "dcm-object: not a SHA-256 in hex: %s\n", text);
        return -EINVAL;
    }
    return option_take_text(text, ret);
}

static int parse_part(const char *text, void *ret) {
    ProgressPart part = {};
    int end = -1;

    if (sscanf(text, "%3u-%3u%n", &part.first, &part.last, &end) != 2 || text[end] ||
        part.first >= part.last || part.last > 100) {
        terminal_printf(stderr, "dcm-object: not two numbers up to 100 as 50-100: %s\n", text);
        return -EINVAL;
    }
    *(ProgressPart *)ret = part;
    return 0;
}

static int parse_request(const char *text, void *ret) {
    const PlaceRequest request = place_request_of(text);

    if (request == _PLACE_REQUEST_MAX) {
        terminal_printf(stderr, "dcm-object: not a command that names a place: %s\n", text);
        return -EINVAL;
    }
    *(PlaceRequest *)ret = request;
    return 0;
}

static const Verb verbs[_VERB_MAX] = {
    [VERB_PUT] = {"put", "FILE NAME", 2, 2, "write a file, or standard input (-), as an object",
                  "put --place=/run/place.json db.tar backups/db.tar"},
    [VERB_GET] = {"get", "NAME FILE", 2, 2, "read an object into a file, or standard output (-)",
                  "get --place=/run/place.json backups/db.tar db.tar"},
    [VERB_HEAD] = {"head", "NAME", 1, 1, "size and time of an object",
                   "head --place=/run/place.json backups/db.tar"},
    [VERB_LIST] = {"list", "[PREFIX]", 0, 1, "the objects whose names begin with PREFIX",
                   "list --place=/run/place.json backups/"},
    [VERB_TIDY] = {"tidy", "PREFIX", 1, 1,
                   "remove what killed uploads of objects whose names begin with PREFIX have left",
                   "tidy --place=/run/place.json backups/"},
    [VERB_DELETE] = {"delete", "NAME", 1, 1, "delete an object",
                     "delete --place=/run/place.json backups/db.tar"},
};

static const Option options[] = {
    {"place", "FILE", offsetof(Options, place_file), option_take_text,
     "JSON that says where: provider, endpoint, bucket, keys"},
    {"request", "COMMAND", offsetof(Options, request), parse_request,
     "the JSON has the arguments of this command of the agent instead"},
    {"region", "REGION", offsetof(Options, region), option_take_text,
     "with --request: the region where the arguments name none"},
    {"create-bucket", NULL, offsetof(Options, create_bucket), option_set_flag,
     "create the bucket if there is none", .verbs = ON(PUT)},
    {"no-read-back", NULL, offsetof(Options, no_read_back), option_set_flag,
     "compare the size only, do not read back what was written", .verbs = ON(PUT)},
    {"sha256", "HEX", offsetof(Options, sha256), parse_sha256, "SHA-256 that the content must have",
     .verbs = ON(PUT) | ON(GET)},
    {"size", "BYTES", offsetof(Options, size), parse_bytes, "how much standard input has",
     .verbs = ON(PUT)},
    {"confirm-fd", "FD", offsetof(Options, confirm_fd), parse_descriptor,
     "make an object only if a byte comes from FD at the end of standard input", .verbs = ON(PUT)},
    {"timeout", "SECONDS", offsetof(Options, timeout_sec), parse_seconds,
     "how long everything may take", "86400"},
    {"older-than", "SECONDS", offsetof(Options, older_sec), parse_seconds,
     "only what nobody has written to for so long", "90000", .verbs = ON(TIDY)},
    {"patience", "SECONDS", offsetof(Options, patience_sec), parse_seconds,
     "how long nothing may move", "300"},
    {"progress", NULL, offsetof(Options, progress), option_set_flag,
     "write per cent to standard error", .verbs = ON(PUT) | ON(GET)},
    {"job-progress", NULL, offsetof(Options, job_progress), option_set_flag,
     "report per cent as the job's progress", .verbs = ON(PUT) | ON(GET)},
    {"progress-part", "FIRST-LAST", offsetof(Options, part), parse_part,
     "what is told at the beginning and at the end", "0-100", .verbs = ON(PUT) | ON(GET)},
    OPTION_VERSION,
    OPTION_HELP,
};

static const VerbTable table = {
    .program = "dcm-object",
    .about = "For scripts of dcm-agent: object storage. Prints one JSON object.",
    .verbs = verbs,
    .n_verbs = _VERB_MAX,
    .options = options,
    .n_options = ELEMENTSOF(options),
    .preset = -1,
    .notes = "Exit status: 0 done, 1 other, 2 usage, 10 no such bucket, 11 no such object, 12 "
             "forbidden, 13 cut off, 14 no space here, 15 no space there, 16 wrong endpoint, 17 "
             "clock, 18 unsupported, 19 timeout, 20 damaged; see dcm-object(8).",
};

static void call_done(Call *c) {
    store_done(&c->store);
    place_done(&c->place);
    (void)json_object_put(c->result);
}

/* --- the place -----------------------------------------------------------------------------------
 */

static int read_place_text(const Options *o, char **ret, size_t *ret_size, Failure *f) {
    const size_t size_max = o->request < _PLACE_REQUEST_MAX ? JOB_INPUT_MAX : PLACE_SIZE_MAX;
    int r = read_file_at(AT_FDCWD, o->place_file, size_max, ret, ret_size);

    return r < 0 ? failure_set(f, FAILURE_USAGE, "The place cannot be read from %s: %s",
                               o->place_file, strerror(-r))
                 : 0;
}

/* The first copy's place. */
static int parse_arguments(Call *c, const char *text, size_t size, char **ret_problem) {
    _cleanup_json_ struct json_object *arguments = NULL;
    _cleanup_(request_places_done) RequestPlaces places = {};

    if (json_parse(text, size, &arguments) < 0 || !json_object_is_type(arguments, json_type_object))
        return -EBADMSG;
    TRY(places_of_request(c->options.request, arguments, c->options.region, &places, ret_problem));
    c->place = places.primary;
    places.primary = (Place){};
    return 0;
}

static int parse_place(Call *c, const char *text, size_t size, char **ret_problem) {
    return c->options.request < _PLACE_REQUEST_MAX
               ? parse_arguments(c, text, size, ret_problem)
               : place_parse(text, size, &c->place, ret_problem);
}

static int read_place(Call *c, Failure *f) {
    _cleanup_free_ char *text = NULL, *problem = NULL;
    size_t size = 0;
    int r;

    if (!c->options.place_file)
        return failure_set(f, FAILURE_USAGE, "--place=FILE is missing");
    TRY(read_place_text(&c->options, &text, &size, f));
    r = parse_place(c, text, size, &problem);
    explicit_bzero(text, size);
    if (r >= 0)
        return 0;
    if (r == -EBADMSG)
        return failure_set(f, FAILURE_USAGE, "The arguments of the request are no JSON object");
    return failure_set(f, r == -EOPNOTSUPP ? FAILURE_UNSUPPORTED : FAILURE_USAGE, "%s",
                       problem ?: "No memory");
}

static int check_name(const char *name, Failure *f) {
    return object_name_is_valid(name)
               ? 0
               : failure_set(f, FAILURE_USAGE,
                             "This can be no object's name: it is empty, too long or no text, or "
                             "one of its parts between slashes is empty, \".\" or \"..\"");
}

/* --- verbs ---------------------------------------------------------------------------------------
 */

static int no_memory(Failure *f) {
    return failure_set(f, FAILURE_OTHER, "No memory");
}

static Transfer new_transfer(Call *c, const char *name, const char *file) {
    const Options *o = &c->options;

    return (Transfer){
        .store = &c->store,
        .name = name,
        .file = file,
        .sha256 = o->sha256,
        .size = o->size,
        .confirm_fd = o->confirm_fd,
        .create_bucket = o->create_bucket,
        .no_read_back = o->no_read_back,
        .progress = {.to_stderr = o->progress, .to_agent = o->job_progress, .part = o->part}};
}

static int add_digest(Call *c, const DigestResult *d, Failure *f) {
    if (json_add_int(c->result, "size", (int64_t)d->size) < 0 ||
        json_add_string(c->result, "sha256", d->sha256) < 0)
        return no_memory(f);
    return 0;
}

static int put(Call *c, Failure *f) {
    Transfer t = new_transfer(c, c->operands[1], c->operands[0]);

    TRY(check_name(t.name, f));
    TRY(transfer_put(&t, f));
    TRY(add_digest(c, &t.digest, f));
    if (json_add_bool(c->result, "bucketCreated", t.bucket_created) < 0 ||
        json_add_bool(c->result, "readBack", t.is_verified) < 0)
        return no_memory(f);
    return 0;
}

static int get(Call *c, Failure *f) {
    Transfer t = new_transfer(c, c->operands[0], c->operands[1]);

    TRY(check_name(t.name, f));
    TRY(transfer_get(&t, f));
    TRY(add_digest(c, &t.digest, f));
    return json_add_int(c->result, "resumed", t.resumed) < 0 ? no_memory(f) : 0;
}

static int add_info(struct json_object *o, const ObjectInfo *info) {
    if (info->size == UINT64_MAX)
        TRY(json_add_null(o, "size"));
    else
        TRY(json_add_int(o, "size", (int64_t)info->size));
    return json_add_string(o, "modified", info->modified);
}

static int head(Call *c, Failure *f) {
    ObjectInfo info;

    TRY(check_name(c->operands[0], f));
    TRY(c->store.operations->head(&c->store, c->operands[0], &info, f));
    return add_info(c->result, &info) < 0 ? no_memory(f) : 0;
}

static int on_object(void *userdata, const char *name, const ObjectInfo *info) {
    struct json_object *list = userdata, *o;

    if (json_object_array_length(list) >= OBJECTS_LISTED_MAX)
        return -ENOBUFS;
    o = json_object_new_object();
    if (!o || json_add_string(o, "name", name) < 0 || add_info(o, info) < 0 ||
        json_object_array_add(list, o) < 0) {
        (void)json_object_put(o);
        return -ENOMEM;
    }
    return 0;
}

static int compare_names(const void *a, const void *b) {
    struct json_object *const *left = a, *const *right = b;

    return strcmp(strempty(json_get_string(*left, "name")),
                  strempty(json_get_string(*right, "name")));
}

static int list(Call *c, Failure *f) {
    const char *prefix = c->operands[0] ?: "";
    struct json_object *objects = json_object_new_array();

    if (json_add(c->result, "objects", objects) < 0)
        return no_memory(f);
    if (strstr(prefix, "//") || *prefix == '/')
        return failure_set(f, FAILURE_USAGE, "No name of an object begins like this");
    TRY(c->store.operations->list(&c->store, prefix, on_object, objects, f));
    json_object_array_sort(objects, compare_names);
    return 0;
}

/* Deleting what is not there is a failure: its name may be wrong. */
static int delete (Call *c, Failure *f) {
    ObjectInfo info;

    TRY(check_name(c->operands[0], f));
    TRY(c->store.operations->head(&c->store, c->operands[0], &info, f));
    return c->store.operations->remove(&c->store, c->operands[0], f);
}

static int tidy(Call *c, Failure *f) {
    const uint64_t age_usec = (uint64_t)(c->options.older_sec * (double)USEC_PER_SEC);
    unsigned removed;

    TRY(remains_remove(&c->store, c->operands[0], age_usec, &removed, f));
    return json_add_int(c->result, "removed", removed) < 0 ? no_memory(f) : 0;
}

static int (*const functions[_VERB_MAX])(Call *, Failure *) = {
    [VERB_PUT] = put,   [VERB_GET] = get,       [VERB_HEAD] = head,
    [VERB_LIST] = list, [VERB_DELETE] = delete, [VERB_TIDY] = tidy,
};

static int run(Call *c, size_t verb, Failure *f) {
    const Options *o = &c->options;
    const uint64_t now = now_usec(CLOCK_BOOTTIME);

    c->result = json_object_new_object();
    if (json_add_bool(c->result, "ok", true) < 0)
        return no_memory(f);
    TRY(read_place(c, f));
    TRY(store_open(&c->store, &c->place, now + (uint64_t)(o->timeout_sec * (double)USEC_PER_SEC),
                   (uint64_t)(o->patience_sec * (double)USEC_PER_SEC), f));
    return functions[verb](c, f);
}

static int print(FILE *to, struct json_object *o) {
    const char *text = o ? json_to_text(o, NULL) : NULL;

    if (!text)
        return EXIT_FAILURE;
    terminal_put_json(to, text);
    (void)putc('\n', to);
    if (to == stdout)
        return standard_output_flush() < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
    return fflush(to) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int print_failure(FILE *to, const Failure *f) {
    struct json_object *o = json_object_new_object();

    if (o && json_add_bool(o, "ok", false) >= 0 &&
        json_add_string(o, "code", failure_code_name(f->code)) >= 0 &&
        json_add_string(o, "text", f->text) >= 0)
        (void)print(to, o);
    (void)json_object_put(o);
    return failure_exit_status(f->code);
}

int main(int argc, char *argv[]) {
    _cleanup_(call_done) Call c = {
        .options = {.request = _PLACE_REQUEST_MAX,
                    .size = SIZE_UNKNOWN,
                    .confirm_fd = -1,
                    .part = PROGRESS_ALL,
                    .timeout_sec = TIMEOUT_SEC,
                    .patience_sec = PATIENCE_SEC,
                    .older_sec = OLDER_SEC},
        .store = {.session = SESSION_INIT},
        .to = stdout,
    };
    Failure f = {};
    size_t verb;
    int r;

    log_set_identifier("dcm-object");
    r = verb_table_parse(&table, argc, argv, &c.options, &verb);
    if (r <= 0)
        return options_exit_status(r);
    c.operands = argv + optind;
    if (verb == VERB_GET && streq(c.operands[1], "-"))
        c.to = stderr;
    (void)signal(SIGPIPE, SIG_IGN);
    r = run(&c, verb, &f);
    return r < 0 ? print_failure(c.to, &f) : print(c.to, c.result);
}
