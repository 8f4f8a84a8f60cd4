/* SPDX-License-Identifier: Apache-2.0 */
/* agent.conf(5): one table of keys, with their types, limits and defaults. Sections and keys are
 * those of the Python agent, so that its file can be taken over; keys that are not ours are
 * ignored. */
#pragma once

#include <json-c/json.h>

#include "basic/macro.h"

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
    uint64_t backoff_usec;
    uint64_t max_backoff_usec;
    uint64_t ping_usec;
    uint64_t retransmission_usec;
    int64_t max_at_once; /* -1: no limit */
    uint64_t workers;
    uint64_t long_workers;
    uint64_t retain_job_usec;  /* 0: for ever */
    bool keep_processes;       /* that scripts leave behind */
    uint64_t output_budget;    /* bytes; 0: no limit */
    uint64_t reply_output_max; /* bytes of each stream */
    uint64_t db_timeout_usec;
    char
        *cloud_type; /* NULL: to be found out, by dcm-cloud, which reads this and the next itself */
    char *metadata_url;
    bool ossec;                   /* whether alert_file is followed */
    char *alert_file;             /* NULL only where it was set to nothing */
    int64_t alert_threshold;      /* the least level that the manager is told */
    uint64_t alert_interval_usec; /* at least, between two reads */
    char *platform_name;          /* NULL: from os-release */
    char *platform_version;
    uint64_t health_interval_usec; /* 0: nothing is sampled of our own accord */
    uint64_t health_history;
    char *log_level;              /* syslog names */
    char *console_level;          /* names of the LOG message */
    struct json_object *features; /* every key of [features], as strings */
    char *unusable; /* why the agent must not connect: a value is lost that may mean security */
} Config;

/* A key of the file, in the words of agent.conf(5). */
typedef struct ConfigKey {
    const char *section, *name, *type;
    const char *initial; /* empty: not set */
    double min, max;     /* both 0: no bounds */
} ConfigKey;

/* False behind the last one. */
bool config_key(size_t i, ConfigKey *ret);

/* Told of each value that cannot be used; the default stays. */
typedef void (*ConfigProblem)(const char *file, const char *text, void *userdata);

/* Reads the file, then each .conf file of the directory in the order of their names; absent ones
 * are no error. */
int config_load(const char *file, const char *directory, ConfigProblem problem, void *userdata,
                Config *ret);
int config_init(Config *ret);
/* Adds the text of one file; relative paths in it are relative to `file`'s directory. */
int config_parse(Config *c, const char *file, const char *text, ConfigProblem problem,
                 void *userdata);
void config_done(Config *c);
/* What is in force, as a file: "None" for what is not set. No secrets: of a proxy's address user
 * and password are left out. The caller frees. */
int config_render(const Config *c, char **ret);
