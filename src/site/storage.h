/* SPDX-License-Identifier: Apache-2.0 */
/* The directories in [storage] of agent.conf(5), for the programs behind commands. */
#pragma once

#include "basic/macro.h"

#define STORAGE_MOUNT_POINT "/mnt/dcmdata"       /* if `mountpoint` is not set */
#define STORAGE_SERVICES_DIR "/srv/dcm/services" /* if `services_dir` is not set */

bool storage_mount_point_is_valid(const char *path) _pure_;
/* Whether a path can be the directory of all services: absolute, without "..", not "/", and of
 * characters that neither systemd nor a shell takes for more than themselves. */
bool storage_services_dir_is_valid(const char *path) _pure_;

/* The caller frees the path. -EINVAL: the value is not valid, which the function has logged;
 * else an error of ini_file_load(). */
int storage_get_mount_point(char **ret);
int storage_get_services_dir(char **ret);
