/* SPDX-License-Identifier: Apache-2.0 */
/* The check of the disk volumes: arrays that lack disks, and missing mounts of fstab(5). */
#pragma once

#include "dcm-doctor/report.h"

/* Warnings only: the agent works without. */
int check_volumes(Report *report);
