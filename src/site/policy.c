/* SPDX-License-Identifier: Apache-2.0 */
/* Limits are kept as assignments in the order of reading; those for all commands precede those for
 * one. */
#include "site/policy.h"

#include <fnmatch.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#include "basic/bounds.h"
#include "basic/file-util.h"
#include "basic/ini-file.h"
#include "basic/parse-util.h"
#include "basic/strv.h"
#include "basic/utf8.h"

#define LIMITS_SECTION "limits"

typedef struct Assignment Assignment;
struct Assignment {
    Assignment *next;
    char *command; /* NULL: for all commands */
    char *name, *place;
    JobLimit *limit; /* NULL: invalid */
};

typedef enum Rule {
    ALLOW_COMMANDS,
    DENY_COMMANDS,
    ALLOW_USERS,
    ALLOW_PACKAGE_CHANGES,
    ALLOW_PACKAGES,
    DENY_PACKAGES,
    ALLOW_REPOSITORIES,
    ALLOW_SCRIPTS,
    ALLOW_ROOT_SCRIPTS,
    INSTALL_MISSING_TOOLS,
    _RULE_MAX,
} Rule;

static const char *const rules[_RULE_MAX] = {
    [ALLOW_COMMANDS] = "allow_commands",
    [DENY_COMMANDS] = "deny_commands",
    [ALLOW_USERS] = "allow_users",
    [ALLOW_PACKAGE_CHANGES] = "allow_package_changes",
    [ALLOW_PACKAGES] = "allow_packages",
    [DENY_PACKAGES] = "deny_packages",
    [ALLOW_REPOSITORIES] = "allow_repositories",
    [ALLOW_SCRIPTS] = "allow_scripts",
    [ALLOW_ROOT_SCRIPTS] = "allow_root_scripts",
    [INSTALL_MISSING_TOOLS] = "install_missing_tools",
};

static const char *const package_changes[_PACKAGE_CHANGE_MAX] = {
    [PACKAGE_CHANGE_INSTALL] = "install",       [PACKAGE_CHANGE_REMOVE] = "remove",
    [PACKAGE_CHANGE_UPDATE] = "update",         [PACKAGE_CHANGE_HOLD] = "hold",
    [PACKAGE_CHANGE_REPOSITORY] = "repository",
};

struct Policy {
    char **allow_commands, **deny_commands, **allow_users;
    char **allow_package_changes, **allow_packages, **deny_packages, **allow_repositories;
    bool allow_scripts, allow_root_scripts, install_missing_tools;
    Assignment *first, **last;
    char *places[_RULE_MAX]; /* of the rules; NULL: the default */
    char *error;             /* the first one */
    bool is_void;
};

Policy *policy_free(Policy *p) {
    if (!p)
        return NULL;
    while (p->first) {
        Assignment *a = p->first;

        p->first = a->next;
        free(a->command);
        free(a->name);
        free(a->place);
        job_limit_free(a->limit);
        free(a);
    }
    strv_free(p->allow_commands);
    strv_free(p->deny_commands);
    strv_free(p->allow_users);
    strv_free(p->allow_package_changes);
    strv_free(p->allow_packages);
    strv_free(p->deny_packages);
    strv_free(p->allow_repositories);
    for (Rule r = 0; r < _RULE_MAX; r++)
        free(p->places[r]);
    free(p->error);
    free(p);
    return NULL;
}

/* "FILE:LINE", in the place of an earlier one. */
static int format_place(const IniPlace *at, char **place) {
    char *text;

    if (asprintf(&text, "%s:%u", at->file, at->line) < 0)
        return -ENOMEM;
    free(*place);
    *place = text;
    return 0;
}

static int add_limit(Policy *p, const char *command, const IniPlace *at, const char *value) {
    Assignment *a;

    a = calloc(1, sizeof(*a));
    if (!a)
        return -ENOMEM;
    *p->last = a;
    p->last = &a->next;
    TRY(free_and_strdup(&a->command, command));
    TRY(free_and_strdup(&a->name, at->name));
    TRY(format_place(at, &a->place));
    return job_limit_new(at->name, value, &a->limit);
}

static int find_rule(const char *name) {
    for (Rule r = 0; r < _RULE_MAX; r++)
        if (strcasecmp(name, rules[r]) == 0)
            return (int)r;
    return -ENOKEY;
}

