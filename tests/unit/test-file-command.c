/* SPDX-License-Identifier: Apache-2.0 */
/* Proves that the values of a command of commands.d become what its job is given: positional
 * arguments, JSON, secrets in sealed descriptors; that the list of commands is as the directory;
 * and that a job's output can be the reply. */
#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/bounds.h"
#include "basic/file-util.h"
#include "commands/command-list.h"
#include "commands/file-command.h"
#include "job/reply-output.h"
#include "proto/message.h"
#include "site/command-reader.h"
#include "temporary.h"

typedef struct Prepared {
    CommandFile *file;
    Command command;
    JobSpec spec;
} Prepared;

static void prepared_done(Prepared *p) {
    job_spec_done(&p->spec);
    command_file_free(p->file);
}

static void prepare(const char *text, const char *arguments, Prepared *ret) {
    _cleanup_json_ struct json_object *json = NULL;
    _cleanup_free_ char *error = NULL;
    ArgumentValue values[8];

    g_assert_cmpint(command_file_parse("x", text, &ret->file, &error), ==, 0);
    file_command_init(&ret->command, ret->file);
    g_assert_cmpint(json_parse(arguments, strlen(arguments), &json), ==, 0);
    g_assert_cmpint(
        arguments_parse(ret->command.arguments, ret->command.n_arguments, json, values, &error), ==,
        0);
    g_assert_cmpint(ret->command.prepare(&ret->command, NULL, values, &ret->spec, &error), ==, 0);
    argument_values_done(values, ret->command.n_arguments);
}

static void assert_content(int fd, const char *expected) {
    _cleanup_free_ char *text = NULL;
    size_t size;

    g_assert_cmpint(fcntl(fd, F_GET_SEALS) & F_SEAL_WRITE, ==, F_SEAL_WRITE);
    g_assert_cmpint(read_fd(fd, 4096, &text, &size), ==, 0);
    g_assert_cmpstr(text, ==, expected);
}

static void test_positions(void) {
    _cleanup_(prepared_done) Prepared p = {.spec = JOB_SPEC_INIT};
    static const char *const expected[] = {"-n", "true", "", "", "", "7", "x y", ""};

    prepare("[command]\nhelp = x\n[argument a]\n[argument b]\ntype = boolean\n"
            "[argument secret]\nsecret = yes\n[argument data]\ntype = base64\n[argument none]\n"
            "[argument n]\ntype = integer\ndefault = 7\n[argument l]\ntype = list\n",
            "{\"a\": \"-n\", \"b\": \"yes\", \"secret\": \"s\", \"data\": \"AAEC\","
            " \"l\": [\"x y\", \"\"]}",
            &p);
    g_assert_cmpstr(p.spec.command, ==, "x");
    for (size_t i = 0; i < ELEMENTSOF(expected); i++)
        g_assert_cmpstr(p.spec.arguments[i], ==, expected[i]);
    g_assert_null(p.spec.arguments[ELEMENTSOF(expected)]);
    g_assert_cmpuint(p.spec.n_secrets, ==, 2);
    g_assert_cmpstr(p.spec.secrets[0].name, ==, "secret");
    assert_content(p.spec.secrets[0].fd, "s");
    g_assert_cmpstr(p.spec.secrets[1].name, ==, "data");
    g_assert_cmpint(lseek(p.spec.secrets[1].fd, 0, SEEK_END), ==, 3);
    g_assert_cmpint(p.spec.input_fd, ==, -1);
}

static void test_secret_that_is_no_string(void) {
    _cleanup_(prepared_done) Prepared p = {.spec = JOB_SPEC_INIT};

    prepare("[command]\nhelp = x\n[argument pin]\ntype = integer\nsecret = yes\n", "{\"pin\": 12}",
            &p);
    g_assert_cmpstr(p.spec.arguments[0], ==, "");
    assert_content(p.spec.secrets[0].fd, "12");
}

static void test_json(void) {
    _cleanup_(prepared_done) Prepared p = {.spec = JOB_SPEC_INIT};

    prepare("[command]\nhelp = x\ninput = json\n[argument s]\nsecret = yes\n[argument n]\n"
            "type = integer\n[argument b]\ntype = boolean\ndefault = no\n[argument d]\n"
            "type = base64\n[argument l]\ntype = list\n[argument absent]\n",
            "{\"s\": \"\\u00e4\\\"\", \"n\": \"5\", \"d\": \"AA==\", \"l\": [], \"more\": 1}", &p);
    g_assert_null(p.spec.arguments);
    g_assert_cmpuint(p.spec.n_secrets, ==, 0);
    assert_content(p.spec.input_fd,
                   "{\"s\":\"\303\244\\\"\",\"n\":5,\"b\":false,\"d\":\"AA==\",\"l\":[]}");
}

