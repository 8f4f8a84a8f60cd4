/* SPDX-License-Identifier: Apache-2.0 */
/* Proves that a command's file is read as dcm-agent-commands.d(5) says, that one mistake makes it
 * void and is told, that only a file counts which nobody else could have written, and that a script
 * is found where it has to be. */
#include <glib.h>
#include <glib/gstdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/bounds.h"
#include "basic/fd-util.h"
#include "site/command-reader.h"
#include "site/feature.h"
#include "site/trusted-file.h"
#include "temporary.h"

static CommandFile *parse(const char *text) {
    _cleanup_free_ char *error = NULL;
    CommandFile *f = NULL;
    int r;

    r = command_file_parse("x", text, &f, &error);
    g_assert_cmpstr(error, ==, NULL);
    g_assert_cmpint(r, ==, 0);
    return f;
}

static void test_defaults(void) {
    _cleanup_(command_file_freep) CommandFile *f = parse("[command]\nhelp = does it\n");
    JobLimits l;

    g_assert_cmpstr(f->name, ==, "x");
    g_assert_cmpstr(f->help, ==, "does it");
    g_assert_cmpstr(f->script, ==, "x");
    g_assert_null(f->worker);
    g_assert_false(f->is_long || f->is_immediate || f->json_input || f->can_dry_run);
    g_assert_cmpint(f->output, ==, OUTPUT_TEXT);
    g_assert_cmpstr(f->user, ==, "dcm");
    g_assert_cmpuint(f->n_arguments, ==, 0);
    g_assert_null(f->sandbox);
    command_file_get_limits(f, &l);
    g_assert_cmpuint(l.timeout_usec, ==, 86400 * USEC_PER_SEC);
}

static void test_all_keys(void) {
    _cleanup_(command_file_freep) CommandFile *f =
        parse("[argument first]\n"
              "[command]\nkind = long\nuser = root\nhelp = h\nscript = /opt/x\ninput = json\n"
              "output = reply\n"
              "[argument second]\ntype = integer\ndefault = -3\nhelp = a number\n"
              "[argument third]\ntype = base64\nmandatory = yes\nsecret = 1\n"
              "[limits]\ntimeout = 10\ntimeout = 20\nwritable_paths = /srv -/x\n"
              "[sandbox]\nProtectSystem = strict\nPrivateTmp = no\nReadWritePaths = /a /b\n"
              "SystemCallFilter = ~@mount @swap\nRestrictAddressFamilies = none\n");
    const SandboxSetting *s = f->sandbox;
    JobLimits l;

    g_assert_true(f->is_long && f->json_input && f->output == OUTPUT_REPLY);
    g_assert_cmpstr(f->user, ==, "root");
    g_assert_cmpstr(f->script, ==, "/opt/x");
    g_assert_cmpuint(f->n_arguments, ==, 3);
    g_assert_cmpstr(f->arguments[0].name, ==, "first");
    g_assert_cmpint(f->arguments[1].type, ==, ARGUMENT_INTEGER);
    g_assert_cmpstr(f->arguments[1].fallback, ==, "-3");
    g_assert_true(f->arguments[2].secret && f->arguments[2].mandatory);
    g_assert_true(argument_is_file(&f->arguments[2]));
    g_assert_false(argument_is_file(&f->arguments[1]));
    command_file_get_limits(f, &l);
    g_assert_cmpuint(l.timeout_usec, ==, 20 * USEC_PER_SEC);
    g_assert_cmpstr(l.writable_paths[1], ==, "-/x");
    g_assert_cmpstr(s->name, ==, "ProtectSystem");
    g_assert_cmpstr(s->values[0], ==, "strict");
    s = s->next;
    g_assert_true(s->type == SANDBOX_BOOL && !s->flag);
    s = s->next;
    g_assert_cmpstr(s->values[1], ==, "/b");
    s = s->next;
    g_assert_false(s->flag);
    g_assert_cmpstr(s->values[0], ==, "@mount");
    s = s->next;
    g_assert_true(s->flag && !s->values[0] && !s->next);
}

