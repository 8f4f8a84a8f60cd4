/* SPDX-License-Identifier: Apache-2.0 */
#include "core/command-jobs.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "basic/utf8.h"
#include "commands/command-list.h"
#include "site/command-file.h"
#include "site/trusted-file.h"
#include "system/local-user.h"

typedef struct Check {
    Problems *problems;
    const CommandFile *command;
    const char *file; /* that defines it */
    bool is_own;      /* of this machine's owner, not of a package */
} Check;

static void add(const Check *c, const char *file, unsigned line, const char *format, ...)
    _printf_(4, 5);
static void add(const Check *c, const char *file, unsigned line, const char *format, ...) {
    char why[512], text[640];
    va_list ap;

    va_start(ap, format);
    (void)utf8_format_list(why, sizeof(why), format, ap);
    va_end(ap);
    (void)utf8_format(text, sizeof(text), "%s, so that jobs of the command are refused", why);
    (void)problems_add(c->problems, PROBLEM_COMMAND_JOBS, file, line, text);
}

static void check_user(const Check *c) {
    uid_t uid;

    if (c->command->user_line > 0 && local_user_find(c->command->user, &uid) == -ENOENT)
        add(c, c->file, c->command->user_line, "there is no user %s on this machine",
            c->command->user);
}

/* A script or hook of the site, which replaces the package's or runs beside it. True: it is there.
 */
static bool check_site_script(const Check *c, const char *suffix) {
    _cleanup_free_ char *path = NULL;
    const char *problem = NULL;
    int r;

    if (asprintf(&path, "%s/%s%s", script_directories[0], c->command->script, suffix) < 0)
        return false;
    r = trusted_file_look(path, &problem);
    if (r == -EINVAL)
        add(c, path, 0, "%s", problem);
    return r != -ENOENT;
}

static void check_script(const Check *c) {
    const CommandFile *f = c->command;
    const char *problem = NULL;
    int r;

    if (f->worker)
        return;
    if (f->script[0] == '/') {
        r = c->is_own ? trusted_file_look(f->script, &problem) : 0;
        if (r == -ENOENT)
            add(c, c->file, 0, "there is no script %s", f->script);
        else if (r == -EINVAL)
            add(c, f->script, 0, "%s", problem);
        return;
    }
    (void)check_site_script(c, ".pre");
    (void)check_site_script(c, ".post");
    if (!check_site_script(c, "") && c->is_own && !script_exists(script_directories, f->script))
        add(c, c->file, 0, "there is no script %s in %s, nor in %s", f->script,
            script_directories[0], script_directories[1]);
}

void command_jobs_check(const AgentPaths *paths, Problems *problems) {
    const Command *const *commands;
    size_t n;

    problems_clear(problems, PROBLEM_COMMAND_JOBS);
    commands = command_list(&n);
    for (size_t i = 0; i < n; i++) {
        const CommandFile *f = commands[i]->file;
        _cleanup_free_ char *own = NULL, *shipped = NULL;
        Check c = {.problems = problems, .command = f};

        if (!f || asprintf(&own, "%s/%s.conf", paths->commands_directory, f->name) < 0 ||
            asprintf(&shipped, "%s/%s.conf", paths->shipped_commands_directory, f->name) < 0)
            continue;
        c.is_own = access(own, F_OK) >= 0;
        c.file = c.is_own ? own : shipped;
        check_user(&c);
        check_script(&c);
    }
}
