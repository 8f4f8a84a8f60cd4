/* SPDX-License-Identifier: Apache-2.0 */
/* Makes the options of a connection from the section [connection] and the environment. */
#pragma once

#include "basic/sha256.h"
#include "core/config.h"
#include "net/connection.h"

#define OPTIONS_ERROR_SIZE 512

/* -ENODATA: there is no URL; -EINVAL: a value is invalid that must not be ignored because the
 * default would be less secure; both with a text that includes the remedy. `directory` has the
 * drop-ins, for that text. `get` is getenv(3), or another environment. */
int connection_options_make(const Config *config, const char *directory,
                            const char *(*get)(const char *name), ConnectionOptions *ret,
                            char error[static OPTIONS_ERROR_SIZE]);

/* -EINVAL: a file that a key names cannot be opened; as above. */
int connection_files_check(const Config *config, char error[static OPTIONS_ERROR_SIZE]);

/* A hash over all settings of the connection and the content of the files that they name: while it
 * stays the same, a reload need not reconnect. */
void connection_fingerprint(const Config *config, char ret[static SHA256_HEX_SIZE]);