/* A kind that does not exist would allow nothing where something was meant. */
static int set_package_changes(Policy *p, const char *value) {
    TRY(parse_words(value, &p->allow_package_changes));
    for (char **w = p->allow_package_changes; *w; w++) {
        size_t i = 0;

        while (i < _PACKAGE_CHANGE_MAX && !streq(*w, package_changes[i]))
            i++;
        if (i == _PACKAGE_CHANGE_MAX && !streq(*w, "*"))
            return -EINVAL;
    }
    return 0;
}

static int set_rule_value(Policy *p, Rule rule, const char *value) {
    switch (rule) {
    case ALLOW_COMMANDS:
        return parse_words(value, &p->allow_commands);
    case DENY_COMMANDS:
        return parse_words(value, &p->deny_commands);
    case ALLOW_USERS:
        return parse_words(value, &p->allow_users);
    case ALLOW_PACKAGE_CHANGES:
        return set_package_changes(p, value);
    case ALLOW_PACKAGES:
        return parse_words(value, &p->allow_packages);
    case DENY_PACKAGES:
        return parse_words(value, &p->deny_packages);
    case ALLOW_REPOSITORIES:
        return parse_words(value, &p->allow_repositories);
    case ALLOW_SCRIPTS:
        return parse_bool(value, &p->allow_scripts);
    case ALLOW_ROOT_SCRIPTS:
        return parse_bool(value, &p->allow_root_scripts);
    default:
        return parse_bool(value, &p->install_missing_tools);
    }
}

static int set_rule(Policy *p, const IniPlace *at, const char *value) {
    int rule = find_rule(at->name);

    if (rule < 0)
        return rule;
    TRY(set_rule_value(p, (Rule)rule, value));
    return format_place(at, &p->places[rule]);
}

static int on_value(const IniPlace *at, const char *value, void *userdata) {
    const size_t size = strlen(LIMITS_SECTION);
    const char *section = at->section;

    if (strchr(section, '[')) /* the name would end at the first ] */
        return -EINVAL;
    if (streq(section, "policy"))
        return set_rule(userdata, at, value);
    if (streq(section, LIMITS_SECTION))
        return add_limit(userdata, NULL, at, value);
    if (strncmp(section, LIMITS_SECTION " ", size + 1) == 0 && section[size + 1])
        return add_limit(userdata, section + size + 1, at, value);
    return -ENOKEY;
}

static void on_invalid(const IniPlace *at, char *buf, size_t size, void *userdata) {
    int rule = streq(at->section, "policy") ? find_rule(at->name) : -ENOKEY;

    if (rule >= ALLOW_SCRIPTS)
        (void)utf8_format(buf, size, "yes or no");
    else if (rule == ALLOW_PACKAGE_CHANGES)
        (void)utf8_format(buf, size, "install, remove, update, hold, repository or *");
}

static void on_problem(const char *file, unsigned line, const char *text, void *userdata) {
    Policy *p = userdata;

    if (!p->error && ini_problem_format(file, line, text, &p->error) < 0)
        p->error = NULL;
    p->is_void = true;
}

static int set_defaults(Policy *p) {
    p->last = &p->first;
    p->allow_scripts = p->allow_root_scripts = true;
    TRY(parse_words("*", &p->allow_commands));
    TRY(parse_words("", &p->deny_commands));
    TRY(parse_words("*", &p->allow_package_changes));
    TRY(parse_words("*", &p->allow_packages));
    TRY(parse_words("", &p->deny_packages));
    TRY(parse_words("*", &p->allow_repositories));
    return parse_words("*", &p->allow_users);
}

int policy_load(const char *file, const char *directory, Policy **ret, char **ret_error) {
    static const IniCallbacks callbacks = {
        .on_value = on_value, .on_invalid = on_invalid, .on_problem = on_problem};
    _cleanup_(policy_freep) Policy *p = calloc(1, sizeof(*p));

    if (!p)
        return -ENOMEM;
    TRY(set_defaults(p));
    TRY(ini_file_load(file, directory, &callbacks, p));
    if (p->is_void && !p->error)
        return -ENOMEM;
    if (p->error) {
        *ret_error = TAKE_PTR(p->error);
        return -EINVAL;
    }
    *ret = TAKE_PTR(p);
    return 0;
}

typedef struct Looker {
    Policy *policy;
    IniProblem problem, ignored;
    void *userdata;
} Looker;

static int look_at_value(const IniPlace *at, const char *value, void *userdata) {
    return on_value(at, value, ((Looker *)userdata)->policy);
}

