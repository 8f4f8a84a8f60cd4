/* SPDX-License-Identifier: Apache-2.0 */
/* The command line: one table of verbs, one of options. */
#pragma once

#include "cli/listing.h"
#include "dcm-manager/address-range.h"

#define LISTEN_MAX 8
#define PROXIES_MAX 16
#define ARGUMENTS_MAX 256
#define NAMES_MAX 16
#define TARGETS_MAX 256                /* of one command; a pattern or group counts as one */
#define OPERANDS_MAX (TARGETS_MAX + 1) /* and a command */

typedef enum ManagerVerb {
    VERB_SERVE,
    VERB_AGENTS,
    VERB_RUN,
    VERB_REQUESTS,
    VERB_SHOW,
    VERB_STATUS,
    VERB_CANCEL,
    VERB_LOG,
    VERB_ALERTS,
    VERB_NAME,
    VERB_UNNAME,
    VERB_GROUP,
    VERB_UNGROUP,
    VERB_WAIT_AGENT,
    VERB_DRAIN,
    VERB_METRICS,
    VERB_INIT,
    VERB_RENEW,
    VERB_AGENT_PACKAGE,
    VERB_ACCEPT,
    VERB_REJECT,
    VERB_REVOKE,
    VERB_FORGET,
    VERB_REPLACE,
    VERB_ENROL_TOKEN,
    _VERB_MAX,
} ManagerVerb;

/* Owns nothing. */
typedef struct Options {
    ManagerVerb verb;
    const char *operands[OPERANDS_MAX];
    int n_operands;
    const char *control;
    /* serve */
    const char *listen[LISTEN_MAX];
    size_t n_listen;
    const char *cert, *key, *database, *config;
    const char *enrolment; /* NULL: as the configuration says */
    bool no_tls;
    double ping_sec, retransmit_sec, handshake_sec, return_sec;
    AddressRange proxies[PROXIES_MAX];
    size_t n_proxies;
    double handshakes_per_sec, new_agents_per_sec; /* 0: no limit */
    /* run */
    size_t n_targets; /* the first operands */
    const char *command;
    const char *arguments[ARGUMENTS_MAX];
    size_t n_arguments;
    const char *arguments_file, *script, *guid;
    bool long_runner, wait, dry_run;
    double timeout_sec; /* 0: none */
    /* drain */
    double within_sec;
    /* init, renew, agent-package */
    const char *names[NAMES_MAX];
    size_t n_names;
    const char *directory, *url;
    /* enrol-token, agent-package */
    const char *group;
    uint64_t expires_usec; /* from now on */
    uint64_t uses;
    /* others */
    Output output;
    bool follow;
    bool waiting; /* agents */
    bool debug;
} Options;

#define LINES_PRESET UINT32_MAX /* --lines was not given */

/* `complete` is for completion_print(). 1: run it; 0: done already (--help, --version); -EINVAL:
 * wrong use, which was explained. */
int command_line_parse(int argc, char *argv[], void (*complete)(size_t verb, int operand),
                       Options *ret);
