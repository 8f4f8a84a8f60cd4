/* SPDX-License-Identifier: Apache-2.0 */
/* A message of the manager, its payload, and the arguments of the command it names. */
#include "basic/bounds.h"
#include "commands/command-list.h"
#include "fuzz.h"
#include "proto/message-skim.h"
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

/* What would be found in it if it could not be taken as a whole. */
static void check_skimmed(const char *text, size_t size, const Message *m) {
    _cleanup_(message_skim_freep) MessageSkim *skim = NULL;
    _cleanup_(message_done) Message skimmed = {};
    const char *error;
    size_t half = size / 2;

    CHECK(message_skim_new(&skim) == 0);
    message_skim_feed(skim, text, half);
    message_skim_feed(skim, text + half, size - half);
    (void)message_skim_finish(skim, &skimmed, &error);
    if (!json_object_is_type(m->json, json_type_object))
        return;
    CHECK(skimmed.type == m->type);
    CHECK(streq_ptr(skimmed.request_id, m->request_id));
    CHECK(streq_ptr(skimmed.message_id, m->message_id) || strlen(m->message_id) > GUID_SIZE_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const char *error = NULL, *name;
    const Command *command;
    Message m;
    int r;

    r = message_parse((const char *)data, size, &m, &error);
    CHECK((r < 0) == (error != NULL));
    check_skimmed((const char *)data, size, &m);
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
