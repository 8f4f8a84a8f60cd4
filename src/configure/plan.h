/* SPDX-License-Identifier: Apache-2.0 */
/* configure_server: what a request becomes. Pure: it looks at nothing but the request. */
#pragma once

#include "proto/json.h"

#define CONFIGURE_FILES_MAX 8
#define CONFIGURE_ARGUMENTS_MAX 8

/* What the script reads from a file, since it is secret or long. */
typedef struct ConfigureFile {
    const char *name;
    char *text;
    size_t size;
} ConfigureFile;

/* An object that is downloaded and run. */
typedef struct ConfigureObject {
    char *bucket, *name; /* as dcm-object(8) wants them */
} ConfigureObject;

typedef struct ConfigurePlan {
    const char *type; /* upper case; the script is runConfigurationManagement-TYPE */
    ConfigureFile files[CONFIGURE_FILES_MAX];
    size_t n_files;
    /* Of the script. One that begins with CONFIGURE_FILE is the path of the file of that name. */
    char *arguments[CONFIGURE_ARGUMENTS_MAX];
    size_t n_arguments;
    char **environment; /* "NAME=value"; NULL: none */
    size_t n_environment;
    /* The script runs once for each; its last argument is the path. */
    ConfigureObject *objects;
    size_t n_objects;
    struct json_object *place; /* where they are, but for the bucket; NULL: there are none */
} ConfigurePlan;

#define CONFIGURE_FILE '\001' /* no argument of a request can have it */

void configure_plan_done(ConfigurePlan *p);

/* Follows from the arguments of the request. -EINVAL: *ret_error says what is wrong with them; the
 * caller frees. */
int configure_plan(struct json_object *arguments, ConfigurePlan *ret, char **ret_error);