static void test_json_with_secret_files(void) {
    _cleanup_(prepared_done) Prepared p = {.spec = JOB_SPEC_INIT};

    prepare("[command]\nhelp = x\ninput = json\nsecrets = files\nstream = yes\ndry_run = yes\n"
            "[argument key]\nsecret = yes\n[argument o]\ntype = object\n"
            "[argument t]\ntype = base64text\n[argument d]\ntype = base64\n",
            "{\"key\": \"s\", \"o\": {\"a\": [1, null, {\"b\": 0.10}]}, \"t\": \"eMOk\", "
            "\"d\": \"AA==\", \"dry_run\": true}",
            &p);
    assert_content(p.spec.input_fd, "{\"o\":{\"a\":[1,null,{\"b\":0.10}]},\"t\":\"x\303\244\","
                                    "\"d\":\"AA==\",\"dry_run\":true}");
    g_assert_cmpuint(p.spec.n_secrets, ==, 1);
    assert_content(p.spec.secrets[0].fd, "s");
    g_assert_true(p.spec.stream && p.spec.dry_run);
}

static void test_positions_of_the_file(void) {
    _cleanup_(prepared_done) Prepared p = {.spec = JOB_SPEC_INIT};
    static const char *const expected[] = {"--size=5", "", "{}", "", "-v", "x y", "z"};

    prepare("[command]\nhelp = x\npositions = --size={n} {key} {o} {none} {v?-v} {l}\n"
            "[argument n]\ntype = integer\n[argument key]\nsecret = yes\n"
            "[argument unused]\nsecret = yes\n[argument o]\ntype = object\n[argument none]\n"
            "[argument v]\ntype = boolean\n[argument l]\ntype = list\n",
            "{\"n\": 5, \"key\": \"s\", \"unused\": \"u\", \"o\": {}, \"v\": true, "
            "\"l\": [\"x y\", \"z\"]}",
            &p);
    for (size_t i = 0; i < ELEMENTSOF(expected); i++)
        g_assert_cmpstr(p.spec.arguments[i], ==, expected[i]);
    g_assert_null(p.spec.arguments[ELEMENTSOF(expected)]);
    g_assert_cmpuint(p.spec.n_secrets, ==, 1);
    g_assert_cmpstr(p.spec.secrets[0].name, ==, "key");
}

/* Decimal texts that JSON has no such form for; others stay as they are, to the last digit. */
static void test_json_numbers(void) {
    static const struct {
        const char *given, *expected;
    } cases[] = {
        {".5", "0.5"},
        {"00.0", "0.0"},
        {"1.", "1.0"},
        {"-.25e1", "-2.5"},
        {"007", "7.0"},
        {"0.1", "0.1"},
        {"-0", "-0"},
        {"1e3", "1e3"},
        {"123456789012345678901234567890", "123456789012345678901234567890"},
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        _cleanup_(prepared_done) Prepared p = {.spec = JOB_SPEC_INIT};
        g_autofree char *arguments = g_strdup_printf("{\"n\": \"%s\"}", cases[i].given);
        g_autofree char *expected = g_strdup_printf("{\"n\":%s,\"d\":0.5}", cases[i].expected);

        prepare("[command]\nhelp = x\ninput = json\n[argument n]\ntype = number\n[argument d]\n"
                "type = number\ndefault = .5\n",
                arguments, &p);
        assert_content(p.spec.input_fd, expected);
    }
}

/* A message that is as large as one may be has room for it; so has what is handed on. */
static void test_large_object(void) {
    _cleanup_(prepared_done) Prepared p = {.spec = JOB_SPEC_INIT};
    const size_t n = (JSON_MEMORY_MAX - 16384) / 24; /* what json_check() counts for each */
    GString *arguments = g_string_new("{\"o\": {\"a\": [null");
    struct json_object *o = NULL;

    for (size_t i = 1; i < n; i++)
        g_string_append(arguments, ",null");
    g_string_append(arguments, "]}}");
    g_assert_cmpint(json_parse(arguments->str, arguments->len, &o), ==, 0);
    json_object_put(o);
    g_assert_cmpint(json_parse_part(arguments->str, arguments->len, &o), ==, -E2BIG);
    prepare("[command]\nhelp = x\ninput = json\n[argument o]\ntype = object\n", arguments->str, &p);
    g_assert_cmpint(lseek(p.spec.input_fd, 0, SEEK_END), ==, arguments->len - 2);
    g_string_free(arguments, TRUE);
}

