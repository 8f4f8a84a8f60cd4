/* SPDX-License-Identifier: Apache-2.0 */
#include "core/local-files.h"

#include "basic/log-fields.h"
#include "basic/log.h"
#include "commands/command-list.h"

static void note(Problems *problems, ProblemSource source, const char *file, unsigned line,
                 const char *text) {
    bool is_kept = problems_add(problems, source, file, line, text);
    _cleanup_free_ char *whole = NULL;

    if (ini_problem_format(file, line, text, &whole) < 0)
        return;
    if (source == PROBLEM_COMMANDS)
        (void)log_struct(LOG_ERR, 0, LOG_FIELDS(LOG_ID(DCM_MESSAGE_COMMAND_BROKEN)),
                         "%s defines no command: %s", file, text);
    else
        (void)log_struct(is_kept ? LOG_WARNING : LOG_DEBUG, 0,
                         LOG_FIELDS(LOG_ID(DCM_MESSAGE_CONFIGURATION_INVALID)), "%s; ignored",
                         whole);
}

static void on_config_problem(const char *file, unsigned line, const char *text, void *userdata) {
    note(userdata, PROBLEM_CONFIG, file, line, text);
}

static void on_alerts_problem(const char *file, unsigned line, const char *text, void *userdata) {
    note(userdata, PROBLEM_ALERTS, file, line, text);
}

int local_files_load_config(const AgentPaths *paths, Problems *problems, Config *ret) {
    int r;

    problems_clear(problems, PROBLEM_CONFIG);
    r = config_load(paths->config_file, paths->config_directory, on_config_problem, problems, ret);
    return r < 0 ? log_error_errno(r, "The configuration cannot be read: %m") : 0;
}

int local_files_load_rules(const AgentPaths *paths, Problems *problems, AlertRules *ret) {
    int r;

    problems_clear(problems, PROBLEM_ALERTS);
    r = alert_rules_load(paths->alerts_file, paths->alerts_directory, on_alerts_problem, problems,
                         ret);
    return r < 0 ? log_error_errno(r, "The alert rules cannot be read: %m") : 0;
}

int local_files_load_commands(const AgentPaths *paths, Problems *problems) {
    const BrokenCommand *broken;
    size_t n;
    int r;

    problems_clear(problems, PROBLEM_COMMANDS);
    r = command_list_load(paths->commands_directory, paths->shipped_commands_directory);
    if (r < 0)
        return log_error_errno(r, "The commands of this machine cannot be read: %m");
    broken = command_list_broken(&n);
    for (size_t i = 0; i < n; i++)
        note(problems, PROBLEM_COMMANDS, broken[i].file, 0, broken[i].problem);
    return r;
}

void local_files_note_value(Problems *problems, const Config *config, const char *section,
                            const char *name, const char *text) {
    const ConfigOrigin *origin = config_origin(config, section, name);

    note(problems, PROBLEM_CONFIG, strempty(origin->file), origin->line, text);
}
