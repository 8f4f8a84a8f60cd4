/* SPDX-License-Identifier: Apache-2.0 */
/* `dcm-manager run`: makes the payload; of one agent --wait exits with the return code. */
#include "dcm-manager/cli-run-many.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "basic/bounds.h"
#include "basic/fd-util.h"
#include "basic/file-util.h"
#include "basic/i18n.h"
#include "basic/terminal.h"
#include "dcm-manager/cli-run-end.h"
#include "dcm-manager/cli-targets.h"
#include "dcm-manager/cli.h"
#include "dcm-manager/payload.h"
#include "proto/text.h"

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
    r = payload_new(o->command, TAKE_PTR(arguments), o->long_runner, ret);
    return r < 0 ? complain(_("payload"), strerror(-r)) : 0;
}

static int print_refusal(const char *error) {
    terminal_printf(stderr, _("dcm-manager: the agent refuses the request: %s\n"), strempty(error));
    return EXIT_REFUSED;
}

static int print_reply(const Options *o, struct json_object *reply) {
    if (o->output.json) {
        terminal_put_json(stdout,
                          json_object_to_json_string_ext(
                              reply, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE));
        (void)putchar('\n');
    } else
        run_print_texts(reply, stderr);
    return run_return_code(reply);
}

static int print_request(const Options *o, struct json_object *request) {
    return streq(strempty(json_get_string(request, "state")), "NACKED")
               ? print_refusal(json_get_string(request, "error"))
               : print_reply(o, json_get(request, "reply"));
}

static int tell_where(const char *guid, int r) {
    terminal_printf(stderr, _("The request continues; for its reply: dcm-manager show %s\n"), guid);
    return r;
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

/* --- the verb ----------------------------------------------------------------------------------
 */

static int wait_for_end(const Options *o, Client **client, const char *guid) {
    _cleanup_(run_end_done) RunEnd end = {};
    struct json_object *request;
    int r = run_follow(o, client, o->operands[0], guid, &end);

    if (r > 0 && (r == EXIT_TIMED_OUT || !*client))
        return end.has_job ? tell_job(o, end.job, r) : tell_where(guid, r);
    if (r > 0)
        return r;
    request = json_get(end.answer, "request");
    return end.has_job ? print_job(o, request) : print_request(o, request);
}

static int run_one(const Options *o, Client **client, struct json_object *payload) {
    _cleanup_json_ struct json_object *answer = NULL;
    const char *guid;
    int r = run_order(*client, o->operands[0], o->guid, json_object_get(payload), &answer);

    if (r > 0)
        return r;
    guid = strempty(json_get_string(answer, "guid"));
    if (o->wait)
        return wait_for_end(o, client, guid);
    json_object_object_del(answer, "ok");
    if (o->output.json)
        output_print_json(answer, &o->output);
    else
        terminal_printf(stdout, "%s\n", guid);
    return 0;
}

int cli_run(const Options *o) {
    _cleanup_json_ struct json_object *agents = NULL, *payload = NULL;
    _cleanup_(client_freep) Client *client = NULL;
    bool is_agent = true;
    int r;

    r = build_payload(o, &payload);
    if (r == 0)
        r = client_new(o->control, o->timeout_sec, &client);
    if (r == 0 && targets_are_several(o))
        r = targets_resolve(o, client, &agents, &is_agent);
    if (r > 0)
        return r;
    if (o->dry_run)
        return targets_print(o, agents);
    if (is_agent)
        return run_one(o, &client, payload);
    if (o->guid)
        return complain(o->guid, _("a GUID is for one agent alone"));
    return cli_run_many(o, &client, payload, agents);
}