static void write_file(const char *dir, const char *name, const char *text) {
    g_autofree char *path = g_build_filename(dir, name, NULL);

    temporary_write(dir, name, text, strlen(text));
    g_assert_cmpint(g_chmod(path, 0644), ==, 0);
}

static void test_list(void) {
    _cleanup_(temporary_remove) char *dir = temporary_new(), *shipped = temporary_new();
    g_autofree char *aa = g_build_filename(dir, "aa.conf", NULL);
    const BrokenCommand *broken;
    const Command *held;
    size_t n_own, n;

    g_assert_cmpint(command_list_load("/nonexistent", "/nonexistent"), ==, 1);
    g_assert_nonnull(command_find("heartbeat"));
    (void)command_list(&n_own);
    write_file(dir, "aa.conf", "[command]\nhelp = first\n");
    write_file(dir, "zz.conf", "[command]\nhelp = last\n");
    write_file(dir, "heartbeat.conf", "[command]\nhelp = mine\n");
    write_file(dir, "broken.conf",
               "[command]\nhelp = x\n[argument n]\ntype = integer\n"
               "default = x\n");
    write_file(dir, "note.txt", "");
    write_file(dir, "site.cfg", "[command]\nhelp = not read\n");
    write_file(dir, "masked.conf", "");
    write_file(shipped, "masked.conf", "[command]\nhelp = shipped\n");
    write_file(shipped, "aa.conf", "[command]\nhelp = shadowed\n");
    write_file(shipped, "bb.conf", "[command]\nhelp = shipped\n");
    write_file(shipped, "broken.conf", "[command]\nhelp = shadowed by a broken one\n");
    write_file(shipped, "heartbeat.conf", "[command]\nhelp = shadowed, too\n");
    g_assert_cmpint(command_list_load(dir, shipped), ==, 1);
    g_assert_cmpstr(command_list(&n)[0]->name, ==, "aa");
    g_assert_cmpuint(n, ==, n_own + 3);
    g_assert_cmpstr(command_find("bb")->summary, ==, "shipped");
    g_assert_null(command_find("masked"));
    g_assert_null(command_find("heartbeat")->file);
    g_assert_null(command_find("broken"));
    broken = command_list_broken(&n);
    g_assert_cmpuint(n, ==, 3);
    g_assert_nonnull(strstr(broken[2].file, "site.cfg"));
    g_assert_nonnull(strstr(broken[2].problem, "its name does not end in .conf"));
    g_assert_nonnull(strstr(broken[0].file, "broken.conf"));
    g_assert_nonnull(strstr(broken[0].problem, "'n' is not a valid integer"));
    g_assert_nonnull(strstr(broken[1].problem, "has a command of that name"));

    held = command_ref(command_find("aa"));
    write_file(dir, "aa.conf", "[command]\nhelp = changed\n");
    g_assert_cmpint(command_list_load(dir, shipped), ==, 0);
    g_assert_cmpstr(command_find("aa")->summary, ==, "changed");
    g_assert_cmpstr(held->summary, ==, "first");
    command_unref(held);
    g_assert_cmpint(g_unlink(aa), ==, 0);
    g_assert_cmpint(command_list_load(dir, shipped), ==, 0);
    g_assert_cmpstr(command_find("aa")->summary, ==, "shadowed");
    g_assert_cmpint(command_list_load(dir, "/nonexistent"), ==, 1);
    g_assert_null(command_find("aa"));
    command_list_clear();
}

static unsigned count_files(const char *name) {
    size_t n;
    unsigned found = 0;
    const Command *const *list = command_list(&n);

    for (size_t i = 0; i < n; i++)
        found += strncmp(list[i]->name, name, strlen(name)) == 0;
    return found;
}

static void make_many(const char *dir, unsigned n) {
    for (unsigned i = 0; i < n; i++) {
        g_autofree char *name = g_strdup_printf("many%04u.conf", i);

        write_file(dir, name, i % 2 ? "[command]\nhelp = x\n" : "[command]\n");
    }
}

