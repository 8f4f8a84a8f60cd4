/* SPDX-License-Identifier: Apache-2.0 */
/* From the section [connection] and the environment to the options of a connection. */
#pragma once

#include "basic/sha256.h"
#include "core/config.h"
#include "net/connection.h"

#define OPTIONS_ERROR_SIZE 512

/* -ENODATA: there is no URL; -EINVAL: a value cannot be used, which must not be ignored since it
 * would mean less security; both with a text that says what to do. `get` is getenv(3), or
 * another environment. */
int connection_options_make(const Config *config, const char *config_file,
                            const char *(*get)(const char *name), ConnectionOptions *ret,
                            char error[static OPTIONS_ERROR_SIZE]);

/* A hash over all settings of the connection and the content of the files that they name: while it
 * is the same, a reload has nothing to do. */
void connection_fingerprint(const Config *config, char ret[static SHA256_HEX_SIZE]);