static void test_more_keys(void) {
    _cleanup_(command_file_freep) CommandFile *f =
        parse("[command]\nhelp = h\nnames = unmount.*\ninput = json\nsecrets = files\n"
              "output = json\nreply_type = volume\nstream = yes\ndry_run = yes\n"
              "finish_time = 90\n[argument size]\ntype = integer\nmin = -1\nmax = 9\n"
              "[argument mode]\nchoices = fast, slow safe\nnullable = yes\n"
              "[argument key]\nsecret = yes\n[argument more]\ntype = object\n"
              "[argument text]\ntype = base64text\n"
              "[argument host]\nrule = host_name\n[argument who]\nfrom = owner host\n"
              "[features]\nmount = true\ndocker = 1.1.2\n"
              "[effect]\nadd_user = x{size:03}\nadministrator = true\n");
    const Argument *a = f->arguments;

    g_assert_cmpstr(f->names, ==, "unmount.*");
    g_assert_true(f->secret_files && f->stream && f->can_dry_run && f->output == OUTPUT_JSON);
    g_assert_cmpstr(f->reply_type, ==, "volume");
    g_assert_cmpuint(f->finish_usec, ==, 90 * USEC_PER_SEC);
    g_assert_true(a[0].min.is_set && a[0].min.integer == -1 && a[0].max.integer == 9);
    g_assert_cmpstr(a[1].choices[2], ==, "safe");
    g_assert_null(a[1].choices[3]);
    g_assert_true(a[1].nullable && a[2].secret && a[3].type == ARGUMENT_OBJECT);
    g_assert_cmpint(a[4].type, ==, ARGUMENT_BASE64_TEXT);
    g_assert_cmpint(a[5].rule, ==, ARGUMENT_HOST_NAME);
    g_assert_true(a[6].source == ARGUMENT_FROM_OWNER && !argument_is_public(&a[6]));
    g_assert_cmpstr(a[6].user, ==, "host");
    g_assert_cmpuint(f->dry_run, ==, 7);
    g_assert_cmpstr(a[7].name, ==, "dry_run");
    g_assert_cmpuint(f->n_features, ==, 2);
    g_assert_cmpstr(f->features[1].value, ==, "1.1.2");
    g_assert_cmpstr(f->effect.add_user, ==, "x{size:03}");
    g_assert_true(command_file_is_apart(f, &a[2]) && !command_file_is_apart(f, &a[4]));
    g_assert_true(command_file_has_secret(f));
}

static void test_positions(void) {
    _cleanup_(command_file_freep) CommandFile *f =
        parse("[command]\nhelp = h\ndry_run = yes\npositions = -x {a} {key} {a}{b?y} {l}\n"
              "[argument a]\n[argument b]\ntype = boolean\n[argument key]\nsecret = yes\n"
              "[argument other]\nsecret = yes\n[argument l]\ntype = list\n");
    const Argument *a = f->arguments;

    g_assert_null(command_file_argument_at(f, 0));
    g_assert_true(command_file_argument_at(f, 1) == &a[0]);
    g_assert_true(command_file_argument_at(f, 2) == &a[2]);
    g_assert_null(command_file_argument_at(f, 3));
    g_assert_true(command_file_argument_at(f, 4) == &a[4]);
    g_assert_null(command_file_argument_at(f, 5));
    g_assert_true(command_file_is_apart(f, &a[2]));
    g_assert_false(command_file_is_apart(f, &a[3])); /* nobody gets it */
}

static void test_patterns_of_names(void) {
    _cleanup_(command_file_freep) CommandFile *f =
        parse("[command]\nhelp = h\nnames = configure_server.*\n");
    _cleanup_(command_file_freep) CommandFile *none = parse("[command]\nhelp = h\n");

    g_assert_true(command_file_has_name(f, "configure_server"));
    g_assert_true(command_file_has_name(f, "configure_server_17"));
    g_assert_false(command_file_has_name(f, "configure_serve"));
    g_assert_false(command_file_has_name(f, "configure_server/../x"));
    g_assert_false(command_file_has_name(f, "x"));
    g_assert_false(command_file_has_name(none, "x"));
}

