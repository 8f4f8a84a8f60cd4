/* SPDX-License-Identifier: Apache-2.0 */
/* dnf 4 and rpm. Each returns 0, or a negative errno: -EINVAL if the reply has the error. */
#pragma once

#include "dcm-package/work.h"

/* As in Backend. */
int dnf_list(Work *w, PackageList *ret);
int dnf_refresh(Work *w, const RepositoryPaths *repository);
/* Runs a subcommand that only looks: its exit status, and what it prints. */
int dnf_look(Work *w, const char *const *words, char **ret);
/* What dnf would do with these words: a verb, its options, and names. */
int dnf_simulate(Work *w, const PackageList *before, const char *const *words, PackageChanges *ret);
/* Runs a subcommand that changes something: its exit status. */
int dnf_change(Work *w, const char *const *words);
/* Does it, and holds off a shutdown meanwhile. */
int dnf_apply(Work *w, const char *const *words);