/* So many of either directory, broken ones among them; what is beyond is told, once. */
static void test_many_files(void) {
    _cleanup_(temporary_remove) char *dir = temporary_new(), *shipped = temporary_new();
    const BrokenCommand *broken;
    size_t n;

    make_many(dir, COMMAND_FILES_MAX);
    g_assert_cmpint(command_list_load(dir, "/nonexistent"), ==, 1);
    (void)command_list_broken(&n);
    g_assert_cmpuint(n, ==, COMMAND_FILES_MAX / 2);
    make_many(dir, 3000);
    make_many(shipped, 3000);
    g_assert_cmpint(command_list_load(dir, "/nonexistent"), ==, 0);
    g_assert_cmpuint(count_files("many"), ==, COMMAND_FILES_MAX / 2);
    broken = command_list_broken(&n);
    g_assert_cmpuint(n, ==, COMMAND_FILES_MAX / 2 + 1);
    g_assert_cmpstr(broken[n - 1].problem, ==, "there are too many files");
    g_assert_nonnull(strstr(broken[n - 1].file, "many0256.conf"));
    g_assert_cmpint(command_list_load(dir, shipped), ==, 0);
    (void)command_list_broken(&n);
    g_assert_cmpuint(n, ==, COMMAND_FILES_MAX / 2 + 2);
    command_list_clear();
}

/* A file, and what else can have its name. */
static void test_what_is_no_file(void) {
    _cleanup_(temporary_remove) char *dir = temporary_new();
    g_autofree char *fifo = g_build_filename(dir, "fifo.conf", NULL),
                    *directory = g_build_filename(dir, "directory.conf", NULL),
                    *loop = g_build_filename(dir, "loop.conf", NULL),
                    *huge = g_build_filename(dir, "huge.conf", NULL);
    size_t n;

    g_assert_cmpint(mkfifo(fifo, 0600), ==, 0);
    g_assert_cmpint(g_mkdir(directory, 0755), ==, 0);
    g_assert_cmpint(symlink("loop.conf", loop), ==, 0);
    write_file(dir, "huge.conf", "[command]\nhelp = x\n");
    g_assert_cmpint(truncate(huge, (off_t)1 << 40), ==, 0);
    write_file(dir, "good.conf", "[command]\nhelp = x\n");
    g_assert_cmpint(command_list_load(dir, "/nonexistent"), ==, 1);
    (void)command_list_broken(&n);
    g_assert_cmpuint(n, ==, 4);
    g_assert_nonnull(command_find("good"));
    command_list_clear();
    g_assert_cmpint(rmdir(directory), ==, 0);
}

/* Of a user whose name was not given there is nothing to remember. */
static void test_effect_without_a_name(void) {
    static const char text[] = "[command]\nhelp = x\n[argument a]\n[effect]\nadd_user = {a}\n";
    _cleanup_(command_file_freep) CommandFile *f = NULL;
    ArgumentValue values[1] = {};
    Effect effect = {};
    char *error = NULL;
    Command c;

    g_assert_cmpint(command_file_parse("x", text, &f, &error), ==, 0);
    file_command_init(&c, f);
    g_assert_cmpint(c.done(&c, values, &effect), ==, 0);
    g_assert_null(effect.user);
    effect_done(&effect);
}

static void test_pattern_in_the_list(void) {
    _cleanup_(temporary_remove) char *dir = temporary_new();

    write_file(dir, "unmount.conf", "[command]\nhelp = any\nnames = unmount.*\n");
    write_file(dir, "unmount_volume.conf", "[command]\nhelp = exact\n");
    g_assert_cmpint(command_list_load(dir, "/nonexistent"), ==, 1);
    g_assert_cmpstr(command_find("unmount_volume")->summary, ==, "exact");
    g_assert_cmpstr(command_find("unmount_all")->name, ==, "unmount");
    g_assert_null(command_find("mount"));
    write_file(dir, "unmount.conf",
               "[command]\nhelp = any\nnames = unmount.*\n[features]\nx = 1\n");
    g_assert_cmpint(command_list_load(dir, "/nonexistent"), ==, 1);
    g_assert_cmpint(command_list_load(dir, "/nonexistent"), ==, 0);
    command_list_clear();
}

