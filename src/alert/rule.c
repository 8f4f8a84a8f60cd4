/* SPDX-License-Identifier: Apache-2.0 */
#include "alert/rule.h"

#include <math.h>
#include <stdio.h>

#include "basic/bounds.h"
#include "proto/text.h"

#define ALL_ROWS "*"
#define WINDOW_USEC_MIN (2 * USEC_PER_SEC) /* minimum for users without privilege */
#define WINDOW_USEC_MAX (10 * USEC_PER_SEC)

typedef struct Place {
    char *file;
    unsigned line;
} Place;

/* A rule as the files have it; complete() checks it at the end of all files. */
typedef struct Draft Draft;
struct Draft {
    Draft *next;
    AlertRule *rule;
    Place begin;     /* the first key */
    char *value;     /* key of the field */
    char *threshold; /* texts, because the unit is known later */
    char *clear;
    Place value_at, threshold_at, clear_at;
    bool is_off;
    bool has_bad_type; /* it is reported already */
};

typedef struct Reader {
    Draft *first, **last;
    size_t n;
    IniProblem problem;
    void *userdata;
} Reader;

static AlertRule *rule_free(AlertRule *r) {
    if (!r)
        return NULL;
    free(r->name);
    free(r->rows);
    free(r->message);
    free(r);
    return NULL;
}

void alert_rules_done(AlertRules *r) {
    for (size_t i = 0; i < r->n; i++)
        rule_free(r->rules[i]);
    free(r->rules);
    *r = (AlertRules){};
}

static Draft *draft_free(Draft *d) {
    if (!d)
        return NULL;
    rule_free(d->rule);
    free(d->begin.file);
    free(d->value_at.file);
    free(d->threshold_at.file);
    free(d->clear_at.file);
    free(d->value);
    free(d->threshold);
    free(d->clear);
    free(d);
    return NULL;
}
DEFINE_CLEANUP(Draft *, draft_free)

static void reader_done(Reader *r) {
    while (r->first) {
        Draft *d = r->first;

        r->first = d->next;
        draft_free(d);
    }
}

/* values */

static int parse_seconds(const char *text, double min, double max, uint64_t *ret) {
    char *end;
    double n;

    errno = 0;
    n = strtod(text, &end);
    if (end == text || *end || errno != 0 || !(n >= min && n <= max))
        return -EINVAL;
    *ret = (uint64_t)(n * (double)USEC_PER_SEC);
    return 0;
}

static int parse_integer(const char *text, long min, long max, int *ret) {
    char *end;
    long n;

    errno = 0;
    n = strtol(text, &end, 10);
    if (end == text || *end || errno != 0 || n < min || n > max)
        return -EINVAL;
    *ret = (int)n;
    return 0;
}

/* "90 %" for a share, "10G" for bytes; otherwise a number in the field's unit. */
static int parse_threshold(const char *text, const char *unit, double *ret) {
    static const char prefixes[] = "KMGT";
    const char *prefix;
    double n;
    char *end;

    errno = 0;
    n = strtod(text, &end);
    if (end == text || errno != 0 || !isfinite(n))
        return -EINVAL;
    end += strspn(end, " ");
    if (*end == '%' && (streq(unit, "share") || streq(unit, "percent"))) {
        n /= streq(unit, "share") ? 100 : 1;
        end++;
    }
    prefix = *end ? strchr(prefixes, *end) : NULL;
    if (prefix && strncmp(unit, "bytes", strlen("bytes")) == 0) {
        for (const char *p = prefixes; p <= prefix; p++)
            n *= 1024;
        end++;
    }
    if (*end || !isfinite(n)) /* the multiplication may overflow */
        return -EINVAL;
    *ret = n;
    return 0;
}

/* reading */

static bool is_name(const char *name) {
    return *name && strlen(name) <= ALERT_RULE_NAME_MAX &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") ==
               strlen(name);
}

static int set_place(Place *place, const IniPlace *at) {
    place->line = at->line;
    return free_and_strdup(&place->file, at->file);
}

static Draft *find_draft(const Reader *r, const char *name) {
    for (Draft *d = r->first; d; d = d->next)
        if (streq(d->rule->name, name))
            return d;
    return NULL;
}

static int add_draft(Reader *r, const IniPlace *at, Draft **ret) {
    const char *name = at->section;
    _cleanup_(draft_freep) Draft *d = NULL;

    if (isempty(name))
        return -ENOKEY;
    if (!is_name(name) || r->n >= ALERT_RULES_MAX)
        return -EINVAL;
    d = calloc(1, sizeof(*d));
    if (!d)
        return -ENOMEM;
    d->rule = calloc(1, sizeof(*d->rule));
    if (!d->rule)
        return -ENOMEM;
    TRY(set_place(&d->begin, at));
    d->rule->name = strdup(name);
    d->rule->rows = strdup(ALL_ROWS);
    if (!d->rule->name || !d->rule->rows)
        return -ENOMEM;
    d->rule->interval_usec = ALERT_INTERVAL_USEC_DEFAULT;
    d->rule->level = ALERT_LEVEL_DEFAULT;
    *r->last = d;
    r->last = &d->next;
    r->n++;
    *ret = TAKE_PTR(d);
    return 0;
}

