/* SPDX-License-Identifier: Apache-2.0 */
/* Limits are kept as assignments, in the order in which they were read; those for all commands come
 * before those for one. */
#include "executor/policy.h"

#include <fnmatch.h>
#include <stdio.h>

#include "basic/bounds.h"
#include "basic/ini-file.h"
#include "basic/strv.h"

#define LIMITS_SECTION "limits"
#define SECTION_NAME_MAX 49 /* of inih */

typedef enum KeyType { KEY_SECONDS, KEY_BYTES, KEY_COUNT, KEY_BOOL, KEY_PATHS } KeyType;

typedef struct Key {
    const char *name;
    KeyType type;
    size_t offset; /* in PolicyLimits */
    uint64_t min, max;
} Key;

static const Key limit_keys[] = {
    {"timeout", KEY_SECONDS, offsetof(PolicyLimits, timeout_usec), 1, 365 * 86400},
    {"memory_max", KEY_BYTES, offsetof(PolicyLimits, memory_max), 1 << 20, UINT64_MAX - 1},
    {"tasks_max", KEY_COUNT, offsetof(PolicyLimits, tasks_max), 4, 1 << 22},
    {"cpu_weight", KEY_COUNT, offsetof(PolicyLimits, cpu_weight), 1, 10000},
    {"io_weight", KEY_COUNT, offsetof(PolicyLimits, io_weight), 1, 10000},
    {"network", KEY_BOOL, offsetof(PolicyLimits, network), 0, 0},
    {"writable_paths", KEY_PATHS, offsetof(PolicyLimits, writable_paths), 0, 0},
};

typedef struct Assignment Assignment;
struct Assignment {
    Assignment *next;
    char *command; /* NULL: all */
    const Key *key;
    uint64_t number;
    char **list;
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
        strv_free(a->list);
        free(a);
    }
    strv_free(p->allow_commands);
    strv_free(p->deny_commands);
    strv_free(p->allow_users);
    free(p->error);
    free(p);
    return NULL;
}

/* Words with blanks or commas between them. */
static int split(const char *text, char ***ret) {
    static const char between[] = ", \t";
    size_t n = 0;
    char **list;

    list = calloc(strlen(text) / 2 + 2, sizeof(char *));
    if (!list)
        return -ENOMEM;
    for (text += strspn(text, between); *text; text += strspn(text, between)) {
        size_t size = strcspn(text, between);

        list[n] = strndup(text, size);
        if (!list[n++]) {
            strv_free(list);
            return -ENOMEM;
        }
        text += size;
    }
    strv_free(*ret);
    *ret = list;
    return 0;
}

static int parse_bool(const char *value, bool *ret) {
    static const char *const words[] = {"no", "yes", "false", "true", "off", "on", "0", "1"};

    for (size_t i = 0; i < ELEMENTSOF(words); i++)
        if (strcasecmp(value, words[i]) == 0) {
            *ret = i % 2 == 1;
            return 0;
        }
    return -EINVAL;
}

static int parse_number(const Key *k, const char *value, uint64_t *ret) {
    static const char units[] = "KMGT";
    const char *unit;
    char *end;

    if (k->type == KEY_BYTES && streq(value, "none")) {
        *ret = UINT64_MAX;
        return 0;
    }
    if (*value < '0' || *value > '9')
        return -EINVAL;
    errno = 0;
    *ret = strtoull(value, &end, 10);
    if (errno != 0)
        return -EINVAL;
    unit = k->type == KEY_BYTES && *end ? strchr(units, *end) : NULL;
    for (const char *u = units; unit && u <= unit; u++)
        if (__builtin_mul_overflow(*ret, (uint64_t)1024, ret))
            return -EINVAL;
    return end[unit ? 1 : 0] || *ret < k->min || *ret > k->max ? -EINVAL : 0;
}

static int check_paths(char **paths) {
    for (char **p = paths; *p; p++)
        if (p[0][**p == '-'] != '/' || strstr(*p, "/../") || strlen(*p) >= 4096)
            return -EINVAL;
    return 0;
}

