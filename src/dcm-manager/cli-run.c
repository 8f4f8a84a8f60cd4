/* SPDX-License-Identifier: Apache-2.0 */
/* `dcm-manager run`: makes the payload, and with --wait exits with the command's return code. */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "basic/bounds.h"
#include "basic/fd-util.h"
#include "basic/file-util.h"
#include "basic/i18n.h"
#include "basic/terminal.h"
#include "basic/time-util.h"
#include "dcm-manager/cli.h"
#include "dcm-manager/client.h"
#include "dcm-manager/payload.h"
#include "proto/text.h"

#define RETURN_CODE_MAX 125 /* larger return codes are mapped */
/* between two queries of a long runner's job */
#define JOB_PAUSE_USEC_MIN (USEC_PER_SEC / 4)
#define JOB_PAUSE_USEC_MAX (30 * USEC_PER_SEC)

static int complain(const char *what, const char *text) {
    terminal_printf(stderr, "dcm-manager: %s: %s\n", what, text);
    return EXIT_USAGE;
}

static int add_arguments_file(const Options *o, struct json_object **arguments) {
    bool is_stdin = streq(o->arguments_file, "-");
    _cleanup_free_ char *text = NULL;
    size_t size = 0;
    int r;

    r = read_file_at(AT_FDCWD, is_stdin ? "/dev/stdin" : o->arguments_file, MESSAGE_SIZE_MAX, &text,
                     &size);
    if (r < 0)
        return complain(o->arguments_file, strerror(-r));
    (void)json_object_put(*arguments);
    *arguments = NULL;
    r = json_parse(text, size, arguments);
    if (r < 0 || !json_object_is_type(*arguments, json_type_object))
        return complain(o->arguments_file, _("not a JSON object of arguments"));
    return 0;
}

static int add_script(const Options *o, struct json_object *arguments) {
    _cleanup_free_ char *script = NULL;
    size_t size = 0;
    int r;

    r = read_file_at(AT_FDCWD, o->script, SCRIPT_SIZE_MAX, &script, &size);
    if (r >= 0)
        r = payload_add_script(arguments, script, size);
    return r < 0 ? complain(o->script, strerror(-r)) : 0;
}

static int build_payload(const Options *o, struct json_object **ret) {
    _cleanup_json_ struct json_object *arguments = json_object_new_object();
    int r = 0;

    if (o->arguments_file)
        r = add_arguments_file(o, &arguments);
    if (r == 0 && o->script)
        r = add_script(o, arguments);
    if (r > 0)
        return r;
    for (size_t i = 0; i < o->n_arguments; i++)
        if (payload_add_argument(arguments, o->arguments[i]) < 0)
            return complain(o->arguments[i], _("neither NAME=VALUE nor NAME:=JSON"));
    r = payload_new(o->operands[1], TAKE_PTR(arguments), o->long_runner, ret);
    return r < 0 ? complain(_("payload"), strerror(-r)) : 0;
}

static struct json_object *run_request(const Options *o, struct json_object *payload) {
    struct json_object *request = client_request("run");

    if (!request) {
        (void)json_object_put(payload);
        return NULL;
    }
    if (json_add(request, "payload", payload) < 0 ||
        json_add_string(request, "agent", o->operands[0]) < 0 ||
        (o->guid && json_add_string(request, "guid", o->guid) < 0)) {
        (void)json_object_put(request);
        return NULL;
    }
    return request;
}

static void print_text(FILE *f, const char *text) {
    size_t size = strlen(text);

    terminal_pass(f, text, size);
    if (size > 0 && text[size - 1] != '\n')
        (void)fputc('\n', f);
}

static void print_error(const char *wire) {
    _cleanup_free_ char *text = NULL;

    print_text(stderr, error_text_for_people(wire, &text) >= 0 ? text : wire);
}

static int print_refusal(const char *error) {
    terminal_printf(stderr, _("dcm-manager: the agent refuses the request: %s\n"), strempty(error));
    return EXIT_REFUSED;
}

/* The return code counts as 1 then. */
static void print_no_reply(struct json_object *reply) {
    if (reply)
        terminal_printf(stderr, _("dcm-manager: the agent's answer is not a reply object: %s\n"),
                        json_object_get_string(reply));
    else
        (void)fprintf(stderr, _("dcm-manager: the agent's reply is null: it has no result\n"));
}

/* The message, or what the reply is about if it has none. */
static void print_result(struct json_object *reply) {
    const char *message = strempty(json_get_string(reply, "message"));
    struct json_object *object = json_get(reply, "reply_object");

    if (!isempty(message) || !object)
        print_text(stdout, message);
    else if (json_object_is_type(object, json_type_string))
        print_text(stdout, json_object_get_string(object));
    else {
        terminal_put_json(stdout,
                          json_object_to_json_string_ext(
                              object, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE));
        (void)putchar('\n');
    }
}

static int print_reply(const Options *o, struct json_object *reply) {
    int64_t return_code = 1;

    (void)json_to_integer(json_get(reply, "return_code"), &return_code);
    if (o->output.json) {
        terminal_put_json(stdout,
                          json_object_to_json_string_ext(
                              reply, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE));
        (void)putchar('\n');
    } else if (!json_object_is_type(reply, json_type_object))
        print_no_reply(reply);
    else {
        print_result(reply);
        print_error(strempty(json_get_string(reply, "error_message")));
    }
    return return_code >= 0 && return_code <= RETURN_CODE_MAX ? (int)return_code : 1;
}

static bool is_refused(struct json_object *request) {
    return streq(strempty(json_get_string(request, "state")), "NACKED");
}

static int print_request(const Options *o, struct json_object *request) {
    return is_refused(request) ? print_refusal(json_get_string(request, "error"))
                               : print_reply(o, json_get(request, "reply"));
}