static void check_output(CommandOutput output_kind, const char *type, int return_code,
                         const char *output, int expected_code, const char *expected_type,
                         const char *expected_error) {
    struct json_object *reply = NULL;

    g_assert_cmpint(reply_new(return_code, "void", NULL, output, "stderr", &reply), ==, 0);
    g_assert_cmpint(reply_take_output(output_kind, type, &reply), ==, 0);
    g_assert_cmpint(json_object_get_int(json_get(reply, "return_code")), ==, expected_code);
    g_assert_cmpstr(json_get_string(reply, "reply_type"), ==, expected_type);
    g_assert_nonnull(strstr(json_get_string(reply, "error_message"), expected_error));
    json_object_put(reply);
}

static void check_reply(int return_code, const char *output, int expected_code,
                        const char *expected_type, const char *expected_error) {
    check_output(OUTPUT_REPLY, NULL, return_code, output, expected_code, expected_type,
                 expected_error);
}

static void check_object(CommandOutput kind, const char *type, int return_code, const char *output,
                         const char *expected) {
    struct json_object *reply = NULL;

    g_assert_cmpint(reply_new(return_code, "void", NULL, output, "stderr", &reply), ==, 0);
    g_assert_cmpint(reply_take_output(kind, type, &reply), ==, 0);
    json_object_object_del(reply, "error_message");
    g_assert_cmpstr(json_object_to_json_string_ext(reply, JSON_C_TO_STRING_PLAIN), ==, expected);
    json_object_put(reply);
}

static void test_object_output(void) {
    check_object(OUTPUT_STRING, NULL, 0, "a\nb\n\n",
                 "{\"return_code\":0,\"reply_type\":\"string\",\"reply_object\":\"a\\nb\","
                 "\"message\":\"\"}");
    check_object(OUTPUT_STRING, "path", 0, "",
                 "{\"return_code\":0,\"reply_type\":\"path\",\"reply_object\":\"\","
                 "\"message\":\"\"}");
    check_object(OUTPUT_STRING, NULL, 3, "a\n",
                 "{\"return_code\":3,\"reply_type\":\"void\",\"reply_object\":null,"
                 "\"message\":\"a\\n\"}");
    check_object(OUTPUT_JSON, "volumes", 0, "[1, {}]\n",
                 "{\"return_code\":0,\"reply_type\":\"volumes\",\"reply_object\":[1,{}],"
                 "\"message\":\"\"}");
    check_output(OUTPUT_JSON, "volumes", 0, "text", 1, "void",
                 "stderr\nThe output of the command is not JSON.");
    check_output(OUTPUT_REPLY, "volumes", 0, "{\"reply_object\": 1}", 0, "volumes", "stderr");
}

static void test_reply_output(void) {
    check_reply(0, "{\"reply_type\": \"t\", \"reply_object\": [1]}", 0, "t", "stderr");
    check_reply(0, "{\"reply_object\": 1}", 0, "object", "stderr");
    check_reply(0, "{}", 0, "void", "stderr");
    check_reply(0, "{\"return_code\": 5, \"error_message\": \"mine\"}", 5, "void", "mine");
    check_reply(3, "{\"return_code\": 0}", 3, "void", "stderr");
    check_reply(0, "{\"return_code\": \"0\"}", 1, "void", "not a valid reply object");
    check_reply(0, "[]", 1, "void", "not a valid reply object");
    check_reply(4, "text", 4, "void", "not a valid reply object");
    check_reply(0, "", 1, "void", "stderr\nThe output of the command is not a valid reply object.");
}

int main(int argc, char *argv[]) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/file-command/positions", test_positions);
    g_test_add_func("/file-command/secret-that-is-no-string", test_secret_that_is_no_string);
    g_test_add_func("/file-command/json", test_json);
    g_test_add_func("/file-command/json-with-secret-files", test_json_with_secret_files);
    g_test_add_func("/file-command/positions-of-the-file", test_positions_of_the_file);
    g_test_add_func("/file-command/object-output", test_object_output);
    g_test_add_func("/file-command/json-numbers", test_json_numbers);
    g_test_add_func("/file-command/many-files", test_many_files);
    g_test_add_func("/file-command/no-file", test_what_is_no_file);
    g_test_add_func("/file-command/effect-without-a-name", test_effect_without_a_name);
    g_test_add_func("/file-command/large-object", test_large_object);
    g_test_add_func("/file-command/pattern-in-the-list", test_pattern_in_the_list);
    g_test_add_func("/file-command/list", test_list);
    g_test_add_func("/file-command/reply-output", test_reply_output);
    return g_test_run();
}
