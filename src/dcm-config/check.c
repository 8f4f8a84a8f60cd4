/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-config/check.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/utf8.h"
#include "core/connection-options.h"
#include "core/local-files.h"
#include "dcm-config/reader.h"

static const char *get_environment(const char *name) {
    return NULL; /* the service has its own */
}

static void add_problems(const Problems *problems, Findings *findings) {
    const Problem *list;
    size_t n;

    list = problems_list(problems, &n);
    for (size_t i = 0; i < n; i++)
        findings_add(findings, list[i].file, list[i].line, list[i].text);
    if (problems_count(problems) > n)
        findings_add(findings, list[n - 1].file, 0, "and more problems, here and in other files");
}

/* What only the whole shows, such as a pin that is none. Without a URL there is nothing to say. */
static int check_connection(const Config *c, const AgentPaths *paths, Findings *findings) {
    _cleanup_(connection_options_done) ConnectionOptions options = {};
    char error[OPTIONS_ERROR_SIZE];
    int r;

    r = connection_options_make(c, paths->config_directory, get_environment, &options, error);
    if (r == -EINVAL)
        findings_add(findings, NULL, 0, error);
    return r == -EINVAL || r == -ENODATA ? 0 : r;
}

/* A file that a key names. */
static void check_named(const Config *c, const Reader *reader, const char *section,
                        const char *name, const char *path, bool is_secret, Findings *findings) {
    const ConfigOrigin *origin = config_origin(c, section, name);
    char text[1024];

    if (!path || *path != '/')
        return;
    if (access(path, F_OK) < 0) {
        (void)utf8_format(text, sizeof(text), "%s %s: %s", name, path, strerror(errno));
        findings_add(findings, strempty(origin->file), origin->line, text);
    } else
        reader_check(reader, path, is_secret, findings);
}

/* Only those that are somebody's to read: a secret is worth its file's mode. */
static void check_exposed(const char *path, Findings *findings) {
    char text[1024];
    struct stat st;

    if (!path || *path != '/' || stat(path, &st) < 0 || !(st.st_mode & S_IROTH))
        return;
    (void)utf8_format(text, sizeof(text),
                      "everybody can read the enrolment token in it; run: chgrp dcm-agent %s && "
                      "chmod 0640 %s",
                      path, path);
    findings_add(findings, path, 0, text);
}

static void check_secrets(const Config *c, Findings *findings) {
    if (c->enrolment_token)
        check_exposed(config_origin(c, "connection", "enrolment_token")->file, findings);
    check_exposed(c->enrolment_token_file, findings);
}

static void check_named_files(const Config *c, const Reader *reader, Findings *findings) {
    const struct {
        const char *section, *name, *path;
        bool is_secret;
    } files[] = {
        {"connection", "ca_cert", c->ca_cert, false},
        {"connection", "client_cert", c->client_cert, true},
        {"connection", "client_key", c->client_key, true},
        {"connection", "proxy_auth", c->proxy_auth, true},
        {"connection", "proxy_ca_cert", c->proxy_ca_cert, false},
        {"connection", "enrolment_token_file", c->enrolment_token_file, true},
        {"intrusion_detection", "alert_file", c->ossec ? c->alert_file : NULL, true},
    };

    for (size_t i = 0; i < ELEMENTSOF(files); i++)
        check_named(c, reader, files[i].section, files[i].name, files[i].path, files[i].is_secret,
                    findings);
}

/* Those that are missing or closed to this user are another matter. */
static void check_certificates(const Config *c, Findings *findings) {
    const char *const paths[] = {c->ca_cert, c->client_cert, c->client_key, c->proxy_ca_cert};
    char error[OPTIONS_ERROR_SIZE];

    for (size_t i = 0; i < ELEMENTSOF(paths); i++)
        if (paths[i] && *paths[i] == '/' && access(paths[i], R_OK) < 0)
            return;
    if (connection_files_check(c, error) == -EINVAL)
        findings_add(findings, NULL, 0, error);
}

/* The agent reads all of them. */
static int check_directory(const char *directory, const Reader *reader, Findings *findings) {
    DIR *d = opendir(directory);
    int r = 0;

    reader_check(reader, directory, false, findings);
    for (const struct dirent *e; d && r >= 0 && (e = readdir(d));) {
        const char *dot = strrchr(e->d_name, '.');
        _cleanup_free_ char *path = NULL;

        if (e->d_name[0] == '.' || !dot || !streq(dot, ".conf"))
            continue;
        r = asprintf(&path, "%s/%s", directory, e->d_name) < 0 ? -ENOMEM : 0;
        if (r >= 0)
            reader_check(reader, path, false, findings);
    }
    if (d)
        (void)closedir(d);
    return r;
}

/* The policy is root's: the executor reads it. */
static int check_readers(const AgentPaths *paths, const Reader *reader, Findings *findings) {
    const char *const files[] = {paths->config_file, paths->alerts_file};
    const char *const directories[] = {paths->config_directory, paths->alerts_directory,
                                       paths->commands_directory};

    for (size_t i = 0; i < ELEMENTSOF(files); i++)
        reader_check(reader, files[i], false, findings);
    for (size_t i = 0; i < ELEMENTSOF(directories); i++)
        TRY(check_directory(directories[i], reader, findings));
    return 0;
}

static int read_all(const AgentPaths *paths, Problems *problems, Config *ret) {
    TRY(local_files_load_config(paths, problems, ret));
    TRY(local_files_check_rules(paths, problems));
    TRY(local_files_load_commands(paths, problems));
    return local_files_check_policy(paths, problems);
}

int check_all(const AgentPaths *paths, Findings *findings) {
    _cleanup_(config_done) Config config = {};
    _cleanup_(problems_freep) Problems *problems = NULL;
    Reader reader;

    TRY(problems_new(NULL, &problems));
    TRY(read_all(paths, problems, &config));
    add_problems(problems, findings);
    TRY(check_connection(&config, paths, findings));
    reader_init(&reader);
    check_named_files(&config, &reader, findings);
    check_secrets(&config, findings);
    check_certificates(&config, findings);
    return check_readers(paths, &reader, findings);
}

static bool has_prefix(const char *path, const char *prefix) {
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;

    return strncmp(name, prefix, strlen(prefix)) == 0;
}

int check_file(const char *path, Findings *findings) {
    _cleanup_(problems_freep) Problems *problems = NULL;
    _cleanup_(config_done) Config config = {};
    _cleanup_free_ char *whole = realpath(path, NULL), *directory = NULL;
    AgentPaths paths = {.config_file = path, .alerts_file = path, .policy_file = path};
    int r;

    if (!whole || access(whole, R_OK) < 0) {
        findings_add(findings, path, 0, strerror(errno));
        return 0;
    }
    directory = strndup(whole, (size_t)(strrchr(whole, '/') - whole));
    if (!directory)
        return -ENOMEM;
    TRY(problems_new(NULL, &problems));
    if (has_prefix(directory, "commands.d"))
        r = local_files_check_command(path, problems);
    else if (has_prefix(path, "alerts") || has_prefix(directory, "alerts"))
        r = local_files_check_rules(&paths, problems);
    else if (has_prefix(path, "policy") || has_prefix(directory, "policy"))
        r = local_files_check_policy(&paths, problems);
    else
        r = local_files_load_config(&paths, problems, &config);
    add_problems(problems, findings);
    return r;
}
