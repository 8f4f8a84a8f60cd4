/* SPDX-License-Identifier: Apache-2.0 */
/* A place where objects are kept: which service, where it is, whose account, which bucket. */
#pragma once

#include "proto/json.h"

typedef enum PlaceKind {
    PLACE_UNSUPPORTED, /* a cloud without object storage that this program speaks */
    PLACE_S3,
    PLACE_AZURE,
    PLACE_GOOGLE,
    PLACE_SWIFT,
    PLACE_SFTP,
    PLACE_WEBDAV,
    PLACE_DIRECTORY,
    _PLACE_KIND_MAX,
} PlaceKind;

typedef struct Place {
    PlaceKind kind;
    char *cloud;    /* id or provider, as it was given */
    char *endpoint; /* URL, or host and port; NULL: the provider's own */
    char *region;
    char *account; /* Azure: the account; Swift: the project */
    char *domain;  /* Swift v3: of user and project */
    char *bucket;  /* S3, Google: bucket; Azure, Swift: container; others: directory */
    char *key;     /* user name, or public part of the key */
    char *secret;
    char *token;       /* S3: of temporary credentials */
    char *sas;         /* Azure: a query, or a URL with one */
    char *credentials; /* Google: JSON of a service account */
    char *private_key; /* SFTP: PEM */
    char *host_key;    /* SFTP: lines of "ssh-ed25519 AAAA..." */
    char *certificate; /* PEM: what to trust instead of the system's certificates */
} Place;

/* Clears secrets before they are freed. */
void place_done(Place *p);

/* Reads and checks a place. -EINVAL: *ret_problem says what is wrong with it, without quoting a
 * secret; the caller frees. -EOPNOTSUPP: the same for a cloud that is not supported. */
int place_parse(const char *text, size_t size, Place *ret, char **ret_problem);
/* The JSON that place_parse() reads; it has the secrets. */
int place_to_json(const Place *p, struct json_object **ret);
/* The checks alone. */
int place_check(const Place *p, char **ret_problem);

/* The kind behind a cloud's id, a number as text, or the name of a provider. */
PlaceKind place_kind_of(const char *cloud) _pure_;
const char *place_kind_name(PlaceKind kind) _const_;
/* Whether there are buckets, which may be missing or be made, and objects appear only when they are
 * complete. Elsewhere an object is a file, which is written under another name first. */
bool place_has_buckets(const Place *p) _pure_;

/* Reads a place that is JSON already; as place_parse(). */
int place_from_json(struct json_object *o, Place *ret, char **ret_problem);

/* Whether a name can be an object's: not empty, at most OBJECT_NAME_MAX bytes of UTF-8 without
 * control characters, and no part of it between slashes is empty, "." or "..". */
bool object_name_is_valid(const char *name) _pure_;
