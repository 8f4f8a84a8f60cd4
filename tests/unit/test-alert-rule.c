/* SPDX-License-Identifier: Apache-2.0 */
#include <glib.h>
#include <glib/gstdio.h>
#include <math.h>

#include "alert/rule.h"
#include "basic/bounds.h"

#define MEMORY "total, free, available, used, cache, swap-total, swap-used, use"

static unsigned last_line;

static void on_problem(const char *file, unsigned line, const char *text, void *userdata) {
    last_line = line;
    g_ptr_array_add(userdata, g_strdup(text));
}

/* The rules of a text; what is wrong with it is in *ret_problems. */
static AlertRules load(const char *text, GPtrArray **ret_problems) {
    g_autofree char *directory = g_dir_make_tmp("dcm-test-XXXXXX", NULL);
    g_autofree char *file = g_build_filename(directory, "alerts.conf", NULL);
    GPtrArray *problems = g_ptr_array_new_with_free_func(g_free);
    AlertRules rules = {};

    g_assert_true(g_file_set_contents(file, text, -1, NULL));
    g_assert_cmpint(alert_rules_load(file, "/nonexistent", on_problem, problems, &rules), ==, 0);
    g_assert_cmpint(g_remove(file), ==, 0);
    g_assert_cmpint(g_rmdir(directory), ==, 0);
    *ret_problems = problems;
    return rules;
}

static void test_whole(void) {
    _cleanup_(alert_rules_done) AlertRules rules = {};
    g_autoptr(GPtrArray) problems = NULL;
    const AlertRule *r;

    rules = load("[disk-full]\nstatistic = filesystems\nvalue = use\nrows = /var*\nabove = 90 %\n"
                 "clear = 85%\nfor = 300\ninterval = 60\nlevel = 10\nrule = 4711\nmessage = full\n"
                 "[memory]\nstatistic = memory\nvalue = available\nbelow = 512M\n",
                 &problems);
    g_assert_cmpuint(problems->len, ==, 0);
    g_assert_cmpuint(rules.n, ==, 2);
    r = rules.rules[0];
    g_assert_cmpstr(r->name, ==, "disk-full");
    g_assert_true(r->of_rows && r->above);
    g_assert_cmpstr(r->field->key, ==, "use");
    g_assert_cmpstr(r->rows, ==, "/var*");
    g_assert_cmpfloat_with_epsilon(r->threshold, 0.9, 1e-9);
    g_assert_cmpfloat_with_epsilon(r->clear, 0.85, 1e-9);
    g_assert_cmpuint(r->for_usec, ==, 300 * USEC_PER_SEC);
    g_assert_cmpuint(r->interval_usec, ==, 60 * USEC_PER_SEC);
    g_assert_cmpint(r->level, ==, 10);
    g_assert_cmpint(r->number, ==, 4711);
    g_assert_cmpstr(r->message, ==, "full");
    r = rules.rules[1];
    g_assert_true(!r->of_rows && !r->above);
    g_assert_cmpfloat(r->threshold, ==, 512.0 * 1024 * 1024);
    g_assert_cmpfloat(r->clear, ==, r->threshold);
    g_assert_cmpuint(r->interval_usec, ==, ALERT_INTERVAL_USEC_DEFAULT);
}

/* Who reads it finds the line; one mistake is told once. */
static void test_places(void) {
    static const struct {
        const char *text, *problem;
        unsigned line;
    } cases[] = {
        {"[x]\nstatistic = memroy\nvalue = use\nabove = 1\n",
         "the value of statistic in [x] is not valid", 2},
        {"[x]\nstatistic = memory\nvalue = use\nabvoe = 1\nabove = 2\n",
         "there is no key abvoe in [x]", 4},
        {"\n[x]\n\nstatistic = memory\nabove = 1\n", "[x] is not a valid rule: value is missing",
         4},
        {"[x]\nstatistic = memory\nvalue = usage\nabove = 1\n",
         "[x] is not a valid rule: this statistic has no value usage; it has " MEMORY, 3},
        {"[x]\nstatistic = memory\nvalue = use\nabove = much\n",
         "[x] is not a valid rule: above or below needs a number in the unit of the value", 4},
        {"[x]\nstatistic = memory\nvalue = use\nabove = 10 %\n\nclear = little\n",
         "[x] is not a valid rule: clear needs a number in the unit of the value", 6},
        {"statistic = memory\n", "statistic stands before the first [section]", 1},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        _cleanup_(alert_rules_done) AlertRules rules = {};
        g_autoptr(GPtrArray) problems = NULL;

        rules = load(cases[i].text, &problems);
        g_assert_cmpuint(problems->len, ==, 1);
        g_assert_cmpstr(problems->pdata[0], ==, cases[i].problem);
        g_assert_cmpuint(last_line, ==, cases[i].line);
    }
}