static void test_worker(void) {
    _cleanup_(command_file_freep) CommandFile *f =
        parse("[command]\nhelp = h\nworker = org.example.X\n");

    g_assert_cmpstr(f->worker, ==, "org.example.X");
    g_assert_cmpstr(f->worker_path, ==, "/org/dcmagent/Worker1");
    g_assert_null(f->script);
    g_assert_true(f->json_input && f->output == OUTPUT_REPLY);
}

static void test_includes(void) {
    _cleanup_(command_file_freep) CommandFile *f =
        parse("[command]\nhelp = h\nincludes = x\nincludes = rename, add_user\n");
    _cleanup_(command_file_freep) CommandFile *none = parse("[command]\nhelp = h\n");

    g_assert_cmpstr(f->includes[0], ==, "rename");
    g_assert_cmpstr(f->includes[1], ==, "add_user");
    g_assert_null(f->includes[2]);
    g_assert_null(none->includes);
}

static void test_mistakes(void) {
    static const struct {
        const char *text, *problem;
    } cases[] = {
        {"", "help is missing"},
        {"[command]\n", "help is missing"},
        {"[command]\nhelp = x\n[commands]\n", "line 3: there is no section [commands]"},
        {"[command]\nhelp = x\nhelps = y\n", "helps in [command]"},
        {"[command]\nhelp = x\nkind = short\n", "kind in [command]"},
        {"[command]\nhelp = x\nuser = dcm-agent\n", "user in [command]"},
        {"[command]\nhelp = x\nuser = 0\n", "user in [command]"},
        {"[command]\nhelp = x\nuser = -x\n", "user in [command]"},
        {"[command]\nhelp = x\nuser = a b\n", "user in [command]"},
        {"[command]\nhelp = x\nuser = a%n\n", "user in [command]"},
        {"[command]\nhelp = x\nuser = a123456789012345678901234567890b\n", "user in [command]"},
        {"[command]\nhelp = x\nuser =\n", "user in [command]"},
        {"[command]\nhelp = x\nscript = ../x\n", "script in [command]"},
        {"[command]\nhelp = x\nscript = /a/../x\n", "script in [command]"},
        {"[command]\nhelp = x\nincludes = ../x\n", "includes in [command]"},
        {"[command]\nhelp = x\nworker = :1.2\n", "worker in [command]"},
        {"[command]\nhelp = x\nworker = x\n", "worker in [command]"},
        {"[command]\nhelp = x\nworker_path = /x\n", "worker_path is for a worker"},
        {"[command]\nhelp = x\nworker = a.b\nscript = x\n", "either a script or a worker"},
        {"[command]\nhelp = x\n[argument a b]\n", "line 3"},
        {"[command]\nhelp = x\n[argument ]\n", "line 3"},
        {"[command]\nhelp = x\n[argument a]\ntype = float\n", "type in [argument a]"},
        {"[command]\nhelp = x\n[argument a]\ndefault = 1\nmandatory = yes\n", "has no default"},
        {"[command]\nhelp = x\n[argument a]\ntype = list\n[argument b]\n",
         "last one can be a list"},
        {"[command]\nhelp = x\n[argument a]\ntype = list\nsecret = yes\n", "needs input = json"},
        {"[command]\nhelp = x\n[limits]\ntimeout = 0\n", "timeout in [limits]"},
        {"[command]\nhelp = x\n[sandbox]\nUser = root\n", "User in [sandbox]"},
        {"[command]\nhelp = x\n[sandbox]\nProtectHome = maybe\n", "ProtectHome in [sandbox]"},
        {"[command]\nhelp = x\n[sandbox]\nReadWritePaths = a\n", "ReadWritePaths in [sandbox]"},
        {"[command]\nhelp = x\n[sandbox]\nReadWritePaths = /\xff\n", "ReadWritePaths in [sandbox]"},
        {"[command]\nhelp = x\n[limits]\nwritable_paths = /\xff\n", "writable_paths in [limits]"},
        {"[command]\nhelp = x\n[sandbox]\nSystemCallFilter =\n", "SystemCallFilter in"},
        {"[command]\nhelp = x\n[sandbox]\nRestrictAddressFamilies = unix\n", "RestrictAddress"},
        {"[command]\nhelp = x\n  y\n", "help in [command]"},
        {"[command]\nhelp = \xff\n", "help in [command]"},
        {"[command]\nhelp = x\nnames = x\n", "names in [command]"},
        {"[command]\nhelp = x\nnames = .*\n", "names in [command]"},
        {"[command]\nhelp = x\nnames = a b.*\n", "names in [command]"},
        {"[command]\nhelp = x\nkind = immediate\nmessage = m\n[effect]\nterminate = yes\n",
         "only the command terminate can be immediate"},
        {"[command]\nhelp = x\nmessage = m\n", "go together"},
        {"[command]\nhelp = x\n[effect]\nterminate = yes\n", "go together"},
        {"[command]\nhelp = x\n[effect]\nadd_user = {x}\n", "a text in [effect]"},
        {"[command]\nhelp = x\n[effect]\nadd_user = a\nremove_user = a\n",
         "either added or removed"},
        {"[command]\nhelp = x\n[effect]\nadministrator = yes\n", "belongs to add_user"},
        {"[command]\nhelp = x\n[effect]\nreboot = yes\n", "reboot in [effect]"},
        {"[command]\nhelp = x\n[argument a]\nfrom = address\n[effect]\nadd_user = {a}\n",
         "a text in [effect]"},
        {"[command]\nhelp = x\npositions = {a}\n", "a text in positions"},
        {"[command]\nhelp = x\npositions = {a},\n[argument b]\n", "a text in positions"},
        {"[command]\nhelp = x\ninput = json\npositions = a\n", "are for input = arguments"},
        {"[command]\nhelp = x\npositions = {l} x\n[argument l]\ntype = list\n",
         "last one can be a list"},
        {"[command]\nhelp = x\npositions = x{k}\n[argument k]\nsecret = yes\n",
         "a text in positions"},
        {"[command]\nhelp = x\nsecrets = files\n", "secrets = files is for"},
        {"[command]\nhelp = x\nworker = a.b\nsecrets = files\n", "secrets = files is for"},
        {"[command]\nhelp = x\nworker = a.b\nstream = yes\n", "stream is for a script"},
        {"[command]\nhelp = x\nreply_type = x\n", "reply_type is for"},
        {"[command]\nhelp = x\noutput = json\n", "needs reply_type"},
        {"[command]\nhelp = x\noutput = yaml\n", "output in [command]"},
        {"[command]\nhelp = x\nfinish_time = 0\n", "finish_time in [command]"},
        {"[command]\nhelp = x\nfinish_time = 3601\n", "finish_time in [command]"},
        {"[command]\nhelp = x\ndry_run = yes\n[argument dry_run]\n", "has no section"},
        {"[command]\nhelp = x\n[argument dry_run]\nfrom = command\n", "has no section"},
        {"[command]\nhelp = x\nscript = x.pre\n", "as those of hooks do"},
        {"[command]\nhelp = x\nscript = rename.post\n", "as those of hooks do"},
        {"[command]\nhelp = x\n[features_need]\na = sh\n", "is not in [features]"},
        {"[command]\nhelp = x\n[features]\na = 1\n[features_need]\na = bin/sh\n",
         "a in [features_need]"},
        {"[command]\nhelp = x\n[features]\na = 1\n[features_need]\na = /x/../y\n",
         "a in [features_need]"},
        {"[command]\nhelp = x\n[features]\na = 1\n[features_need]\na = sh /dev/sda\n",
         "the agent sees nothing below"},
        {"[command]\nhelp = x\n[argument a]\nmin = x\n", "min in [argument a]"},
        {"[command]\nhelp = x\n[argument a]\nmin = 1\n", "min and max are for"},
        {"[command]\nhelp = x\n[argument a]\ntype = integer\nmin = 2\nmax = 1\n",
         "min is more than max"},
        {"[command]\nhelp = x\n[argument a]\ntype = integer\nmin = 0.5\n", "are integers"},
        {"[command]\nhelp = x\n[argument a]\ntype = number\nmin = 0.5\nmax = .1\n",
         "min is more than max"},
        {"[command]\nhelp = x\n[argument a]\ntype = number\nmin = 1e999\n", "min in [argument a]"},
        {"[command]\nhelp = x\n[argument a]\ntype = number\nmin = nan\n", "min in [argument a]"},
        {"[command]\nhelp = x\n[argument a]\ntype = number\nmin =\n", "min in [argument a]"},
        {"[command]\nhelp = x\n[argument a]\nmax_length = 0\n", "max_length in [argument a]"},
        {"[command]\nhelp = x\n[argument a]\nmin_length = -1\n", "min_length in [argument a]"},
        {"[command]\nhelp = x\n[argument a]\nmin_length = 1000M\n", "min_length in [argument a]"},
        {"[command]\nhelp = x\n[argument a]\nmin_length = 2\nmax_length = 1\n",
         "min_length is more than max_length"},
        {"[command]\nhelp = x\n[argument a]\ntype = object\nmax_length = 1\n",
         "min_length and max_length are for"},
        {"[command]\nhelp = x\n[argument a]\nfrom = command\nmax_length = 1\n", "no other key"},
        {"[command]\nhelp = x\n[argument a]\nfrom = command\nnullable = yes\n", "no other key"},
        {"[command]\nhelp = x\n[argument a]\nchoices =\n", "choices in [argument a]"},
        {"[command]\nhelp = x\n[argument a]\ntype = boolean\nchoices = a\n", "are for a string"},
        {"[command]\nhelp = x\n[argument a]\nrule = some\n", "rule in [argument a]"},
        {"[command]\nhelp = x\n[argument a]\ntype = list\nrule = path\n", "are for a string"},
        {"[command]\nhelp = x\n[argument a]\nfrom = nowhere\n", "from in [argument a]"},
        {"[command]\nhelp = x\n[argument a]\nfrom = owner b\n", "needs the name of another"},
        {"[command]\nhelp = x\n[argument a]\nfrom = address\nmandatory = yes\n", "no other key"},
        {"[command]\nhelp = x\n[argument a]\ntype = object\ndefault = {}\n", "has no default"},
        {"[command]\nhelp = x\ninput = json\nsecrets = files\n[argument a]\ntype = list\n"
         "secret = yes\n",
         "and no secrets = files"},
        {"[command]\nhelp = x\nnonsense\n", "line 3: the line is not understood"},
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        _cleanup_free_ char *error = NULL;
        g_autofree char *escaped = g_strescape(cases[i].text, NULL);
        CommandFile *f = NULL;

        g_test_message("%s", escaped);
        g_assert_cmpint(command_file_parse("x", cases[i].text, &f, &error), ==, -EINVAL);
        g_assert_null(f);
        if (!strstr(error, cases[i].problem))
            g_error("%s: %s", cases[i].text, error);
    }
}

