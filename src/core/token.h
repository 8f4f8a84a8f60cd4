/* SPDX-License-Identifier: Apache-2.0 */
/* The secret that identifies this agent to its manager (docs/protocol, section 2). */
#pragma once

#include "basic/macro.h"

#define TOKEN_SIZE 97 /* 59 characters, a UUID of 36, NUL; and one to tell a longer file */

/* -ENOENT: there is none; -EINVAL: it is not one. */
int token_load(const char *path, char ret[static TOKEN_SIZE]);
/* Reads the token, or makes one if there is no (usable) one. The file is 0600 and replaced
 * atomically. Where there is no file, the credential "token" of the service is one: it was sealed
 * by the administrator, and a file that is made later, for a manager that refuses it, is newer. */
int token_load_or_create(const char *path, char ret[static TOKEN_SIZE]);
int token_create(const char *path, char ret[static TOKEN_SIZE]);
