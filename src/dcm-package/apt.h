/* SPDX-License-Identifier: Apache-2.0 */
/* apt-get, apt-cache, apt-mark and dpkg. Each returns 0, or a negative errno: -EINVAL if the reply
 * has the error. */
#pragma once

#include "dcm-package/work.h"
#include "package/apt-text.h"

/* Callback for a Tool: as work_on_line(), without what only a terminal shows well. */
void apt_on_line(const char *line, void *userdata);
/* As in Backend. */
int apt_list(Work *w, PackageList *ret);
int apt_refresh(Work *w, const RepositoryPaths *repository);
/* Versions of the packages; of all that are named, those that apt knows. `sources` may be NULL. */
int apt_find_candidates(Work *w, const char *const *names, const AptSources *sources,
                        AptCandidates *ret);
int apt_find_sources(Work *w, AptSources *ret);
/* What apt-get would do with these words: a verb, its options, and names. */
int apt_simulate(Work *w, const char *const *words, PackageChanges *ret);
/* Does it. Unless packages may be removed, it fails rather than remove one. */
int apt_apply(Work *w, const char *const *words, bool may_remove);
/* Those of the packages that were installed as dependencies; and marks them as such. */
int apt_list_automatic(Work *w, const char *const *names, char ***ret);
int apt_mark(Work *w, const char *verb, const char *const *names);
