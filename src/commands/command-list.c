/* SPDX-License-Identifier: Apache-2.0 */
/* A complete new list replaces the former one. Definitions are reference-counted: the list holds
 * one reference, each task another. */
#include "commands/command-list.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "basic/bounds.h"
#include "basic/ini-file.h"
#include "commands/command-table.h"
#include "commands/file-command.h"
#include "proto/text.h"
#include "site/command-reader.h"
#include "site/feature.h"

#define IGNORED_MAX 8 /* files that are listed though they are not read */

typedef struct Definition {
    Command command; /* must come first */
    CommandFile *file;
} Definition;

typedef struct List {
    const Command **commands; /* NULL before the first load */
    size_t n;
    BrokenCommand *broken;
    size_t n_broken;
} List;

static List current;

static void definition_free(Command *c) {
    Definition *d = (Definition *)c;

    command_file_free(d->file);
    free(d);
}

static void list_done(List *l) {
    for (size_t i = 0; i < l->n; i++)
        command_unref(l->commands[i]);
    free(l->commands);
    for (size_t i = 0; i < l->n_broken; i++) {
        free(l->broken[i].file);
        free(l->broken[i].problem);
    }
    free(l->broken);
    *l = (List){};
}

static int compare(const void *a, const void *b) {
    return strcmp((*(const Command *const *)a)->name, (*(const Command *const *)b)->name);
}

static const Command *find(const List *l, const char *name) {
    const Command key = {.name = name}, *p = &key, *const * found;

    found = l->n > 0 ? bsearch(&p, l->commands, l->n, sizeof(const Command *), compare) : NULL;
    return found ? *found : NULL;
}

/* The name of a command takes precedence over the patterns of others. */
static const Command *find_by_any_name(const List *l, const char *name) {
    const Command *c = find(l, name);

    for (size_t i = 0; i < l->n && !c; i++)
        if (l->commands[i]->file && command_file_has_name(l->commands[i]->file, name))
            c = l->commands[i];
    return c;
}

/* Allocates room for all commands that can follow. */
static int list_init(List *l) {
    const Command *own;
    size_t n;

    own = command_table(&n);
    l->commands = calloc(n + 2 * COMMAND_FILES_MAX, sizeof(const Command *));
    l->broken = calloc(2 * (COMMAND_FILES_MAX + 1) + IGNORED_MAX, sizeof(*l->broken));
    if (!l->commands || !l->broken)
        return -ENOMEM;
    for (; l->n < n; l->n++)
        l->commands[l->n] = &own[l->n];
    return 0;
}

/* Names and problems contain text of a file, and go to the bus. */
static int add_broken(List *l, const char *directory, const char *file, const char *problem) {
    BrokenCommand *b = &l->broken[l->n_broken];
    _cleanup_free_ char *path = NULL;

    if (asprintf(&path, "%s%s%s", directory, *file ? "/" : "", file) < 0) {
        path = NULL;
        return -ENOMEM;
    }
    TRY(bus_text_new(path, &b->file));
    l->n_broken++;
    return bus_text_new(problem, &b->problem);
}

/* -EINVAL: the file is broken; *ret_error belongs to the caller. */
static int load_definition(const char *directory, const char *name, Definition **ret,
                           char **ret_error) {
    _cleanup_(command_file_freep) CommandFile *file = NULL;
    Definition *d;

    TRY(command_file_load(directory, name, &file, ret_error));
    TRY(file_command_check_defaults(file, ret_error));
    command_file_find_features(file);
    d = calloc(1, sizeof(*d));
    if (!d)
        return -ENOMEM;
    file_command_init(&d->command, file);
    d->file = TAKE_PTR(file);
    d->command.n_references = 1;
    d->command.free = definition_free;
    *ret = d;
    return 0;
}

/* A file in the shadowing directory counts even if it is broken or masked. */
static bool is_shadowed(const char *shadow, const char *file) {
    _cleanup_free_ char *path = NULL;

    return shadow && asprintf(&path, "%s/%s", shadow, file) >= 0 &&
           faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) >= 0;
}

/* `shadow` is the directory that precedes this one. */
static int add(List *l, size_t n_own, const char *directory, const char *shadow, const char *file) {
    const List own = {.commands = l->commands, .n = n_own};
    _cleanup_free_ char *name = strndup(file, strlen(file) - strlen(".conf")), *error = NULL;
    const char *problem = NULL;
    Definition *d = NULL;
    int r;

    if (!name)
        return -ENOMEM;
    if (is_shadowed(shadow, file))
        return 0;
    if (!command_name_is_valid(name))
        problem = "its file name is not a valid command name";
    else if (find(&own, name))
        problem = "the agent has a command of that name";
    if (problem)
        return add_broken(l, directory, file, problem);
    r = load_definition(directory, name, &d, &error);
    if (r == -ENOENT || r == -ERFKILL) /* removed meanwhile, or masked */
        return 0;
    if (r == -EINVAL)
        return add_broken(l, directory, file, error);
    if (r < 0)
        return r;
    l->commands[l->n++] = &d->command;
    return 0;
}

