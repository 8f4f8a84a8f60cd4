/* SPDX-License-Identifier: Apache-2.0 */
/* What rclone must know of a place: environment, a file of what it trusts, and paths. */
#pragma once

#include "dcm-object/place.h"

#define RCLONE_TRUST_FD 3 /* where rclone finds the file of what it trusts */

typedef struct RcloneConfig {
    char **env; /* RCLONE_CONFIG_..., the whole environment; has the secrets */
    size_t n_env;
    char *trust;       /* content of that file, or NULL */
    bool is_authority; /* it has certificates: --ca-cert */
    bool is_s3;        /* it speaks S3 */
} RcloneConfig;

/* Clears secrets before they are freed. */
void rclone_config_done(RcloneConfig *c);

/* `now` is in seconds since 1970, and `nonce` is random: for Azure, where a SAS is made of the
 * account key, and for passwords, which rclone wants obscured. -EINVAL: the place has no such
 * configuration, a directory for instance. */
#define RCLONE_NONCE_SIZE 12
int rclone_config_make(const Place *p, int64_t now, const uint8_t nonce[static RCLONE_NONCE_SIZE],
                       RcloneConfig *ret);

/* The path of an object, or of the bucket where `name` is NULL; the caller frees. */
int rclone_path(const Place *p, const char *name, char **ret);

/* Amazon's name of a region: the names that the Python agent knew, or its own. */
const char *amazon_region(const char *region) _pure_;