static int set_text(char **field, const char *value) {
    return utf8_is_valid(value, strlen(value)) ? free_and_strdup(field, value) : -EINVAL;
}

static int set_type(Draft *d, const char *value) {
    const StatType *t = stat_type_find(value);

    d->has_bad_type = !t || !t->measure;
    d->rule->type = d->has_bad_type ? NULL : t;
    return d->has_bad_type ? -EINVAL : 0;
}

static int set_text_at(char **field, const char *value, Place *place, const IniPlace *at) {
    TRY(set_text(field, value));
    return set_place(place, at);
}

static int set_value(Draft *d, const IniPlace *at, const char *value) {
    const char *name = at->name;
    AlertRule *rule = d->rule;

    if (streq(name, "statistic"))
        return set_type(d, value);
    if (streq(name, "value"))
        return set_text_at(&d->value, value, &d->value_at, at);
    if (streq(name, "rows"))
        return set_text(&rule->rows, value);
    if (streq(name, "above") || streq(name, "below")) {
        rule->above = streq(name, "above");
        return set_text_at(&d->threshold, value, &d->threshold_at, at);
    }
    if (streq(name, "clear"))
        return set_text_at(&d->clear, value, &d->clear_at, at);
    if (streq(name, "for"))
        return parse_seconds(value, 0, 86400, &rule->for_usec);
    if (streq(name, "interval"))
        return parse_seconds(value, 1, 86400, &rule->interval_usec);
    if (streq(name, "stall"))
        return parse_seconds(value, 0, 10, &rule->stall_usec);
    if (streq(name, "window"))
        return parse_seconds(value, 2, 10, &rule->window_usec);
    if (streq(name, "level"))
        return parse_integer(value, 0, 15, &rule->level);
    if (streq(name, "rule"))
        return parse_integer(value, 0, INT32_MAX, &rule->number);
    if (streq(name, "message"))
        return strlen(value) <= ALERT_RULE_MESSAGE_MAX ? set_text(&rule->message, value) : -EINVAL;
    if (!streq(name, "enabled"))
        return -ENOKEY;
    d->is_off = streq(value, "no");
    return d->is_off || streq(value, "yes") ? 0 : -EINVAL;
}

static int on_value(const IniPlace *at, const char *value, void *userdata) {
    Reader *reader = userdata;
    Draft *d = find_draft(reader, at->section);
    int r = 0;

    if (!d)
        r = add_draft(reader, at, &d);
    return r < 0 ? r : set_value(d, at, value);
}

static void on_problem(const char *file, unsigned line, const char *text, void *userdata) {
    Reader *reader = userdata;

    reader->problem(file, line, text, reader->userdata);
}

/* completeness */

static bool find_field(AlertRule *rule, const StatField *fields, size_t n, const char *key) {
    for (size_t i = 0; i < n; i++)
        if (streq(fields[i].key, key)) {
            rule->field = &fields[i];
            rule->field_index = i;
            return true;
        }
    return false;
}

/* Windows are multiples of 2 s, which need no privilege. */
static const char *check_trigger(const Draft *d) {
    static const char *const resources[] = {"cpu", "memory", "io"};
    const AlertRule *rule = d->rule;

    if (rule->stall_usec == 0)
        return rule->window_usec > 0 ? "window is for rules with stall" : NULL;
    if (!streq(rule->type->name, "pressure") ||
        !(streq(d->value, "some-avg10") || streq(d->value, "full-avg10")))
        return "stall needs statistic = pressure, and value = some-avg10 or full-avg10";
    if (rule->window_usec % WINDOW_USEC_MIN != 0 || rule->window_usec > WINDOW_USEC_MAX)
        return "window must be 2, 4, 6, 8 or 10";
    if (rule->stall_usec > rule->window_usec)
        return "stall is longer than window";
    if (d->threshold && !rule->above)
        return "stall cannot be below something";
    for (size_t i = 0; i < ELEMENTSOF(resources); i++)
        if (streq(resources[i], rule->rows))
            return NULL;
    return "stall needs rows = cpu, memory or io";
}

static const char *check_thresholds(Draft *d, const Place **at) {
    AlertRule *rule = d->rule;
    const char *unit = rule->field->unit;

    if (d->threshold)
        *at = &d->threshold_at;
    if (!d->threshold || parse_threshold(d->threshold, unit, &rule->threshold) < 0)
        return "above or below needs a number in the unit of the value";
    rule->clear = rule->threshold;
    if (d->clear)
        *at = &d->clear_at;
    if (d->clear && parse_threshold(d->clear, unit, &rule->clear) < 0)
        return "clear needs a number in the unit of the value";
    if (rule->above ? rule->clear > rule->threshold : rule->clear < rule->threshold)
        return "clear is beyond the threshold";
    return NULL;
}

static const char no_such_value[] = "this statistic has no value";

