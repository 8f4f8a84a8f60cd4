/* SPDX-License-Identifier: Apache-2.0 */
/* What the requests are in words of apt-get and apt-mark: functions of Backend. */
#pragma once

#include "dcm-package/work.h"

int apt_word_install(Work *w, const PackageList *before, Words *ret);
int apt_word_remove(Work *w, const PackageList *before, Words *ret);
int apt_word_update(Work *w, const PackageList *before, Words *ret);
int apt_simulate_words(Work *w, const PackageList *before, Words *a, PackageChanges *ret);
int apt_apply_words(Work *w, const Words *a, bool may_remove);
int apt_find_updates(Work *w, const PackageList *before, PackageChanges *ret);
int apt_hold(Work *w, const PackageList *before);
