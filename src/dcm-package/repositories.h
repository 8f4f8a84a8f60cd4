/* SPDX-License-Identifier: Apache-2.0 */
/* add_repository and remove_repository. */
#pragma once

#include "dcm-package/work.h"

/* Each sets the reply. -EINVAL: it has the error. */
int repositories_add(Work *w, struct json_object *arguments);
int repositories_remove(Work *w, struct json_object *arguments);