/* `terminate` alone, and whole. */
static void test_immediate(void) {
    static const char whole[] =
        "[command]\nhelp = x\nkind = immediate\nmessage = m\n[effect]\nterminate = yes\n";
    static const struct {
        const char *text, *problem;
    } cases[] = {
        {"[command]\nhelp = x\nkind = immediate\n", "go together"},
        {"[command]\nhelp = x\nmessage = m\n", "go together"},
        {"[command]\nhelp = x\n[effect]\nterminate = yes\n", "go together"},
        {"[command]\nhelp = x\nkind = immediate\nmessage = m\ndry_run = yes\n[effect]\n"
         "terminate = yes\n",
         "has neither dry_run nor"},
    };
    CommandFile *f = NULL;
    char *error = NULL;

    g_assert_cmpint(command_file_parse("terminate", whole, &f, &error), ==, 0);
    f = command_file_free(f);
    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        g_assert_cmpint(command_file_parse("terminate", cases[i].text, &f, &error), ==, -EINVAL);
        g_assert_nonnull(strstr(error, cases[i].problem));
        g_clear_pointer(&error, free);
    }
}

static void test_features_that_need_something(void) {
    static const char text[] =
        "[command]\nhelp = x\n[features]\nalways = 1\nshell = true\nabsent = true\npath = 2\n"
        "[features_need]\nshell = sh, cat /etc/passwd\nabsent = sh no-such-program\npath = "
        "/nowhere\n";
    static const bool expected[] = {true, true, false, false};
    _cleanup_(command_file_freep) CommandFile *f = parse(text);

    g_assert_cmpuint(f->n_features, ==, ELEMENTSOF(expected));
    command_file_find_features(f);
    for (size_t i = 0; i < ELEMENTSOF(expected); i++)
        g_assert_cmpint(f->features[i].is_available, ==, expected[i]);
}