static int call_wait(Client *client, const char *guid, struct json_object **ret) {
    struct json_object *request = client_request("wait");

    if (request && json_add_string(request, "guid", guid) < 0)
        return EXIT_OTHER;
    return client_call(client, request, ret);
}

static int tell_where(const char *guid, int r) {
    terminal_printf(stderr, _("The request continues; for its reply: dcm-manager show %s\n"), guid);
    return r;
}

static int reconnect(const Options *o, Client **client) {
    *client = client_free(*client);
    return client_new(o->control, o->timeout_sec, client);
}

/* The request outlives a restart of the manager, and so does waiting for it where systemd keeps
 * the socket. */
static int wait_for_reply(const Options *o, Client **client, const char *guid,
                          struct json_object **ret) {
    int r;

    for (;;) {
        client_expect_loss(*client);
        r = call_wait(*client, guid, ret);
        if (r == 0 || r == EXIT_TIMED_OUT || !client_is_lost(*client))
            return r;
        r = reconnect(o, client);
        if (r > 0)
            return r;
    }
}

static int order(const Options *o, Client *client, struct json_object *payload,
                 struct json_object **ret) {
    return client_call(client, run_request(o, payload), ret);
}

/* --- long runners -------------------------------------------------------------------------------
 */

/* A reply that gives a job's number instead of its result. */
static bool find_job(struct json_object *request, int64_t *ret_number) {
    struct json_object *reply = json_get(request, "reply");

    return !is_refused(request) &&
           streq(strempty(json_get_string(reply, "reply_type")), "job_description") &&
           json_to_integer(json_get(json_get(reply, "reply_object"), "job_id"), ret_number) >= 0;
}

static struct json_object *description_payload(int64_t job) {
    struct json_object *arguments = json_object_new_object(), *payload = NULL;

    if (arguments && json_add_int(arguments, "jobId", job) < 0) {
        (void)json_object_put(arguments);
        return NULL;
    }
    return arguments && payload_new("get_job_description", arguments, false, &payload) >= 0
               ? payload
               : NULL;
}

/* The answer to a request of its own. */
static int query_job(const Options *o, Client **client, int64_t job, struct json_object **ret) {
    _cleanup_json_ struct json_object *answer = NULL;
    Options query = *o;
    int r;

    query.guid = NULL;
    client_expect_loss(*client);
    r = order(&query, *client, description_payload(job), &answer);
    if (r > 0 && client_is_lost(*client)) { /* the manager was restarted in the pause */
        r = reconnect(o, client);
        if (r == 0)
            r = order(&query, *client, description_payload(job), &answer);
    }
    return r > 0 ? r
                 : wait_for_reply(&query, client, strempty(json_get_string(answer, "guid")), ret);
}

static bool has_ended(struct json_object *description) {
    const char *status = strempty(json_get_string(description, "job_status"));

    return !streq(status, "WAITING") && !streq(status, "RUNNING");
}

/* Of a job that has ended, or that the agent does not know any more. Without a reply it failed. */
static int print_job(const Options *o, struct json_object *request) {
    struct json_object *description = json_get(json_get(request, "reply"), "reply_object");

    return description ? print_reply(o, json_get(description, "command_reply"))
                       : print_request(o, request);
}

static int tell_job(const Options *o, int64_t job, int r) {
    terminal_printf(stderr,
                    _("The job continues; for its state: dcm-manager run %s get_job_description "
                      "--arg=jobId:=%lld --wait --json\n"),
                    o->operands[0], (long long)job);
    return r;
}

/* Asks again and again, ever more seldom. */
static int follow_job(const Options *o, Client **client, int64_t job) {
    uint64_t pause = JOB_PAUSE_USEC_MIN;

    for (;;) {
        _cleanup_json_ struct json_object *answer = NULL;
        struct json_object *request;
        int r = client_sleep(*client, pause);

        if (r == 0)
            r = query_job(o, client, job, &answer);
        if (r > 0)
            return r == EXIT_TIMED_OUT || !*client ? tell_job(o, job, r) : r;
        request = json_get(answer, "request");
        if (has_ended(json_get(json_get(request, "reply"), "reply_object")))
            return print_job(o, request);
        pause = MIN(pause * 3 / 2, JOB_PAUSE_USEC_MAX);
    }
}

/* --- the verb ----------------------------------------------------------------------------------
 */

static int wait_for_end(const Options *o, Client **client, const char *guid) {
    _cleanup_json_ struct json_object *answer = NULL;
    struct json_object *request;
    int64_t job;
    int r;

    r = wait_for_reply(o, client, guid, &answer);
    if (r > 0)
        return r == EXIT_TIMED_OUT || !*client ? tell_where(guid, r) : r;
    request = json_get(answer, "request");
    return !o->long_runner && find_job(request, &job) ? follow_job(o, client, job)
                                                      : print_request(o, request);
}

int cli_run(const Options *o) {
    _cleanup_json_ struct json_object *answer = NULL;
    _cleanup_(client_freep) Client *client = NULL;
    struct json_object *payload = NULL;
    const char *guid;
    int r;

    r = build_payload(o, &payload);
    if (r > 0)
        return r;
    r = client_new(o->control, o->timeout_sec, &client);
    if (r > 0) {
        (void)json_object_put(payload);
        return r;
    }
    r = order(o, client, payload, &answer);
    if (r > 0)
        return r;
    guid = strempty(json_get_string(answer, "guid"));
    if (o->wait)
        return wait_for_end(o, &client, guid);
    json_object_object_del(answer, "ok");
    if (o->output.json)
        output_print_json(answer, &o->output);
    else
        terminal_printf(stdout, "%s\n", guid);
    return 0;
}
