/* SPDX-License-Identifier: Apache-2.0 */
/* How many disks an array of md lacks. */
#pragma once

/* Of its disks, those that are not there: its file `degraded` counts also those that are being
 * rebuilt, as the last one of a new RAID 5 is for hours. `path`, below dir_fd, is the directory md
 * of the array in sysfs. 0 also if that is not known. */
unsigned md_count_missing(int dir_fd, const char *path);