static int is_definition(const struct dirent *entry) {
    const char *dot = strrchr(entry->d_name, '.');

    return entry->d_name[0] != '.' && dot && streq(dot, ".conf");
}

static int is_ignored(const struct dirent *entry) {
    return ini_name_is_ignored(entry->d_name) &&
           (entry->d_type == DT_REG || entry->d_type == DT_LNK || entry->d_type == DT_UNKNOWN);
}

/* A few of them say enough. */
static int add_ignored(List *l, const char *directory) {
    struct dirent **entries = NULL;
    int n, r = 0;

    n = scandir(directory, &entries, is_ignored, alphasort);
    for (int i = 0; i < n; i++) {
        if (r >= 0 && i < IGNORED_MAX)
            r = add_broken(l, directory, entries[i]->d_name, "its name does not end in .conf");
        free(entries[i]);
    }
    free(entries);
    return r;
}

static int add_unreadable(List *l, const char *directory, int error) {
    char why[512];

    ini_unreadable_describe(directory, error, why, sizeof(why));
    return add_broken(l, directory, "", why);
}

static int add_directory(List *l, size_t n_own, const char *directory, const char *shadow) {
    struct dirent **entries = NULL;
    int n, r = 0;

    n = scandir(directory, &entries, is_definition, alphasort);
    if (n < 0)
        return errno == ENOMEM   ? -ENOMEM
               : errno == ENOENT ? 0
                                 : add_unreadable(l, directory, -errno);
    for (int i = 0; i < n; i++) {
        if (r >= 0 && i == (int)COMMAND_FILES_MAX)
            r = add_broken(l, directory, entries[i]->d_name, "there are too many files");
        else if (r >= 0 && i < (int)COMMAND_FILES_MAX)
            r = add(l, n_own, directory, shadow, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    return r;
}

/* Compares the data of a command that the manager sees. */
static bool looks_same(const Command *a, const Command *b) {
    const CommandFile *f = a->file, *g = b->file;
    bool same = streq(a->name, b->name) && !f == !g;

    if (!same || !f)
        return same;
    same = streq_ptr(f->names, g->names) && f->n_features == g->n_features;
    for (size_t i = 0; i < f->n_features && same; i++)
        same = streq(f->features[i].name, g->features[i].name) &&
               streq(f->features[i].value, g->features[i].value) &&
               f->features[i].is_available == g->features[i].is_available;
    return same;
}

static bool are_same(const List *a, const List *b) {
    bool same = a->n == b->n;

    for (size_t i = 0; i < a->n && same; i++)
        same = looks_same(a->commands[i], b->commands[i]);
    return same;
}

int command_list_load(const char *directory, const char *shipped_directory) {
    List fresh = {};
    size_t n_own;
    bool changed;
    int r;

    r = list_init(&fresh);
    n_own = fresh.n;
    if (r >= 0)
        r = add_directory(&fresh, n_own, directory, NULL);
    if (r >= 0)
        r = add_ignored(&fresh, directory);
    if (r >= 0)
        r = add_directory(&fresh, n_own, shipped_directory, directory);
    if (r < 0) {
        list_done(&fresh);
        return r;
    }
    qsort(fresh.commands, fresh.n, sizeof(const Command *), compare);
    changed = !are_same(&current, &fresh);
    list_done(&current);
    current = fresh;
    return changed;
}

int command_list_check_file(const char *path, char **ret_error) {
    const char *slash = strrchr(path, '/'), *file = slash ? slash + 1 : path;
    const char *dot = strrchr(file, '.');
    _cleanup_free_ char *directory = NULL, *name = NULL;
    Definition *d = NULL;
    int r;

    directory = slash ? strndup(path, (size_t)(slash - path)) : strdup(".");
    name = dot ? strndup(file, (size_t)(dot - file)) : strdup("");
    if (!directory || !name)
        return -ENOMEM;
    r = dot && streq(dot, ".conf") ? load_definition(directory, name, &d, ret_error) : -ENOENT;
    if (r >= 0)
        command_unref(&d->command);
    if (r == -ERFKILL) /* it masks */
        return 0;
    if (r != -ENOENT)
        return r;
    *ret_error = strdup("its name is not NAME.conf, with the name of a command");
    return *ret_error ? -EINVAL : -ENOMEM;
}

void command_list_clear(void) {
    list_done(&current);
}

const Command *command_find(const char *name) {
    return find_by_any_name(&current, name);
}

const Command *const *command_list(size_t *ret_n) {
    *ret_n = current.n;
    return current.commands;
}

const BrokenCommand *command_list_broken(size_t *ret_n) {
    *ret_n = current.n_broken;
    return current.broken;
}
