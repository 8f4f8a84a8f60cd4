/* SPDX-License-Identifier: Apache-2.0 */
/* Limits are kept as assignments in the order of reading; those for all commands precede those for
 * one. */
#include "dcm-executord/policy.h"

#include <fnmatch.h>
#include <stdio.h>

#include "basic/bounds.h"
#include "basic/ini-file.h"
#include "basic/parse-util.h"
#include "basic/strv.h"

#define LIMITS_SECTION "limits"

typedef struct Assignment Assignment;
struct Assignment {
    Assignment *next;
    char *command;   /* NULL: for all commands */
    JobLimit *limit; /* NULL: invalid */
};

struct Policy {
    char **allow_commands, **deny_commands, **allow_users;
    bool allow_scripts, allow_root_scripts;
    Assignment *first, **last;
    char *error; /* the first one */
    bool is_void;
};

Policy *policy_free(Policy *p) {
    if (!p)
        return NULL;
    while (p->first) {
        Assignment *a = p->first;

        p->first = a->next;
        free(a->command);
        job_limit_free(a->limit);
        free(a);
    }
    strv_free(p->allow_commands);
    strv_free(p->deny_commands);
    strv_free(p->allow_users);
    free(p->error);
    free(p);
    return NULL;
}

static int add_limit(Policy *p, const char *command, const char *name, const char *value) {
    Assignment *a;

    a = calloc(1, sizeof(*a));
    if (!a)
        return -ENOMEM;
    *p->last = a;
    p->last = &a->next;
    TRY(free_and_strdup(&a->command, command));
    return job_limit_new(name, value, &a->limit);
}

static int set_rule(Policy *p, const char *name, const char *value) {
    if (strcasecmp(name, "allow_commands") == 0)
        return parse_words(value, &p->allow_commands);
    if (strcasecmp(name, "deny_commands") == 0)
        return parse_words(value, &p->deny_commands);
    if (strcasecmp(name, "allow_users") == 0)
        return parse_words(value, &p->allow_users);
    if (strcasecmp(name, "allow_scripts") == 0)
        return parse_bool(value, &p->allow_scripts);
    if (strcasecmp(name, "allow_root_scripts") == 0)
        return parse_bool(value, &p->allow_root_scripts);
    return -ENOKEY;
}

static int on_value(const IniPlace *at, const char *value, void *userdata) {
    const size_t size = strlen(LIMITS_SECTION);
    const char *section = at->section;

    if (strchr(section, '[')) /* the name would end at the first ] */
        return -EINVAL;
    if (streq(section, "policy"))
        return set_rule(userdata, at->name, value);
    if (streq(section, LIMITS_SECTION))
        return add_limit(userdata, NULL, at->name, value);
    if (strncmp(section, LIMITS_SECTION " ", size + 1) == 0 && section[size + 1])
        return add_limit(userdata, section + size + 1, at->name, value);
    return -ENOKEY;
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
    return parse_words("*", &p->allow_users);
}

int policy_load(const char *file, const char *directory, Policy **ret, char **ret_error) {
    static const IniCallbacks callbacks = {.on_value = on_value, .on_problem = on_problem};
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

static bool matches(char *const *patterns, const char *text) {
    for (char *const *p = patterns; p && *p; p++)
        if (fnmatch(*p, text, 0) == 0)
            return true;
    return false;
}

bool policy_allows(const Policy *p, const PolicyOrder *order, const char **ret_rule) {
    if (matches(p->deny_commands, order->command))
        *ret_rule = "deny_commands";
    else if (!matches(p->allow_commands, order->command))
        *ret_rule = "allow_commands";
    else if (!matches(p->allow_users, order->user))
        *ret_rule = "allow_users";
    else if (order->brings_script && !p->allow_scripts)
        *ret_rule = "allow_scripts";
    else if (order->brings_script && !p->allow_root_scripts && streq(order->user, "root"))
        *ret_rule = "allow_root_scripts";
    else
        return true;
    return false;
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
