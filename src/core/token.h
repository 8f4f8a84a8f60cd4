/* SPDX-License-Identifier: Apache-2.0 */
/* The secret that identifies this agent to its manager (docs/protocol, section 2). */
#pragma once

#include "basic/macro.h"

#define TOKEN_SIZE 97 /* 59 characters, a UUID of 36, NUL; and one more to detect a longer file */

/* -ENOENT: no token; -EINVAL: invalid. */
int token_load(const char *path, char ret[static TOKEN_SIZE]);
/* Reads the token, or makes one if there is no valid one. The file has mode 0600 and is replaced
 * atomically. Without a file, the credential "token" of the service counts, which an administrator
 * has sealed. A file takes precedence, because the agent makes it only after a manager has refused
 * the credential. */
int token_load_or_create(const char *path, char ret[static TOKEN_SIZE]);
int token_create(const char *path, char ret[static TOKEN_SIZE]);
