/* SPDX-License-Identifier: Apache-2.0 */
/* Repositories of packages that add_repository makes: the texts of their files. The signatures of
 * packages are always checked. */
#pragma once

#include "package/name.h"
#include "proto/json.h"

typedef struct Repository {
    char *name; /* letters, digits and dashes: part of the names of files */
    char *uri;
    char *suite;            /* of deb; with a slash at the end: a repository without components */
    char **components;      /* of deb; NULL: none */
    char *key;              /* OpenPGP public keys, armored */
    bool has_unsigned_list; /* of rpm: only its packages are signed */
} Repository;

/* The files of a repository, and how the package manager calls it. */
typedef struct RepositoryPaths {
    char *id, *source, *key;
} RepositoryPaths;

void repository_done(Repository *r);

bool repository_name_is_valid(const char *name) _pure_;
/* http, https or file, without blanks, quotes and passwords. */
bool repository_uri_is_valid(const char *uri) _pure_;
/* One or several armored blocks of public keys, and no private one. */
bool repository_key_is_valid(const char *key) _pure_;

/* The arguments of add_repository. -EINVAL: *ret_problem says what is wrong. */
int repository_parse(struct json_object *arguments, PackageFamily family, Repository *ret,
                     char **ret_problem);

/* sources.list(5) in the form deb822, and a file of yum.conf(5). The caller frees. */
int repository_write_deb822(const Repository *r, const char *key_path, char **ret);
int repository_write_repo(const Repository *r, const char *key_path, char **ret);

/* Whether the text of such a file says that add_repository has made it. */
bool repository_is_ours(const char *text, const char *name) _pure_;
