/* SPDX-License-Identifier: Apache-2.0 */
/* Tests the connection to the manager once, with the agent's code, and reports each step. */
#pragma once

#include "dcm-doctor/report.h"
#include "dcm-doctor/surroundings.h"

typedef struct ExamineOptions {
    const char *config_file;
    const char *config_directory;
    const char *state_directory;
    const char *cloud_socket;
} ExamineOptions;

/* Faults of the connection are in the report; a negative errno means that the test itself
 * failed. */
int examine(const ExamineOptions *options, const Surroundings *surroundings, Report *report);