static int parse_limit(Assignment *a, const char *value) {
    bool flag;
    int r;

    switch (a->key->type) {
    case KEY_PATHS:
        r = split(value, &a->list);
        return r < 0 ? r : check_paths(a->list);
    case KEY_BOOL:
        r = parse_bool(value, &flag);
        a->number = r >= 0 && flag;
        return r;
    case KEY_SECONDS:
        r = parse_number(a->key, value, &a->number);
        a->number *= r >= 0 ? USEC_PER_SEC : 0;
        return r;
    default:
        return parse_number(a->key, value, &a->number);
    }
}

static int add_limit(Policy *p, const char *command, const char *name, const char *value) {
    Assignment *a;
    int r;

    a = calloc(1, sizeof(*a));
    if (!a)
        return -ENOMEM;
    *p->last = a;
    p->last = &a->next;
    for (size_t i = 0; i < ELEMENTSOF(limit_keys); i++)
        if (strcasecmp(limit_keys[i].name, name) == 0)
            a->key = &limit_keys[i];
    if (!a->key)
        return -EINVAL;
    r = free_and_strdup(&a->command, command);
    return r < 0 ? r : parse_limit(a, value);
}

static int set_rule(Policy *p, const char *name, const char *value) {
    if (strcasecmp(name, "allow_commands") == 0)
        return split(value, &p->allow_commands);
    if (strcasecmp(name, "deny_commands") == 0)
        return split(value, &p->deny_commands);
    if (strcasecmp(name, "allow_users") == 0)
        return split(value, &p->allow_users);
    if (strcasecmp(name, "allow_scripts") == 0)
        return parse_bool(value, &p->allow_scripts);
    if (strcasecmp(name, "allow_root_scripts") == 0)
        return parse_bool(value, &p->allow_root_scripts);
    return -EINVAL;
}

static int on_value(const char *file, const char *section, const char *name, const char *value,
                    void *userdata) {
    const size_t size = strlen(LIMITS_SECTION);

    /* inih ends the name at the first ], and cuts a long one */
    if (strchr(section, '[') || strlen(section) >= SECTION_NAME_MAX)
        return -EINVAL;
    if (streq(section, "policy"))
        return set_rule(userdata, name, value);
    if (streq(section, LIMITS_SECTION))
        return add_limit(userdata, NULL, name, value);
    if (strncmp(section, LIMITS_SECTION " ", size + 1) == 0 && section[size + 1])
        return add_limit(userdata, section + size + 1, name, value);
    return -EINVAL;
}

static void on_problem(const char *file, const char *text, void *userdata) {
    Policy *p = userdata;

    if (!p->error && asprintf(&p->error, "%s: %s", file, text) < 0)
        p->error = NULL;
    p->is_void = true;
}

static int set_defaults(Policy *p) {
    int r;

    p->last = &p->first;
    p->allow_scripts = p->allow_root_scripts = true;
    r = split("*", &p->allow_commands);
    if (r >= 0)
        r = split("", &p->deny_commands);
    return r < 0 ? r : split("*", &p->allow_users);
}

int policy_load(const char *file, const char *directory, Policy **ret, char **ret_error) {
    static const IniCallbacks callbacks = {.on_value = on_value, .on_problem = on_problem};
    _cleanup_(policy_freep) Policy *p = calloc(1, sizeof(*p));
    int r;

    if (!p)
        return -ENOMEM;
    r = set_defaults(p);
    if (r >= 0)
        r = ini_file_load(file, directory, &callbacks, p);
    if (r < 0)
        return r;
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

static void apply(const Assignment *a, PolicyLimits *ret) {
    void *field = (char *)ret + a->key->offset;

    if (a->key->type == KEY_PATHS)
        *(char ***)field = a->list[0] ? a->list : NULL;
    else if (a->key->type == KEY_BOOL)
        *(bool *)field = a->number;
    else
        *(uint64_t *)field = a->number;
}

void policy_get_limits(const Policy *p, const char *command, PolicyLimits *ret) {
    *ret = (PolicyLimits){
        .timeout_usec = 24 * 60 * 60 * USEC_PER_SEC,
        .memory_max = UINT64_MAX,
        .tasks_max = 4096,
        .network = true,
    };
    for (const Assignment *a = p->first; a; a = a->next)
        if (!a->command)
            apply(a, ret);
    for (const Assignment *a = p->first; a; a = a->next)
        if (a->command && fnmatch(a->command, command, 0) == 0)
            apply(a, ret);
}
