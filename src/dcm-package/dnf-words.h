/* SPDX-License-Identifier: Apache-2.0 */
/* What the requests are in words of dnf: functions of Backend. */
#pragma once

#include "dcm-package/work.h"

int dnf_word_install(Work *w, const PackageList *before, Words *ret);
int dnf_word_remove(Work *w, const PackageList *before, Words *ret);
int dnf_word_update(Work *w, const PackageList *before, Words *ret);
int dnf_simulate_words(Work *w, const PackageList *before, Words *a, PackageChanges *ret);
int dnf_apply_words(Work *w, const Words *a, bool may_remove);
int dnf_find_updates(Work *w, const PackageList *before, PackageChanges *ret);
int dnf_hold(Work *w, const PackageList *before);
