/* SPDX-License-Identifier: Apache-2.0 */
/* The arguments of the commands about packages. */
#pragma once

#include "package/name.h"
#include "proto/json.h"

typedef struct PackageRequest {
    char **names, **versions; /* of the same length; a version may be "" */
    size_t n;
    bool dry_run;
    bool allow_downgrade;
    bool recommends;
    bool refresh;  /* the lists of packages */
    bool security; /* security updates alone */
    bool purge;    /* configuration, too */
    bool hold;
    bool restart_services;
    uint64_t lock_usec; /* how long another package manager is waited for */
} PackageRequest;

void package_request_done(PackageRequest *q);

bool package_request_has(const PackageRequest *q, const char *name) _pure_;

typedef enum PackageVerb {
    PACKAGE_LIST,
    PACKAGE_UPDATES,
    PACKAGE_INSTALL,
    PACKAGE_REMOVE,
    PACKAGE_UPDATE,
    PACKAGE_HOLD,
    _PACKAGE_VERB_MAX,
} PackageVerb;

/* -EINVAL: *ret_problem, which the caller frees, says what is wrong. */
int package_request_parse(struct json_object *arguments, PackageVerb verb, PackageFamily family,
                          PackageRequest *ret, char **ret_problem);

/* For those that read arguments: sets *ret_problem and returns -EINVAL, or -ENOMEM. */
int package_problem(char **ret_problem, const char *format, ...) _printf_(2, 3);
/* Absent: *ret stays as it is. */
int package_read_bool(struct json_object *arguments, const char *key, bool *ret,
                      char **ret_problem);
int package_read_text(struct json_object *arguments, const char *key, size_t size_max, char **ret,
                      char **ret_problem);
int package_read_texts(struct json_object *arguments, const char *key, size_t n_max, char ***ret,
                       char **ret_problem);
/* -EINVAL if there is an argument that is not in the list, which ends with NULL. */
int package_check_known(struct json_object *arguments, const char *const *known,
                        char **ret_problem);
