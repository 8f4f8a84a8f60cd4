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
#include "dcm-manager/cli.h"
#include "dcm-manager/client.h"
#include "dcm-manager/payload.h"
#include "proto/text.h"

#define RETURN_CODE_MAX 125 /* larger return codes are mapped */

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

static int print_reply(const Options *o, struct json_object *request) {
    struct json_object *reply = json_get(request, "reply");
    int64_t return_code = 1;

    if (streq(strempty(json_get_string(request, "state")), "NACKED"))
        return print_refusal(json_get_string(request, "error"));
    (void)json_to_integer(json_get(reply, "return_code"), &return_code);
    if (o->output.json) {
        terminal_put_json(stdout,
                          json_object_to_json_string_ext(
                              reply, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE));
        (void)putchar('\n');
    } else if (!json_object_is_type(reply, json_type_object))
        print_no_reply(reply);
    else {
        print_text(stdout, strempty(json_get_string(reply, "message")));
        print_error(strempty(json_get_string(reply, "error_message")));
    }
    return return_code >= 0 && return_code <= RETURN_CODE_MAX ? (int)return_code : 1;
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

/* The request outlives a restart of the manager, and so does waiting for it where systemd keeps
 * the socket. */
static int wait_for_reply(const Options *o, Client **client, const char *guid) {
    _cleanup_json_ struct json_object *answer = NULL;
    int r;

    for (;;) {
        client_expect_loss(*client);
        r = call_wait(*client, guid, &answer);
        if (r == 0)
            return print_reply(o, json_get(answer, "request"));
        if (r == EXIT_TIMED_OUT)
            return tell_where(guid, r);
        if (!client_is_lost(*client))
            return r;
        *client = client_free(*client);
        r = client_new(o->control, o->timeout_sec, client);
        if (r > 0)
            return tell_where(guid, r);
    }
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
    r = client_call(client, run_request(o, payload), &answer);
    if (r > 0)
        return r;
    guid = strempty(json_get_string(answer, "guid"));
    if (o->wait)
        return wait_for_reply(o, &client, guid);
    json_object_object_del(answer, "ok");
    if (o->output.json)
        output_print_json(answer, &o->output);
    else
        terminal_printf(stdout, "%s\n", guid);
    return 0;
}