static void test_broken(void) {
    static const struct {
        const char *text, *problem;
    } cases[] = {
        {"value = use\nabove = 1\n", "[x] is not a valid rule: statistic is missing"},
        {"statistic = memory\nabove = 1\n", "[x] is not a valid rule: value is missing"},
        {"statistic = memory\nvalue = none\nabove = 1\n",
         "[x] is not a valid rule: this statistic has no value none; it has " MEMORY},
        {"statistic = memory\nvalue = use\n",
         "[x] is not a valid rule: above or below needs a number in the unit of the value"},
        {"statistic = memory\nvalue = use\nabove = 10G\n",
         "[x] is not a valid rule: above or below needs a number in the unit of the value"},
        {"statistic = memory\nvalue = used\nabove = 10 %\n",
         "[x] is not a valid rule: above or below needs a number in the unit of the value"},
        {"statistic = memory\nvalue = used\nabove = nan\n",
         "[x] is not a valid rule: above or below needs a number in the unit of the value"},
        {"statistic = memory\nvalue = available\nbelow = 9e300T\n", /* more than a number holds */
         "[x] is not a valid rule: above or below needs a number in the unit of the value"},
        {"statistic = memory\nvalue = available\nbelow = 1\nclear = 9e300T\n",
         "[x] is not a valid rule: clear needs a number in the unit of the value"},
        {"statistic = memory\nvalue = use\nabove = 10 %\nclear = 11 %\n",
         "[x] is not a valid rule: clear is beyond the threshold"},
        {"statistic = memory\nvalue = use\nbelow = 10 %\nclear = 9 %\n",
         "[x] is not a valid rule: clear is beyond the threshold"},
        {"statistic = memory\nvalue = use\nabove = 10 %\nwindow = 2\n",
         "[x] is not a valid rule: window is for rules with stall"},
        {"statistic = memory\nvalue = use\nabove = 10 %\nstall = 1\n",
         "[x] is not a valid rule: stall needs statistic = pressure, and value = some-avg10 or "
         "full-avg10"},
        {"statistic = pressure\nvalue = some-avg10\nrows = *\nstall = 1\n",
         "[x] is not a valid rule: stall needs rows = cpu, memory or io"},
        {"statistic = pressure\nvalue = some-avg10\nrows = io\nstall = 1\nwindow = 3\n",
         "[x] is not a valid rule: window must be 2, 4, 6, 8 or 10"},
        {"statistic = pressure\nvalue = some-avg10\nrows = io\nstall = 3\n",
         "[x] is not a valid rule: stall is longer than window"},
        {"statistic = pressure\nvalue = some-avg10\nrows = io\nstall = 1\nbelow = 2\n",
         "[x] is not a valid rule: stall cannot be below something"},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *text = g_strdup_printf("[x]\n%s", cases[i].text);
        _cleanup_(alert_rules_done) AlertRules rules = {};
        g_autoptr(GPtrArray) problems = NULL;

        rules = load(text, &problems);
        g_assert_cmpuint(rules.n, ==, 0);
        g_assert_cmpuint(problems->len, ==, 1);
        g_assert_cmpstr(problems->pdata[0], ==, cases[i].problem);
    }
}

/* A value that cannot be used is told, and the others count. */
static void test_values(void) {
    static const char *const lines[] = {
        "statistic = system-overview",
        "statistic = nothing",
        "for = -1",
        "for = x",
        "interval = 0",
        "interval = 1e9",
        "level = 16",
        "level = x",
        "level = -1",
        "rule = -1",
        "stall = 11",
        "window = 1",
        "enabled = perhaps",
        "unknown = 1",
        "rows = \xff",
    };

    for (size_t i = 0; i < G_N_ELEMENTS(lines); i++) {
        g_autofree char *text =
            g_strdup_printf("[x]\nstatistic = load\nvalue = load-1\nabove = 8\n%s\n", lines[i]);
        _cleanup_(alert_rules_done) AlertRules rules = {};
        g_autoptr(GPtrArray) problems = NULL;

        rules = load(text, &problems);
        g_test_message("%s", lines[i]);
        g_assert_cmpuint(problems->len, >=, 1);
    }
}

static void test_off_and_bounds(void) {
    g_autoptr(GString) many = g_string_new(NULL);
    _cleanup_(alert_rules_done) AlertRules off = {}, all = {};
    g_autoptr(GPtrArray) none = NULL, problems = NULL;

    off = load("[x]\nstatistic = load\nvalue = load-1\nabove = 8\nenabled = no\n", &none);
    g_assert_cmpuint(off.n, ==, 0);
    g_assert_cmpuint(none->len, ==, 0);
    for (unsigned i = 0; i < ALERT_RULES_MAX + 1; i++)
        g_string_append_printf(many, "[r%u]\nstatistic = load\nvalue = load-1\nabove = 8\n", i);
    all = load(many->str, &problems);
    g_assert_cmpuint(all.n, ==, ALERT_RULES_MAX);
    g_assert_cmpuint(problems->len, ==, 3); /* each line of the one too many */
}