static void test_many_features(void) {
    GString *text = g_string_new("[command]\nhelp = x\n[features]\n");
    CommandFile *f = NULL;
    char *error = NULL;

    for (unsigned i = 0; i < COMMAND_FEATURES_MAX; i++)
        g_string_append_printf(text, "f%u = 1\nf%u = 2\n", i, i);
    g_assert_cmpint(command_file_parse("x", text->str, &f, &error), ==, 0);
    g_assert_cmpstr(f->features[0].value, ==, "2");
    f = command_file_free(f);
    g_string_append(text, "more = 1\n");
    g_assert_cmpint(command_file_parse("x", text->str, &f, &error), ==, -EINVAL);
    free(error);
    g_string_free(text, TRUE);
}

static char *make_arguments(const char *head, const char *keys, unsigned n) {
    GString *text = g_string_new("[command]\nhelp = x\n");

    g_string_append(text, head);
    for (unsigned i = 0; i < n; i++)
        g_string_append_printf(text, "[argument a%u]\n%s", i, keys);
    return g_string_free(text, FALSE);
}

/* Each is a descriptor on the bus; on standard input all of them are one. */
static void test_arguments_that_are_files(void) {
    static const struct {
        const char *head, *keys;
        unsigned n;
        bool ok;
    } cases[] = {
        {"", "secret = yes\n", COMMAND_SECRETS_MAX, true},
        {"", "secret = yes\n", COMMAND_SECRETS_MAX + 1, false},
        {"", "type = base64\n", COMMAND_SECRETS_MAX + 1, false},
        {"", "", COMMAND_ARGUMENTS_MAX, true},
        {"input = json\n", "secret = yes\n", COMMAND_ARGUMENTS_MAX, true},
        {"worker = a.b\n", "secret = yes\n", COMMAND_ARGUMENTS_MAX, true},
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        g_autofree char *text = make_arguments(cases[i].head, cases[i].keys, cases[i].n);
        _cleanup_(command_file_freep) CommandFile *f = NULL;
        _cleanup_free_ char *error = NULL;

        g_assert_cmpint(command_file_parse("x", text, &f, &error), ==, cases[i].ok ? 0 : -EINVAL);
        g_assert_cmpstr(error, ==,
                        cases[i].ok ? NULL
                                    : "more than 8 arguments that are secret or base64 need "
                                      "input = json");
    }
}

