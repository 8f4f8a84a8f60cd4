/* SPDX-License-Identifier: Apache-2.0 */
/* Goes the way to the manager once, as the agent does, and reports each step. */
#pragma once

#include "dcm-doctor/report.h"
#include "dcm-doctor/surroundings.h"

typedef struct ExamineOptions {
    const char *config_file;
    const char *config_directory;
    const char *state_directory;
    const char *cloud_socket;
} ExamineOptions;

/* What is wrong with the way is in the report; a negative errno is for what keeps us from looking.
 */
int examine(const ExamineOptions *options, const Surroundings *surroundings, Report *report);
