/* SPDX-License-Identifier: Apache-2.0 */
/* Proves that a configuration file is read as agent.conf(5) says: comments, values that go on, what
 * is not understood, and lines and names of any length up to the bound. */
#include <glib.h>

#include "basic/bounds.h"
#include "basic/ini-file.h"

#define UNCLEAR "the line is not understood: it is no [section], no key = value and no comment"

static int on_value(const IniPlace *at, const char *value, void *userdata) {
    g_assert_cmpstr(at->file, ==, "file");
    g_string_append_printf(userdata, "%s/%s=%s;", at->section, at->name, value);
    return streq(value, "wrong")     ? -EINVAL
           : streq(value, "unknown") ? -ENOKEY
           : streq(value, "end")     ? -EIO
                                     : 0;
}

static int on_more(const IniPlace *at, const char *value, void *userdata) {
    g_string_append_printf(userdata, "%s/%s+%s;", at->section, at->name, value);
    return streq(value, "wrong") ? -EINVAL : 0;
}

static int on_section(const IniPlace *at, void *userdata) {
    g_assert_cmpstr(at->name, ==, "");
    g_string_append_printf(userdata, "[%s];", at->section);
    return streq(at->section, "no") ? -EINVAL : 0;
}

static void on_lost(const IniPlace *at, void *userdata) {
    g_string_append_printf(userdata, "lost %s;", at->name);
}

static void on_problem(const char *file, unsigned line, const char *text, void *userdata) {
    g_assert_cmpstr(file, ==, "file");
    g_string_append_printf(userdata, "!%u: %s;", line, text);
}

static const IniCallbacks callbacks = {
    .on_value = on_value,
    .on_section = on_section,
    .on_more = on_more,
    .on_lost = on_lost,
    .on_problem = on_problem,
};

static int parse(const char *text, GString *events) {
    return ini_file_parse("file", text, &callbacks, events);
}

static void test_form(void) {
    static const struct {
        const char *text, *events;
    } cases[] = {
        {"", ""},
        {"\n \n# a = b\n ; a = b\n", ""},
        {"a = b", "/a=b;"},
        {"[s]\na=b\n[t x]\nc : d e \n", "[s];s/a=b;[t x];t x/c=d e;"},
        {"\xef\xbb\xbf[s]\r\na = b\r\n", "[s];s/a=b;"},
        {"a = b;c ; d\n", "/a=b;c;"},
        {"a =\nb = = c\n", "/a=;/b== c;"},
        {"a = b\n c ; d\n\n\t# e\n  f = g\nh = i\n", "/a=b;/a+c;/a+f = g;/h=i;"},
        {"a = b\n[s]\n c = d\n", "/a=b;[s];s/c=d;"},
        {" [s] x\n", "[s];"},
        {"[a[b]]\nc = d\n", "[a[b];a[b/c=d;"},
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        g_autoptr(GString) events = g_string_new(NULL);

        g_assert_cmpint(parse(cases[i].text, events), ==, 0);
        g_assert_cmpstr(events->str, ==, cases[i].events);
    }
}

static void test_mistakes(void) {
    static const struct {
        const char *text, *events;
    } cases[] = {
        {"x\ny\na = b\n", "!1: " UNCLEAR ";!2: " UNCLEAR ";/a=b;"},
        {"[s\na = b\n", "!1: " UNCLEAR ";/a=b;"},
        {"[s ;]\n", "!1: " UNCLEAR ";"},
        {"\n[no]\na = b\n", "[no];!2: there is no section [no];no/a=b;"},
        {"[s]\na = wrong\n", "[s];s/a=wrong;!2: the value of a in [s] is not valid;"},
        {"[s]\n\nb = unknown\n", "[s];s/b=unknown;!3: there is no key b in [s];"},
        {"b = unknown\n", "/b=unknown;!1: b stands before the first [section];"},
        {"a = b\n wrong\n", "/a=b;/a+wrong;lost wrong;!2: the value of a in [] is not valid;"},
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        g_autoptr(GString) events = g_string_new(NULL);

        g_assert_cmpint(parse(cases[i].text, events), ==, 0);
        g_assert_cmpstr(events->str, ==, cases[i].events);
    }
}

/* A file that is none of ours is told in some lines, and the rest of them counted. */
static void test_many_mistakes(void) {
    g_autoptr(GString) text = g_string_new("[s]\n"), events = g_string_new(NULL);

    for (unsigned i = 0; i < INI_UNCLEAR_MAX; i++)
        g_string_append(text, "nonsense\n");
    g_assert_cmpint(parse(text->str, events), ==, 0);
    g_assert_true(g_str_has_suffix(events->str, "!11: " UNCLEAR ";"));
    g_string_append(text, "nonsense\na = b\nnonsense\n");
    g_string_truncate(events, 0);
    g_assert_cmpint(parse(text->str, events), ==, 0);
    g_assert_true(g_str_has_suffix(events->str,
                                   "!11: " UNCLEAR ";s/a=b;!0: 2 more lines are not understood;"));
}

static void test_error_ends_it(void) {
    g_autoptr(GString) events = g_string_new(NULL);

    g_assert_cmpint(parse("a = b\nc = end\nd = e\n", events), ==, -EIO);
    g_assert_cmpstr(events->str, ==, "/a=b;/c=end;");
}

static void test_long(void) {
    g_autofree char *name = g_strnfill(1000, 'n');
    g_autofree char *value = g_strnfill(INI_LINE_MAX - strlen("a = "), 'v');
    g_autofree char *text = g_strdup_printf("[%s]\n%s = b\n more\na = %s\n", name, name, value);
    g_autofree char *expected = g_strdup_printf("[%s];%s/%s=b;%s/%s+more;%s/a=%s;", name, name,
                                                name, name, name, name, value);
    g_autofree char *longer =
        g_strdup_printf("b = c\na = %sv\n#%s%s\nd = e\n", value, value, value);
    g_autoptr(GString) events = g_string_new(NULL);

    g_assert_cmpint(parse(text, events), ==, 0);
    g_assert_cmpstr(events->str, ==, expected);
    g_string_truncate(events, 0);
    g_assert_cmpint(parse(longer, events), ==, 0);
    g_assert_cmpstr(events->str, ==, "/b=c;!2: the line is too long;lost a;/d=e;");
}

static void test_ignored_names(void) {
    static const char *const ignored[] = {"site",      "99-other",      "site.cfg", "a.ini",
                                          "SITE.CONF", "site.conf.txt", "b.yaml",   "conf"};
    static const char *const others[] = {"site.conf",     ".site.cfg", "site.conf~",
                                         "ca.pem",        "agent.key", "site.conf.dpkg-old",
                                         "README",        "note.txt",  "README.cfg.old",
                                         "site.conf.bak", "x.rpmsave", ".conf"};

    for (size_t i = 0; i < ELEMENTSOF(ignored); i++)
        g_assert_true(ini_name_is_ignored(ignored[i]));
    for (size_t i = 0; i < ELEMENTSOF(others); i++)
        g_assert_false(ini_name_is_ignored(others[i]));
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/ini-file/form", test_form);
    g_test_add_func("/ini-file/mistakes", test_mistakes);
    g_test_add_func("/ini-file/many-mistakes", test_many_mistakes);
    g_test_add_func("/ini-file/ignored-names", test_ignored_names);
    g_test_add_func("/ini-file/error-ends-it", test_error_ends_it);
    g_test_add_func("/ini-file/long", test_long);
    return g_test_run();
}