/* Returns the problem and its place, or NULL. */
static const char *complete(Draft *d, const Place **at) {
    AlertRule *rule = d->rule;
    const StatType *t = rule->type;
    const char *why;

    *at = &d->begin;
    if (!t)
        return "statistic is missing";
    if (!d->value)
        return "value is missing";
    *at = &d->value_at;
    rule->of_rows = find_field(rule, t->row_fields, t->n_row_fields, d->value);
    if (!rule->of_rows && !find_field(rule, t->fields, t->n_fields, d->value))
        return no_such_value;
    *at = &d->begin;
    if (rule->stall_usec > 0 && rule->window_usec == 0)
        rule->window_usec = WINDOW_USEC_MIN;
    why = check_trigger(d);
    /* the threshold for the averages, if there is no trigger */
    if (!why && rule->stall_usec > 0 && !d->threshold) {
        rule->above = true;
        rule->threshold = 100 * (double)rule->stall_usec / (double)rule->window_usec;
        rule->clear = rule->threshold / 2;
        return NULL;
    }
    return why ?: check_thresholds(d, at);
}

/* " NAME; it has NAME, NAME ..." */
static void add_values(const Draft *d, char *buf, size_t size) {
    const StatType *t = d->rule->type;
    const struct {
        const StatField *fields;
        size_t n;
    } lists[] = {{t->fields, t->n_fields}, {t->row_fields, t->n_row_fields}};
    const char *gap = "; it has ";
    size_t used = (size_t)utf8_format(buf, size, " %s", d->value);

    for (size_t k = 0; k < ELEMENTSOF(lists); k++)
        for (size_t i = 0; i < lists[k].n && used < size; i++) {
            used +=
                (size_t)utf8_format(buf + used, size - used, "%s%s", gap, lists[k].fields[i].key);
            gap = ", ";
        }
}

static void tell_broken(const Reader *r, const Draft *d, const Place *at, const char *why) {
    char text[ERROR_MESSAGE_MAX], values[ERROR_MESSAGE_MAX / 2] = "";

    if (why == no_such_value)
        add_values(d, values, sizeof(values));
    (void)utf8_format(text, sizeof(text), "[%s] is not a valid rule: %s%s", d->rule->name, why,
                      values);
    r->problem(at->file, at->line, text, r->userdata);
}

static int take_rules(Reader *reader, AlertRules *ret) {
    ret->rules = calloc(MAX(reader->n, (size_t)1), sizeof(AlertRule *));
    if (!ret->rules)
        return -ENOMEM;
    for (Draft *d = reader->first; d; d = d->next) {
        const Place *at;
        const char *why;

        if (d->is_off || d->has_bad_type)
            continue;
        why = complete(d, &at);
        if (why)
            tell_broken(reader, d, at, why);
        else
            ret->rules[ret->n++] = TAKE_PTR(d->rule);
    }
    return 0;
}

int alert_rules_load(const char *file, const char *directory, IniProblem problem, void *userdata,
                     AlertRules *ret) {
    static const IniCallbacks callbacks = {
        .on_value = on_value, .on_ignored = on_problem, .on_problem = on_problem};
    _cleanup_(reader_done) Reader reader = {.problem = problem, .userdata = userdata};
    AlertRules rules = {};

    reader.last = &reader.first;
    TRY(ini_file_load(file, directory, &callbacks, &reader));
    TRY(take_rules(&reader, &rules));
    *ret = rules;
    return 0;
}

/* judging */

AlertChange alert_rule_judge(const AlertRule *rule, double value, uint64_t now_usec,
                             AlertWatchState *state) {
    if (isnan(value))
        return ALERT_UNCHANGED;
    if (state->is_raised) {
        if (rule->above ? value > rule->clear : value < rule->clear)
            return ALERT_UNCHANGED;
        *state = (AlertWatchState){};
        return ALERT_CLEARED;
    }
    if (!(rule->above ? value > rule->threshold : value < rule->threshold)) {
        state->since_usec = 0;
        return ALERT_UNCHANGED;
    }
    if (state->since_usec == 0)
        state->since_usec = now_usec;
    if (now_usec - state->since_usec < rule->for_usec)
        return ALERT_UNCHANGED;
    state->is_raised = true;
    return ALERT_RAISED;
}

void alert_rule_format(const AlertRule *rule, double value, char *buf, size_t size) {
    static const char prefixes[] = "BKMGTPE";
    const char *unit = rule->field->unit;
    size_t i = 0;

    if (streq(unit, "share"))
        (void)utf8_format(buf, size, "%.1f %%", value * 100);
    else if (streq(unit, "percent"))
        (void)utf8_format(buf, size, "%.1f %%", value);
    else if (strncmp(unit, "bytes", strlen("bytes")) == 0) {
        for (; fabs(value) >= 1024 && i + 2 < sizeof(prefixes); i++)
            value /= 1024;
        (void)utf8_format(buf, size, "%.1f %c%s", value, prefixes[i], unit + strlen("bytes"));
    } else
        (void)utf8_format(buf, size, "%.7g%s%s", value, streq(unit, "1") ? "" : " ",
                          streq(unit, "1") ? "" : unit);
}
