/* SPDX-License-Identifier: Apache-2.0 */
/* Queries that all clouds share: a metadata service returns a line or a text for a path. */
#pragma once

#include "dcm-cloud/clouds.h"

#define HOST_NAME_SIZE 256

typedef struct Path {
    const char *base, *path;
    const char *header, *answer_header;
} Path;

/* The configured address of the service, or the cloud's own. */
const char *ask_base(const Provider *p, const Question *q);
/* -ENOENT: no such value. The caller frees it. */
int ask_path(const Question *q, const Path *path, size_t size_max, char **ret, size_t *ret_size);
/* A missing value leaves *ret NULL. */
int ask_optional(const Question *q, const Path *path, char **ret);
/* The same; makes a list of one address. */
int ask_address(const Question *q, const Path *path, int family, char ***ret);
/* An id that begins with `prefix`; -EBADMSG: not an id. */
int ask_id(const Question *q, const Path *path, const char *prefix, char **ret);
/* The same from a text. */
int take_id(const char *text, size_t size, const char *prefix, char **ret);
/* Copies a text of one line. */
int take_line(const char *text, size_t size, char **ret);
/* The host name of this machine without domain; HOST_NAME_SIZE bytes. */
int ask_host_name(char *ret);