static void test_trigger(void) {
    _cleanup_(alert_rules_done) AlertRules rules = {};
    g_autoptr(GPtrArray) problems = NULL;

    rules =
        load("[io]\nstatistic = pressure\nvalue = full-avg10\nrows = io\nstall = 0.5\n", &problems);
    g_assert_cmpuint(problems->len, ==, 0);
    g_assert_cmpuint(rules.rules[0]->window_usec, ==, 2 * USEC_PER_SEC);
    /* if there are no triggers */
    g_assert_true(rules.rules[0]->above);
    g_assert_cmpfloat(rules.rules[0]->threshold, ==, 25);
    g_assert_cmpfloat(rules.rules[0]->clear, ==, 12.5);
}

static void test_judge(void) {
    const AlertRule rule = {.above = true, .threshold = 90, .clear = 80, .for_usec = 10};
    AlertWatchState s = {};

    g_assert_cmpint(alert_rule_judge(&rule, 90, 100, &s), ==, ALERT_UNCHANGED); /* not above */
    g_assert_cmpint(alert_rule_judge(&rule, 91, 100, &s), ==, ALERT_UNCHANGED);
    g_assert_cmpint(alert_rule_judge(&rule, 91, 109, &s), ==, ALERT_UNCHANGED);
    g_assert_cmpint(alert_rule_judge(&rule, 89, 109, &s), ==, ALERT_UNCHANGED); /* anew */
    g_assert_cmpint(alert_rule_judge(&rule, 91, 110, &s), ==, ALERT_UNCHANGED);
    g_assert_cmpint(alert_rule_judge(&rule, NAN, 115, &s), ==, ALERT_UNCHANGED);
    g_assert_cmpint(alert_rule_judge(&rule, 95, 120, &s), ==, ALERT_RAISED);
    g_assert_cmpint(alert_rule_judge(&rule, 99, 130, &s), ==, ALERT_UNCHANGED); /* once */
    g_assert_cmpint(alert_rule_judge(&rule, 81, 140, &s), ==, ALERT_UNCHANGED); /* hysteresis */
    g_assert_cmpint(alert_rule_judge(&rule, NAN, 140, &s), ==, ALERT_UNCHANGED);
    g_assert_cmpint(alert_rule_judge(&rule, 80, 150, &s), ==, ALERT_CLEARED);
    g_assert_cmpint(alert_rule_judge(&rule, 10, 160, &s), ==, ALERT_UNCHANGED);
    g_assert_false(s.is_raised);
}

static void test_judge_below(void) {
    const AlertRule rule = {.above = false, .threshold = 10, .clear = 20};
    AlertWatchState s = {};

    g_assert_cmpint(alert_rule_judge(&rule, 10, 1, &s), ==, ALERT_UNCHANGED);
    g_assert_cmpint(alert_rule_judge(&rule, 9, 2, &s), ==, ALERT_RAISED);
    g_assert_cmpint(alert_rule_judge(&rule, 19, 3, &s), ==, ALERT_UNCHANGED);
    g_assert_cmpint(alert_rule_judge(&rule, 20, 4, &s), ==, ALERT_CLEARED);
}

static void test_format(void) {
    static const struct {
        const char *unit;
        double value;
        const char *text;
    } cases[] = {
        {"share", 0.931, "93.1 %"},
        {"percent", 12.34, "12.3 %"},
        {"bytes", 1536, "1.5 K"},
        {"bytes/s", 100, "100.0 B/s"},
        {"1", 3, "3"},
        {"ms", 2.5, "2.5 ms"},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        const StatField field = {.unit = cases[i].unit};
        const AlertRule rule = {.field = &field};
        char text[32];

        alert_rule_format(&rule, cases[i].value, text, sizeof(text));
        g_assert_cmpstr(text, ==, cases[i].text);
    }
}

int main(int argc, char *argv[]) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/alert-rule/whole", test_whole);
    g_test_add_func("/alert-rule/broken", test_broken);
    g_test_add_func("/alert-rule/places", test_places);
    g_test_add_func("/alert-rule/values", test_values);
    g_test_add_func("/alert-rule/off-and-bounds", test_off_and_bounds);
    g_test_add_func("/alert-rule/trigger", test_trigger);
    g_test_add_func("/alert-rule/judge", test_judge);
    g_test_add_func("/alert-rule/judge-below", test_judge_below);
    g_test_add_func("/alert-rule/format", test_format);
    return g_test_run();
}
