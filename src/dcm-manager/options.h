/* SPDX-License-Identifier: Apache-2.0 */
/* The command line: one table of verbs, one of options. */
#pragma once

#include "basic/macro.h"

#define LISTEN_MAX 8
#define ARGUMENTS_MAX 256

typedef enum Verb {
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
    VERB_WAIT_AGENT,
    _VERB_MAX,
} Verb;

/* Owns nothing. */
typedef struct Options {
    Verb verb;
    const char *operands[2];
    int n_operands;
    const char *control;
    /* serve */
    const char *listen[LISTEN_MAX];
    size_t n_listen;
    const char *cert, *key, *database;
    bool no_tls;
    double ping_sec, retransmit_sec, handshake_sec;
    /* run */
    const char *arguments[ARGUMENTS_MAX];
    size_t n_arguments;
    const char *json_file, *script, *guid;
    bool long_runner, wait, output_json;
    double timeout_sec; /* 0: no limit */
    /* others */
    bool json, follow;
    int lines;
    bool debug;
} Options;

/* 1: run the verb; 0: done (--help, --version); -EINVAL: invalid usage, which the function has
 * reported. */
int options_parse(int argc, char *argv[], Options *ret);
