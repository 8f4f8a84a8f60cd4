/* SPDX-License-Identifier: Apache-2.0 */
/* What a package manager does for the commands: one table for each of them. A function returns 0,
 * or a negative errno: -EINVAL if the reply has the error. */
#pragma once

#include "dcm-package/words.h"
#include "package/change.h"
#include "package/repository.h"

typedef struct Work Work;

typedef struct Backend {
    const char *program; /* for people */
    PackageFamily family;
    const char *const *ids;      /* ID= and ID_LIKE= of os-release(5) */
    const char *const *programs; /* that must be there */

    /* All installed packages; for a purge also those of which the configuration is left. */
    int (*list)(Work *w, PackageList *ret);
    /* Puts in order what a run that was cut off has left, and tells that in the reply. What cannot
     * be repaired stays as it is. */
    int (*repair)(Work *w);
    /* Fetches the lists of packages. `repository`: of this one alone, else it fails; NULL: of all.
     * What could not be fetched without being an error is told in the reply. */
    int (*refresh)(Work *w, const RepositoryPaths *repository);

    /* Words for what the request asks for; none: nothing is to be done. Checks that there is such a
     * package, or version. */
    int (*word_install)(Work *w, const PackageList *before, Words *ret);
    int (*word_remove)(Work *w, const PackageList *before, Words *ret);
    int (*word_update)(Work *w, const PackageList *before, Words *ret);
    /* What the program would do with these words, which it may make more of. */
    int (*simulate)(Work *w, const PackageList *before, Words *a, PackageChanges *ret);
    /* Does it. Unless packages may be removed, it fails rather than remove one. */
    int (*apply)(Work *w, const Words *a, bool may_remove);

    /* All that could be updated, also what is held, with the security versions. */
    int (*find_updates)(Work *w, const PackageList *before, PackageChanges *ret);
    /* Holds, or releases, the packages of the request, which are installed. */
    int (*hold)(Work *w, const PackageList *before);

    /* Whether another program works with packages: which one. */
    bool (*find_holder)(char *buf, size_t size);
    /* The reason in a line of output; NULL: it says none. */
    const char *(*find_reason)(const char *line);
    /* Whether the installation of this package needs a reboot, and why, for people. */
    bool (*needs_reboot)(const Package *p, const char *release, int64_t boot_sec);
    const char *reboot_reason;

    const char *sources, *source_suffix, *keys, *key_suffix; /* of repositories' files */
    int (*write_repository)(const Repository *r, const char *key_path, char **ret);
    /* A reason of refresh() after which a repository may do without a signed list; NULL: none */
    const char *unsigned_list;
} Backend;
