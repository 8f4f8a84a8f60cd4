/* SPDX-License-Identifier: Apache-2.0 */
/* install_packages, remove_packages, update_packages and hold_packages. */
#pragma once

#include "dcm-package/work.h"

/* Each sets the reply. -EINVAL: it has the error. */
int modify_install(Work *w);
int modify_remove(Work *w);
int modify_update(Work *w);
int modify_hold(Work *w);
