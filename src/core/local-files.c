/* SPDX-License-Identifier: Apache-2.0 */
#include "core/local-files.h"

#include <stdio.h>

#include "basic/log-fields.h"
#include "basic/log.h"
#include "commands/command-list.h"
#include "core/command-jobs.h"
#include "site/command-reader.h"
#include "site/policy.h"

static void on_config_problem(const char *file, unsigned line, const char *text, void *userdata) {
    (void)problems_add(userdata, PROBLEM_CONFIG, file, line, text);
}

static void on_alerts_problem(const char *file, unsigned line, const char *text, void *userdata) {
    (void)problems_add(userdata, PROBLEM_ALERTS, file, line, text);
}

static void on_policy_problem(const char *file, unsigned line, const char *text, void *userdata) {
    (void)problems_add(userdata, PROBLEM_POLICY, file, line, text);
}

static void on_policy_ignored(const char *file, unsigned line, const char *text, void *userdata) {
    (void)problems_add(userdata, PROBLEM_POLICY_NAMES, file, line, text);
}

int local_files_load_config(const AgentPaths *paths, Problems *problems, Config *ret) {
    problems_clear(problems, PROBLEM_CONFIG);
    return config_load(paths->config_file, paths->config_directory, on_config_problem, problems,
                       ret);
}

int local_files_load_rules(const AgentPaths *paths, Problems *problems, AlertRules *ret) {
    problems_clear(problems, PROBLEM_ALERTS);
    return alert_rules_load(paths->alerts_file, paths->alerts_directory, on_alerts_problem,
                            problems, ret);
}

int local_files_check_rules(const AgentPaths *paths, Problems *problems) {
    _cleanup_(alert_rules_done) AlertRules rules = {};

    return local_files_load_rules(paths, problems, &rules);
}

static void add_broken_command(Problems *problems, const char *file, const char *why) {
    const char *text;
    unsigned line = command_error_line(why, &text);

    (void)problems_add(problems, PROBLEM_COMMANDS, file, line, text);
}

int local_files_check_command(const char *path, Problems *problems) {
    _cleanup_free_ char *why = NULL;
    int r;

    problems_clear(problems, PROBLEM_COMMANDS);
    r = command_list_check_file(path, &why);
    if (r == -EINVAL)
        add_broken_command(problems, path, why);
    return r == -EINVAL ? 0 : r;
}

int local_files_load_commands(const AgentPaths *paths, Problems *problems) {
    const BrokenCommand *broken;
    size_t n;
    int r;

    problems_clear(problems, PROBLEM_COMMANDS);
    r = command_list_load(paths->commands_directory, paths->shipped_commands_directory);
    broken = command_list_broken(&n);
    for (size_t i = 0; r >= 0 && i < n; i++)
        add_broken_command(problems, broken[i].file, broken[i].problem);
    if (r >= 0)
        command_jobs_check(paths, problems);
    return r;
}

int local_files_check_policy(const AgentPaths *paths, Problems *problems) {
    int r;

    problems_clear(problems, PROBLEM_POLICY);
    problems_clear(problems, PROBLEM_POLICY_NAMES);
    r = policy_check(paths->policy_file, paths->policy_directory, on_policy_problem,
                     on_policy_ignored, problems);
    return r < 0 ? log_error_errno(r, "The policy cannot be checked: %m") : r;
}

void local_files_note_value(Problems *problems, const Config *config, const char *section,
                            const char *name, const char *text) {
    const ConfigOrigin *origin = config_origin(config, section, name);

    (void)problems_add(problems, PROBLEM_CONFIG, strempty(origin->file), origin->line, text);
}

static void log_broken_command(const Problem *p) {
    char line[32] = "";

    if (p->line > 0)
        (void)snprintf(line, sizeof(line), "line %u: ", p->line);
    (void)log_struct(LOG_ERR, 0, LOG_FIELDS(LOG_ID(DCM_MESSAGE_COMMAND_BROKEN)),
                     "%s defines no command: %s%s", p->file, line, p->text);
}

void local_files_log_problem(const Problem *p) {
    static const char *const effects[] = {
        [PROBLEM_CONFIG] = "; ignored",
        [PROBLEM_ALERTS] = "; ignored",
        [PROBLEM_COMMAND_JOBS] = "",
        [PROBLEM_POLICY_NAMES] = "",
        [PROBLEM_POLICY] = "; the policy is not valid, so no job is allowed",
    };
    _cleanup_free_ char *whole = NULL;

    if (p->source == PROBLEM_COMMANDS)
        log_broken_command(p);
    else if (ini_problem_format(p->file, p->line, p->text, &whole) >= 0)
        (void)log_struct(p->source == PROBLEM_POLICY ? LOG_ERR : LOG_WARNING, 0,
                         LOG_FIELDS(LOG_ID(DCM_MESSAGE_CONFIGURATION_INVALID)), "%s%s", whole,
                         effects[p->source]);
}
