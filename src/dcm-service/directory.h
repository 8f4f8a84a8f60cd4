/* SPDX-License-Identifier: Apache-2.0 */
/* The directory with all services, and those of the services. What is in a service's directory
 * belongs to a user: no link in it is followed here. */
#pragma once

#include "basic/macro.h"

typedef struct Services {
    char *path; /* storage_get_services_dir() */
    int fd;
} Services;

/* -EINVAL: there is none, or somebody else than root can change it; it has been logged. */
int services_open(Services *ret);
void services_done(Services *s);

/* The ids of all services, sorted; the caller frees with strv_free(). -E2BIG: there are more than
 * SERVICES_MAX. */
int services_list(const Services *s, char ***ret);

/* The directory of one service. -EINVAL: `id` is none, or -ENOENT: there is none; it has been
 * logged. */
int service_open(const Services *s, const char *id, int *ret_fd);

typedef enum HookState {
    HOOK_ABSENT,
    HOOK_NOT_EXECUTABLE,
    HOOK_PRESENT,
} HookState;

/* bin/enstratus-NAME */
HookState hook_look(int service_fd, const char *name);

/* Whether root may run the hook: it is a file in a directory bin, and nobody but root and the owner
 * of the service's directory can change it or put another one in its place. -EPERM: *ret_why has
 * the reason (static). */
int hook_check_for_root(int service_fd, const char *name, const char **ret_why);

/* Replaces cfg/NAME by a file with this text, of that owner and mode 0640. Makes cfg if it is not
 * there. */
int service_write_setting(int service_fd, const char *name, const char *text, size_t size,
                          uid_t uid, gid_t gid);
