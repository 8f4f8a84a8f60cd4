/* SPDX-License-Identifier: Apache-2.0 */
/* Names of systemd's units, escaped as systemd-escape(1) does. */
#pragma once

#include "basic/macro.h"

#define UNIT_DIRECTORY "/etc/systemd/system"

/* "/mnt/my data" -> "mnt-my\x20data.mount". The caller frees. */
int unit_name_of_mount(const char *path, char **ret);
/* "esdata" -> "systemd-cryptsetup@esdata.service". The caller frees. */
int unit_name_of_mapping(const char *name, char **ret);
/* "systemd-cryptsetup@esdata.service", also with more behind it -> "esdata": 1. 0: it is another
 * one. The caller frees. */
int unit_name_to_mapping(const char *unit, char **ret);
