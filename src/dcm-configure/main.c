/* SPDX-License-Identifier: Apache-2.0 */
/* dcm-configure: configures this server by Puppet, Chef, Ansible or scripts. The command
 * configure_server runs it (dcm-agent-commands(7)), and administrators may. */
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <sys/stat.h>

#include "basic/bounds.h"
#include "basic/fd-util.h"
#include "basic/file-util.h"
#include "basic/log.h"
#include "cli/job-arguments.h"
#include "cli/verb-table.h"
#include "dcm-configure/run.h"
#include "dcm-configure/settle.h"
#include "proto/text.h"

#define EXIT_USAGE 2
#define SUMMARY_SIZE_MAX ((size_t)64 * 1024)

typedef struct Outcome {
    int status;
    char *out, *err;
    size_t out_size, err_size;
    struct json_object *summary; /* NULL: the script has written none */
} Outcome;

static void outcome_done(Outcome *o) {
    free(o->out);
    free(o->err);
    (void)json_object_put(o->summary);
}

/* --- the work ------------------------------------------------------------------------------- */

static int append(char **text, size_t *size, const char *more, size_t more_size) {
    char *grown = realloc(*text, *size + more_size + 1);

    if (!grown)
        return -ENOMEM;
    if (more_size > 0)
        memcpy(grown + *size, more, more_size);
    *text = grown;
    *size += more_size;
    return 0;
}

static int run_once(const ConfigurePlan *plan, const Place *place, const char *object, Outcome *o) {
    _cleanup_(program_result_done) ProgramResult result = {};
    Console console = {};

    TRY(run_script(plan, place, object, &console, &result));
    o->status = result.status;
    TRY(append(&o->out, &o->out_size, result.out, result.out_size));
    return append(&o->err, &o->err_size, result.err, result.err_size);
}

/* The first failure ends it. */
static int run_objects(const ConfigurePlan *plan, const Place *place, Outcome *o) {
    for (size_t i = 0; i < plan->n_objects && o->status == 0; i++) {
        _cleanup_free_ char *path = NULL;

        if (asprintf(&path, "%s/script-%zu", place->path, i + 1) < 0) {
            path = NULL;
            return -ENOMEM;
        }
        TRY(run_download(plan, &plan->objects[i], path));
        TRY(run_once(plan, place, path, o));
    }
    return 0;
}

/* A script need not write one; what it writes must be a JSON object. */
static void read_summary(const Place *place, Outcome *o) {
    _cleanup_free_ char *text = NULL;
    size_t size;
    int r = read_file_at(AT_FDCWD, place->summary, SUMMARY_SIZE_MAX, &text, &size);

    if (r == -ENOENT)
        return;
    if (r >= 0)
        r = json_parse_small(text, size, &o->summary);
    if (r >= 0 && !json_object_is_type(o->summary, json_type_object)) {
        (void)json_object_put(o->summary);
        o->summary = NULL;
        r = -EBADMSG;
    }
    if (r < 0)
        (void)log_error_errno(r, "The summary of the script cannot be read: %m");
}

static int work(const ConfigurePlan *plan, Outcome *o) {
    _cleanup_(place_done) Place place = {.turn_fd = -1};

    TRY(place_make(plan, &place));
    TRY(plan->objects ? run_objects(plan, &place, o) : run_once(plan, &place, NULL, o));
    read_summary(&place, o);
    return 0;
}

/* --- the reply ------------------------------------------------------------------------------ */

static struct json_object *new_text(const char *text, size_t size) {
    _cleanup_free_ char *valid = NULL;

    return utf8_replace_invalid(strempty(text), size, &valid) >= 0 ? json_object_new_string(valid)
                                                                   : NULL;
}

/* A program may write its error to standard output alone. */
static int add_message(struct json_object *reply, const Outcome *o) {
    return o->status == 0 || o->err_size == 0
               ? json_add(reply, "message", new_text(o->out, o->out_size))
               : json_add(reply, "message", new_text(o->err, o->err_size));
}

/* With a summary it is the object, and what the script wrote the message; without one the object is
 * what it wrote, as it was with the Python agent. */
static int fill_reply(struct json_object *reply, const Outcome *o) {
    TRY(json_add_int(reply, "return_code", o->status));
    if (o->summary) {
        TRY(json_add_string(reply, "reply_type", "configuration"));
        TRY(json_add(reply, "reply_object", json_object_get(o->summary)));
    } else if (o->status == 0) {
        TRY(json_add_string(reply, "reply_type", "string"));
        return json_add(reply, "reply_object", new_text(o->out, o->out_size));
    }
    return add_message(reply, o);
}

static int print_reply(const Outcome *o) {
    _cleanup_json_ struct json_object *reply = json_object_new_object();
    int r = reply ? fill_reply(reply, o) : -ENOMEM;
    const char *text = r >= 0 ? json_to_text(reply, NULL) : NULL;

    if (!text || puts(text) == EOF || fflush(stdout) != 0) {
        (void)log_error_errno(r < 0 ? r : ENOMEM, "The reply cannot be printed: %m");
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}

/* --- the command line ----------------------------------------------------------------------- */

static const Verb verbs[] = {
    {"run", "", 0, 0, "do what configure_server does", "run <request"},
    {"settle", "", 0, 0, "end the other processes of this unit, but wait for work with packages",
     "settle"},
};
enum { VERB_RUN, VERB_SETTLE };

static const VerbTable verb_table = {
    .program = "dcm-configure",
    .about = "Configures this server by Puppet, Chef, Ansible or scripts. Arguments are a JSON "
             "object on\nstandard input, the reply is on standard output.",
    .verbs = verbs,
    .n_verbs = ELEMENTSOF(verbs),
    .options = (const Option[]){OPTION_VERSION, OPTION_HELP},
    .n_options = 2,
    .preset = -1,
    .notes = "Exit status: 0 the reply is printed, and says what came of it; 1 no reply, 2 wrong "
             "usage.",
};

static int configure(void) {
    _cleanup_(configure_plan_done) ConfigurePlan plan = {};
    _cleanup_(outcome_done) Outcome outcome = {};
    _cleanup_json_ struct json_object *arguments = NULL;
    _cleanup_free_ char *error = NULL;
    int r;

    TRY(job_arguments_read(&arguments));
    r = configure_plan(arguments, &plan, &error);
    if (r < 0)
        return log_error_errno(r, "%s", error ?: strerror(-r));
    r = work(&plan, &outcome);
    return r < 0 ? r : print_reply(&outcome);
}

int main(int argc, char *argv[]) {
    size_t verb;
    int r;

    log_set_identifier("dcm-configure");
    (void)umask(077);
    r = verb_table_parse(&verb_table, argc, argv, NULL, &verb);
    if (r <= 0)
        return r < 0 ? EXIT_USAGE : EXIT_SUCCESS;
    /* a failure of ExecStop= is one of the unit, for which the end by SIGTERM would be a success */
    r = verb == VERB_SETTLE ? settle_processes() : configure();
    return r < 0 ? EXIT_FAILURE : r;
}