static void test_names(void) {
    g_autofree char *longest = g_strnfill(COMMAND_FILE_NAME_MAX, 'a'),
                    *longer = g_strnfill(COMMAND_FILE_NAME_MAX + 1, 'a');

    g_assert_true(command_name_is_valid("a") && command_name_is_valid("1.x-y_Z"));
    g_assert_true(command_name_is_valid(longest));
    g_assert_false(command_name_is_valid(longer) || command_name_is_valid("") ||
                   command_name_is_valid(".a") || command_name_is_valid("-a") ||
                   command_name_is_valid("a/b") || command_name_is_valid("ä"));
}

static int load(const char *dir, const char *name, char **ret_error) {
    CommandFile *f = NULL;
    int r = command_file_load(dir, name, &f, ret_error);

    command_file_free(f);
    return r;
}

static void test_only_trusted_files_count(void) {
    static const char text[] = "[command]\nhelp = x\n";
    _cleanup_(temporary_remove) char *dir = temporary_new();
    g_autofree char *file = g_build_filename(dir, "x.conf", NULL),
                    *link = g_build_filename(dir, "l.conf", NULL);
    char *error = NULL;

    g_assert_cmpint(load(dir, "x", &error), ==, -ENOENT);
    g_assert_cmpint(load(dir, "../x", &error), ==, -ENOENT);
    temporary_write(dir, "x.conf", text, strlen(text));
    g_assert_cmpint(g_chmod(file, 0644), ==, 0);
    g_assert_cmpint(load(dir, "x", &error), ==, 0);
    g_assert_cmpint(symlink("x.conf", link), ==, 0);
    g_assert_cmpint(load(dir, "l", &error), ==, 0);
    g_assert_cmpint(g_chmod(file, 0664), ==, 0);
    g_assert_cmpint(load(dir, "x", &error), ==, -EINVAL);
    g_assert_cmpstr(error, ==, "group or others can write it (chmod go-w)");
    g_clear_pointer(&error, free);
    if (geteuid() == 0) {
        g_assert_cmpint(g_chmod(file, 0644), ==, 0);
        g_assert_cmpint(chown(file, 1, 0), ==, 0);
        g_assert_cmpint(load(dir, "l", &error), ==, -EINVAL);
        g_assert_cmpstr(error, ==, "root does not own it (chown root)");
        g_clear_pointer(&error, free);
    }
    g_assert_cmpint(g_unlink(file), ==, 0);
    g_assert_cmpint(symlink("/dev/null", file), ==, 0);
    g_assert_cmpint(load(dir, "x", &error), ==, -ERFKILL);
    g_assert_cmpint(g_unlink(file), ==, 0);
    g_assert_cmpint(load(dir, "l", &error), ==, -EINVAL); /* a link to nothing */
    g_clear_pointer(&error, free);
    g_assert_cmpint(g_mkdir(file, 0755), ==, 0);
    g_assert_cmpint(load(dir, "x", &error), ==, -EINVAL);
    g_assert_cmpstr(error, ==, "it is not a regular file");
    g_clear_pointer(&error, free);
    g_assert_cmpint(rmdir(file), ==, 0);
    g_assert_cmpint(unlink(link), ==, 0);
    temporary_write(dir, "x.conf", "[command]\nhelp = x\0\n", 20);
    g_assert_cmpint(load(dir, "x", &error), ==, -EINVAL);
    g_clear_pointer(&error, free);
}

