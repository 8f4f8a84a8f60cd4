/* SPDX-License-Identifier: Apache-2.0 */
/* Proves that the commands in scripts/commands.d give their scripts what those of the Python agent
 * gave them, refuse the same values, and change in the store what their success means. */
#include <glib.h>

#include "commands/file-command.h"
#include "proto/message.h"
#include "site/command-reader.h"
#include "store-fixture.h"
#include "store/user-row.h"

typedef struct Case {
    const char *command, *arguments;
    const char *positions; /* with | between them; @ is an address */
    const char *error;     /* NULL: it is a job */
    const char *effect;    /* its user and facts */
} Case;

static CommandFile *load(const char *name) {
    g_autofree char *directory =
        g_test_build_filename(G_TEST_DIST, "../../scripts/commands.d", NULL);
    _cleanup_free_ char *error = NULL;
    CommandFile *f = NULL;
    int r;

    r = command_file_load(directory, name, &f, &error);
    g_assert_cmpstr(error, ==, NULL);
    g_assert_cmpint(r, ==, 0);
    return f;
}

static bool is_address(const char *s) {
    return g_hostname_is_ip_address(s) && !strchr(s, ':');
}

static char *join(const JobSpec *spec) {
    g_autoptr(GString) text = g_string_new(NULL);

    for (char *const *s = spec->arguments; s && *s; s++)
        g_string_append_printf(text, "%s%s", s == spec->arguments ? "" : "|",
                               is_address(*s) ? "@" : *s);
    for (size_t i = 0; i < spec->n_secrets; i++)
        g_string_append_printf(text, " +%s", spec->secrets[i].name);
    return g_string_free(g_steal_pointer(&text), FALSE);
}

static char *describe(const Effect *e) {
    return g_strdup_printf("%s%s%s%s%s%s", e->user ?: "-", e->user_is_there ? " is there" : "",
                           e->is_administrator ? " administrator" : "",
                           e->initialized ? " initialized" : "",
                           e->terminating ? " terminating" : "", e->ignoring ? " ignoring" : "");
}

static void check_job(const Case *x, const Command *c, const CommandContext *context,
                      const ArgumentValue *values) {
    _cleanup_(job_spec_done) JobSpec spec = JOB_SPEC_INIT;
    _cleanup_free_ char *error = NULL;
    int r;

    r = c->prepare(c, context, values, &spec, &error);
    if (r == -EINVAL && g_str_equal(error, "This server has no IPv4 address")) {
        g_test_message("%s: %s", c->name, error);
        return;
    }
    g_assert_cmpint(r, ==, 0);
    g_autofree char *positions = join(&spec);
    g_assert_cmpstr(positions, ==, x->positions);
}

static void check(const Case *x, Store *s) {
    _cleanup_json_ struct json_object *arguments = NULL;
    _cleanup_(command_file_freep) CommandFile *f = load(x->command);
    const CommandContext context = {.store = s, .guid = "g", .name = x->command};
    _cleanup_(effect_done) Effect effect = {};
    _cleanup_free_ char *error = NULL;
    ArgumentValue values[16];
    Command c;
    int r;

    file_command_init(&c, f);
    g_assert_cmpint(json_parse(x->arguments, strlen(x->arguments), &arguments), ==, 0);
    r = command_parse_arguments(&c, arguments, values, &error);
    g_assert_cmpstr(error, ==, x->error);
    if (r < 0)
        return;
    if (c.prepare)
        check_job(x, &c, &context, values);
    g_assert_cmpint(c.done(&c, values, &effect), ==, 0);
    g_autofree char *effects = describe(&effect);
    g_assert_cmpstr(effects, ==, x->effect);
    argument_values_done(values, c.n_arguments);
}

#define NULLS "\"cloudId\": null, \"regionId\": null, \"zoneId\": null, \"serverId\": null, "

