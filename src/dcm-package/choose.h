/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "dcm-package/work.h"

/* Sets the package manager of this distribution. -EINVAL: the reply says why there is none. */
int choose_backend(Work *w);