/* That there is no descriptor left is no mistake of the file. */
static void test_what_passes_is_no_mistake(void) {
    _cleanup_(temporary_remove) char *dir = temporary_new();
    g_autofree char *path = g_build_filename(dir, "x.conf", NULL);
    const char *const directories[] = {dir, NULL};
    struct rlimit before, none = {};
    char *error = NULL;
    int fd;

    temporary_write(dir, "x.conf", "[command]\nhelp = x\n", 19);
    g_assert_cmpint(g_chmod(path, 0644), ==, 0);
    g_assert_cmpint(getrlimit(RLIMIT_NOFILE, &before), ==, 0);
    none.rlim_max = before.rlim_max;
    g_assert_cmpint(setrlimit(RLIMIT_NOFILE, &none), ==, 0);
    g_assert_cmpint(load(dir, "x", &error), ==, -EMFILE);
    g_assert_cmpint(script_open(directories, "x.conf", NULL, &fd, &error), ==, -EMFILE);
    g_assert_cmpint(setrlimit(RLIMIT_NOFILE, &before), ==, 0);
    g_assert_null(error);
    g_assert_cmpint(load(dir, "x", &error), ==, 0);
}

static int find_script(const char *const *directories, const char *name, char **ret_path,
                       char **ret_error) {
    _cleanup_close_ int fd = -1;

    *ret_path = *ret_error = NULL;
    return script_open(directories, name, ret_path, &fd, ret_error);
}