static const Case cases[] = {
    {"add_user", "{\"userId\": \"bob\"}", "bob|bob|||false|", NULL, "bob is there"},
    {"add_user",
     "{\"userId\": \"bob\", \"firstName\": \"B o\", \"lastName\": \"B\", \"administrator\": 1, "
     "\"authentication\": \"ssh-rsa x\"}",
     "bob|bob|B o|B|true| +authentication", NULL, "bob is there administrator"},
    {"add_user", "{\"userId\": 7, \"administrator\": null}", "7|7|||false|", NULL, "7 is there"},
    {"add_user", "{\"userId\": \"-x\"}", NULL, "The argument 'userId' is not a valid user name",
     NULL},
    {"list_devices", "{}", "", NULL, "-"},
    {"add_user", "{}", NULL, "The mandatory argument 'userId' is missing", NULL},
    {"add_user", "{\"userId\": \"a\", \"dry_run\": true}", "a|a|||false|", NULL, "-"},
    {"remove_user", "{\"userId\": \"a\", \"dry_run\": true}", "a|foreign|", NULL, "-"},
    {"rename", "{\"serverName\": \"a\", \"dry_run\": true}", "a|@", NULL, "-"},
    {"initialize",
     "{" NULLS "\"customerId\": 1, \"serverName\": \"a\", \"encryptedEphemeralFsKey\": null, "
     "\"dry_run\": true}",
     "a|@|c001", NULL, "-"},
    {"terminate", "{\"dry_run\": true}", NULL,
     "The command terminate does not support dry_run; it was not executed", NULL},
    {"remove_user", "{\"userId\": \"bob\"}", "bob|foreign|", NULL, "bob"},
    {"remove_user", "{\"userId\": \"carol\", \"force\": true}", "carol|ours|force", NULL, "carol"},
    {"remove_user", "{\"userId\": \"a b\"}", NULL, "The argument 'userId' is not a valid user name",
     NULL},
    {"rename", "{\"serverName\": \"@web 1#\"}", "web1|@", NULL, "-"},
    {"rename", "{\"serverName\": \"localhost\"}", NULL,
     "The argument 'serverName' leaves no host name", NULL},
    {"initialize",
     "{" NULLS
     "\"customerId\": 10, \"serverName\": \"a_1\", \"encryptedEphemeralFsKey\": \"AAEC\"}",
     "a1|@|c010", NULL, "c010 is there initialized"},
    {"initialize",
     "{" NULLS "\"customerId\": 12345, \"serverName\": \"a1\", \"encryptedEphemeralFsKey\": null}",
     "a1|@|c12345", NULL, "c12345 is there initialized"},
    {"initialize",
     "{" NULLS "\"customerId\": -1, \"serverName\": \"a1\", \"encryptedEphemeralFsKey\": null}",
     NULL, "The argument 'customerId' is not from 0 to 999999999", NULL},
    {"initialize", "{" NULLS "\"customerId\": 1, \"serverName\": \"a1\"}", NULL,
     "The mandatory argument 'encryptedEphemeralFsKey' is missing", NULL},
    {"terminate", "{}", NULL, NULL, "- terminating"},
    {"terminate", "{\"ignoreErrors\": true}", NULL, NULL, "- terminating ignoring"},
    {"terminate", "{\"ignoreErrors\": \"True\"}", NULL, NULL, "- terminating ignoring"},
    {"terminate", "{\"ignoreErrors\": \"yes\"}", NULL, NULL, "- terminating"},
};

static void test_cases(void) {
    _cleanup_fixture_ Fixture f = {};

    fixture_init(&f);
    g_assert_cmpint(store_begin(f.store), ==, 0);
    g_assert_cmpint(store_add_user(f.store, &(const StoredUser){.name = "carol"}), ==, 0);
    g_assert_cmpint(store_commit(f.store), ==, 0);
    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        g_test_message("%s %s", cases[i].command, cases[i].arguments);
        check(&cases[i], f.store);
    }
}

static void test_terminate_answers_at_once(void) {
    _cleanup_(command_file_freep) CommandFile *f = load("terminate");
    _cleanup_json_ struct json_object *reply = NULL;
    CommandRun *none = NULL;
    Command c;

    file_command_init(&c, f);
    g_assert_cmpint(c.kind, ==, COMMAND_IMMEDIATE);
    g_assert_null(c.prepare);
    g_assert_cmpint(c.run(&(const CommandContext){.command = &c}, NULL, &reply, &none), ==, 0);
    g_assert_cmpstr(json_get_string(reply, "message"), ==,
                    "The agent stops when this reply has arrived.");
    g_assert_cmpstr(json_get_string(reply, "reply_type"), ==, "void");
}

int main(int argc, char *argv[]) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/shipped-commands/cases", test_cases);
    g_test_add_func("/shipped-commands/terminate-answers-at-once", test_terminate_answers_at_once);
    return g_test_run();
}
