/* SPDX-License-Identifier: Apache-2.0 */
/* Where the agent finds its files. */
#pragma once

typedef struct AgentPaths {
    const char *config_file;
    const char *config_directory;
    const char *state_directory;
    const char *jobs_directory;
    const char *commands_directory, *shipped_commands_directory;
    const char *seal_order;        /* of clean_image, core/sealing.h */
    const char *voices_directory;  /* how far jobs were followed; NULL: that is not kept */
    const char *runtime_directory; /* NULL: there is none */
    const char *cloud_socket;
    const char *alerts_file; /* alerts.conf(5) */
    const char *alerts_directory;
    const char *policy_file; /* policy.conf(5), which the executor obeys */
    const char *policy_directory;
} AgentPaths;
