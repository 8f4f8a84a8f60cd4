/* SPDX-License-Identifier: Apache-2.0 */
/* `dcm-manager log`: the console lines of agents. */
#include <stdio.h>

#include "basic/i18n.h"
#include "basic/terminal.h"
#include "dcm-manager/cli.h"
#include "dcm-manager/client-list.h"
#include "dcm-manager/client.h"

#define INDENT 4 /* of what has no room in the first line */

static void print_for_people(struct json_object *line, uint64_t usec) {
    _cleanup_free_ char *text = NULL;
    char time[FORMAT_SIZE];

    if (asprintf(&text, "%s %s %-8s %s", format_time_short(usec, time),
                 strempty(json_get_string(line, "agent")), strempty(json_get_string(line, "level")),
                 strempty(json_get_string(line, "message"))) < 0)
        text = NULL;
    terminal_put_hanging(stdout, strempty(text), screen_get_width(), INDENT);
}

static void print_line(const Options *o, struct json_object *line) {
    uint64_t usec = json_object_get_uint64(json_get(line, "time"));

    if (usec < o->output.since_usec)
        return;
    if (o->output.json) {
        terminal_put_json(stdout,
                          json_object_to_json_string_ext(line, JSON_C_TO_STRING_PLAIN |
                                                                   JSON_C_TO_STRING_NOSLASHESCAPE));
        (void)putchar('\n');
        return;
    }
    print_for_people(line, usec);
}

static int follow(const Options *o, Client *client) {
    int r = 0;

    while (r == 0) {
        _cleanup_json_ struct json_object *line = NULL;

        if (fflush(stdout) != 0 || ferror(stdout))
            return 0; /* nobody reads any more, or main() reports it */
        r = client_receive(client, &line);
        if (r == 0) {
            json_object_object_del(line, "ok");
            print_line(o, line);
        }
    }
    return r;
}

/* By a connection of its own: on the other one new lines may come already. */
static int complete(const Options *o, struct json_object *answer) {
    _cleanup_(client_freep) Client *client = NULL;
    int r;

    if (!json_get(answer, "next") || o->output.lines == LINES_PRESET)
        return 0;
    r = client_new(o->control, 0, &client);
    return r == 0
               ? client_call_rest(client, "log", "agent", o->operands[0], o->output.lines, answer)
               : r;
}

int cli_log(const Options *o) {
    _cleanup_json_ struct json_object *answer = NULL;
    _cleanup_(client_freep) Client *client = NULL;
    struct json_object *request, *lines;
    int r;

    r = client_new(o->control, 0, &client);
    if (r > 0)
        return r;
    request = client_request("log");
    if (request &&
        ((o->operands[0] && json_add_string(request, "agent", o->operands[0]) < 0) ||
         (o->output.lines != LINES_PRESET && json_add_int(request, "n", o->output.lines) < 0) ||
         json_add_bool(request, "follow", o->follow) < 0))
        return EXIT_OTHER;
    r = client_call(client, request, &answer);
    if (r == 0)
        r = complete(o, answer);
    if (r > 0)
        return r;
    lines = json_get(answer, "lines");
    if (!o->follow)
        output_begin(&o->output);
    for (size_t i = 0; i < json_object_array_length(lines); i++)
        print_line(o, json_object_array_get_idx(lines, i));
    return o->follow ? follow(o, client) : 0;
}