static void test_scripts_shadow(void) {
    _cleanup_(temporary_remove) char *first = temporary_new(), *second = temporary_new();
    const char *const directories[] = {first, second, NULL};
    g_autofree char *in_first = g_build_filename(first, "s", NULL),
                    *in_second = g_build_filename(second, "s", NULL);
    char *path, *error;

    g_assert_cmpint(find_script(directories, "s", &path, &error), ==, -ENOENT);
    temporary_write(second, "s", "#!", 2);
    g_assert_cmpint(g_chmod(in_second, 0755), ==, 0);
    g_assert_cmpint(find_script(directories, "s", &path, &error), ==, 0);
    g_assert_cmpstr(path, ==, in_second);
    g_clear_pointer(&path, free);
    temporary_write(first, "s", "#!", 2);
    g_assert_cmpint(g_chmod(in_first, 0755), ==, 0);
    g_assert_cmpint(find_script(directories, "s", &path, &error), ==, 0);
    g_assert_cmpstr(path, ==, in_first);
    g_clear_pointer(&path, free);
    g_assert_cmpint(find_script(directories, in_second, &path, &error), ==, 0);
    g_clear_pointer(&path, free);
    g_assert_cmpint(truncate(in_first, 0), ==, 0);
    g_assert_cmpint(find_script(directories, "s", &path, &error), ==, -EINVAL);
    g_assert_nonnull(strstr(error, "it is masked"));
    g_clear_pointer(&error, free);
    g_assert_cmpint(g_unlink(in_first), ==, 0);
    g_assert_cmpint(symlink("/dev/null", in_first), ==, 0);
    g_assert_cmpint(find_script(directories, "s", &path, &error), ==, -EINVAL);
    g_assert_nonnull(strstr(error, "it is masked"));
    g_clear_pointer(&error, free);
}

static void test_limits_tighten(void) {
    char *list[] = {(char *)"/a", NULL}, *other_list[] = {(char *)"/b", NULL};
    JobLimits policy, command;

    job_limits_init(&policy);
    job_limits_init(&command);
    policy.timeout_usec = 5;
    policy.io_weight = 10;
    command.timeout_usec = 9;
    command.memory_max = 7;
    command.cpu_weight = 3;
    command.io_weight = 20;
    command.network = false;
    command.writable_paths = other_list;
    job_limits_tighten(&policy, &command);
    g_assert_cmpuint(policy.timeout_usec, ==, 5);
    g_assert_cmpuint(policy.memory_max, ==, 7);
    g_assert_cmpuint(policy.cpu_weight, ==, 3);
    g_assert_cmpuint(policy.io_weight, ==, 10);
    g_assert_false(policy.network);
    g_assert_true(policy.writable_paths == other_list);
    policy.writable_paths = list;
    job_limits_tighten(&policy, &command);
    g_assert_true(policy.writable_paths == list);
}

int main(int argc, char *argv[]) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/command-file/defaults", test_defaults);
    g_test_add_func("/command-file/all-keys", test_all_keys);
    g_test_add_func("/command-file/more-keys", test_more_keys);
    g_test_add_func("/command-file/positions", test_positions);
    g_test_add_func("/command-file/patterns-of-names", test_patterns_of_names);
    g_test_add_func("/command-file/worker", test_worker);
    g_test_add_func("/command-file/includes", test_includes);
    g_test_add_func("/command-file/mistakes", test_mistakes);
    g_test_add_func("/command-file/arguments-that-are-files", test_arguments_that_are_files);
    g_test_add_func("/command-file/names", test_names);
    g_test_add_func("/command-file/only-trusted-files-count", test_only_trusted_files_count);
    g_test_add_func("/command-file/scripts-shadow", test_scripts_shadow);
    g_test_add_func("/command-file/limits-tighten", test_limits_tighten);
    g_test_add_func("/command-file/what-passes", test_what_passes_is_no_mistake);
    g_test_add_func("/command-file/immediate", test_immediate);
    g_test_add_func("/command-file/features-need", test_features_that_need_something);
    g_test_add_func("/command-file/many-features", test_many_features);
    return g_test_run();
}
