/* SPDX-License-Identifier: Apache-2.0 */
/* What the clouds have in common: a metadata service that is asked for a path and answers with a
 * line or a text. */
#pragma once

#include "dcm-cloud/clouds.h"

#define HOST_NAME_SIZE 256

typedef struct Path {
    const char *base, *path;
    const char *header, *answer_header;
} Path;

/* Where the cloud is asked: as configured, else its own address. */
const char *ask_base(const Provider *p, const Question *q);
/* -ENOENT: there is no such thing. The caller frees. */
int ask_path(const Question *q, const Path *path, size_t size_max, char **ret, size_t *ret_size);
/* What is not there stays NULL. */
int ask_optional(const Question *q, const Path *path, char **ret);
/* Likewise; a list of one address. */
int ask_address(const Question *q, const Path *path, int family, char ***ret);
/* An id that begins with `prefix`; -EBADMSG: it is none. */
int ask_id(const Question *q, const Path *path, const char *prefix, char **ret);
/* The same of a text that was read already. */
int take_id(const char *text, size_t size, const char *prefix, char **ret);
/* A copy of a text that is one line. */
int take_line(const char *text, size_t size, char **ret);
/* Ours, without its domain; HOST_NAME_SIZE bytes. */
int ask_host_name(char *ret);
