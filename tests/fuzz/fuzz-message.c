/* SPDX-License-Identifier: Apache-2.0 */
/* A message of the manager, its payload, and the arguments of the command it names. */
#include "core/command-list.h"
#include "fuzz.h"
#include "proto/message.h"
#include "proto/text.h"

#define ARGUMENTS_MAX 32

static void check_arguments(const Command *command, struct json_object *arguments) {
    ArgumentValue values[ARGUMENTS_MAX];
    _cleanup_free_ char *error = NULL, *prepare_error = NULL;
    JobSpec spec = JOB_SPEC_INIT;
    size_t position = 0;

    CHECK(command->n_arguments <= ARGUMENTS_MAX);
    while (arguments_next_unknown(command->arguments, command->n_arguments, arguments, &position))
        ;
    if (arguments_parse(command->arguments, command->n_arguments, arguments, values, &error) < 0) {
        CHECK(error);
        return;
    }
    CHECK(!error);
    if (command->prepare &&
        command->prepare(command, &(CommandContext){}, values, &spec, &prepare_error) >= 0)
        job_spec_done(&spec);
    argument_values_done(values, command->n_arguments);
}

static bool is_utf8(const char *text) {
    return utf8_is_valid(text, strlen(text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const char *error = NULL, *name;
    const Command *command;
    Message m;
    int r;

    r = message_parse((const char *)data, size, &m, &error);
    CHECK((r < 0) == (error != NULL));
    CHECK(r < 0 || m.request_id || m.type == MESSAGE_LOG);
    if (r == 0) {
        _cleanup_free_ char *text = NULL;
        struct json_object *payload = json_get(m.json, "payload");

        CHECK(json_encode(m.json, &text, NULL) == 0);
        CHECK(is_utf8(text));
        name = json_get_string(payload, "command");
        command = name ? command_find(name) : NULL;
        if (command)
            check_arguments(command, json_get(payload, "arguments"));
    }
    message_done(&m);
    return 0;
}
