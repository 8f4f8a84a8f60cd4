/* SPDX-License-Identifier: Apache-2.0 */
/* agent.conf(5): one table of keys, with types, limits and defaults. Sections and keys are those of
 * the Python agent, so that its file remains usable; unknown keys are problems, except its own. */
#pragma once

#include <json-c/json.h>

#include "basic/ini-file.h"

#define CONFIG_SECRET "(secret)" /* what is shown of a value that is one */

typedef struct Config {
    char *agentmanager_url; /* NULL: not configured */
    char *ca_cert;
    bool allow_unknown_certs;
    char *client_cert;
    char *client_key;
    char *pin;
    char *proxy; /* NULL: from the environment */
    char *proxy_auth;
    char *proxy_ca_cert;
    char *no_proxy; /* NULL: from the environment */
    char *enrolment_token;
    char *enrolment_token_file;
    uint64_t backoff_usec;
    uint64_t max_backoff_usec;
    uint64_t ping_usec;
    uint64_t retransmission_usec;
    int64_t max_at_once; /* -1: no limit */
    uint64_t workers;
    uint64_t long_workers;
    uint64_t retain_job_usec;  /* 0: for ever */
    bool keep_processes;       /* do not kill processes that scripts leave behind */
    uint64_t output_budget;    /* bytes; 0: no limit */
    uint64_t reply_output_max; /* bytes of each stream */
    uint64_t db_timeout_usec;
    char *mount_point;  /* of volumes for which the manager names none; read by dcm-volume */
    char *services_dir; /* read by dcm-service */
    char *cloud_type; /* NULL: dcm-cloud detects it; dcm-cloud reads this and the next key itself */
    char *metadata_url;
    bool ossec;                   /* whether alert_file is followed */
    char *alert_file;             /* NULL only if set to an empty value */
    int64_t alert_threshold;      /* lowest level that is sent to the manager */
    uint64_t alert_interval_usec; /* minimum between two reads */
    char *platform_name;          /* NULL: from os-release */
    char *platform_version;
    uint64_t health_interval_usec; /* 0: no samples by the agent itself */
    uint64_t health_history;
    char *log_level;                   /* syslog names */
    char *console_level;               /* names of the LOG message */
    struct json_object *features;      /* every key of [features], as strings */
    struct json_object *feature_lines; /* of the same keys: array of file and line */
    /* why the agent must not connect: an invalid value may have been about security */
    char *unusable;
    struct ConfigOrigin *origins; /* of the keys in the order of config_key() */
} Config;

/* Where a value was set. */
typedef struct ConfigOrigin {
    char *file; /* NULL: the default */
    unsigned line;
} ConfigOrigin;

/* A key of the file, for comparison with agent.conf(5). */
typedef struct ConfigKey {
    const char *section, *name, *type;
    const char *initial; /* default; empty: not set */
    double min, max;     /* both 0: no bounds */
} ConfigKey;

/* False after the last key. */
bool config_key(size_t i, ConfigKey *ret);
/* Of a key that exists; valid as long as the configuration. */
const ConfigOrigin *config_origin(const Config *c, const char *section, const char *name);

/* Reads the file, then each .conf file of the directory in order of their names; absent files are
 * no error. Calls `problem` for each invalid value, whose key keeps its default, and for each
 * unknown name. */
int config_load(const char *file, const char *directory, IniProblem problem, void *userdata,
                Config *ret);
int config_init(Config *ret);
/* Adds the text of one file; relative paths in it are relative to `file`'s directory. */
int config_parse(Config *c, const char *file, const char *text, IniProblem problem, void *userdata);
void config_done(Config *c);
/* Calls `visit` for each key, then for each feature, with the text of its value, "" if it is not
 * set. Leaves out secrets: user and password of a proxy's URL, and for the enrolment token the text
 * is CONFIG_SECRET. A negative result ends the visit and is returned. */
int config_visit(const Config *c,
                 int (*visit)(const char *section, const char *name, const char *value,
                              const ConfigOrigin *origin, void *userdata),
                 void *userdata);