static void tell_looker(const char *file, unsigned line, const char *text, void *userdata) {
    const Looker *l = userdata;

    l->problem(file, line, text, l->userdata);
}

static void tell_ignored(const char *file, unsigned line, const char *text, void *userdata) {
    const Looker *l = userdata;

    l->ignored(file, line, text, l->userdata);
}

/* By its mode alone, or that of the directory that hides it: the executor has no capability. */
static bool is_for_root(const char *file, int error, void *userdata) {
    char closed[PATH_MAX];
    bool is_hidden = error == -EACCES && path_find_closed(file, closed, sizeof(closed));
    struct stat st;

    return error == -EACCES && stat(is_hidden ? closed : file, &st) >= 0 && st.st_uid == 0 &&
           st.st_mode & (is_hidden ? S_IXUSR : S_IRUSR);
}

int policy_check(const char *file, const char *directory, IniProblem problem, IniProblem ignored,
                 void *userdata) {
    static const IniCallbacks callbacks = {
        .on_value = look_at_value,
        .on_invalid = on_invalid,
        .on_ignored = tell_ignored,
        .on_unreadable = is_for_root,
        .on_problem = tell_looker,
    };
    _cleanup_(policy_freep) Policy *p = calloc(1, sizeof(*p));

    if (!p)
        return -ENOMEM;
    TRY(set_defaults(p));
    return ini_file_load(
        file, directory, &callbacks,
        &(Looker){.policy = p, .problem = problem, .ignored = ignored, .userdata = userdata});
}

static bool matches(char *const *patterns, const char *text) {
    for (char *const *p = patterns; p && *p; p++)
        if (fnmatch(*p, text, 0) == 0)
            return true;
    return false;
}

bool policy_allows(const Policy *p, const PolicyOrder *order, const char **ret_rule) {
    Rule rule;

    if (matches(p->deny_commands, order->command))
        rule = DENY_COMMANDS;
    else if (!matches(p->allow_commands, order->command))
        rule = ALLOW_COMMANDS;
    else if (!matches(p->allow_users, order->user))
        rule = ALLOW_USERS;
    else if (order->brings_script && !p->allow_scripts)
        rule = ALLOW_SCRIPTS;
    else if (order->brings_script && !p->allow_root_scripts && streq(order->user, "root"))
        rule = ALLOW_ROOT_SCRIPTS;
    else
        return true;
    *ret_rule = rules[rule];
    return false;
}

const char *policy_get_place(const Policy *p, const char *rule) {
    int r = find_rule(rule);

    return r < 0 ? NULL : p->places[r];
}

const char *policy_get_limit_place(const Policy *p, const char *command, const char *name) {
    const char *general = NULL, *own = NULL;

    for (const Assignment *a = p->first; a; a = a->next) {
        if (strcasecmp(a->name, name) != 0)
            continue;
        if (!a->command)
            general = a->place;
        else if (fnmatch(a->command, command, 0) == 0)
            own = a->place;
    }
    return own ?: general;
}

void policy_get_limits(const Policy *p, const char *command, JobLimits *ret) {
    job_limits_init(ret);
    for (const Assignment *a = p->first; a; a = a->next)
        if (!a->command)
            job_limit_apply(a->limit, ret);
    for (const Assignment *a = p->first; a; a = a->next)
        if (a->command && fnmatch(a->command, command, 0) == 0)
            job_limit_apply(a->limit, ret);
}

bool policy_installs_tools(const Policy *p) {
    return p->install_missing_tools;
}

static bool name_rule(bool is_allowed, Rule rule, const char **ret_rule) {
    if (!is_allowed)
        *ret_rule = rules[rule];
    return is_allowed;
}

bool policy_allows_package_change(const Policy *p, PackageChangeKind kind, const char **ret_rule) {
    return name_rule(matches(p->allow_package_changes, package_changes[kind]),
                     ALLOW_PACKAGE_CHANGES, ret_rule);
}

bool policy_allows_package(const Policy *p, const char *name, bool is_new, const char **ret_rule) {
    return name_rule(!matches(p->deny_packages, name), DENY_PACKAGES, ret_rule) &&
           name_rule(is_new || matches(p->allow_packages, name), ALLOW_PACKAGES, ret_rule);
}

bool policy_allows_repository(const Policy *p, const char *uri, const char **ret_rule) {
    return name_rule(matches(p->allow_repositories, uri), ALLOW_REPOSITORIES, ret_rule);
}
