/* SPDX-License-Identifier: Apache-2.0 */
/* The end of clean_image. Its job leaves an order in a file of root's; dcm-agent-seal@.service
 * removes what the agent is known by, while the agent does not run: when this one has ended, or
 * before the next boot's one starts. */
#pragma once

#include "request/request.h"

/* Whether the manager knows by this change that the job has succeeded, so that this agent may end.
 * `order`: the file; one that is not there is no error. */
bool sealing_is_due(const char *order, Store *store, const Request *q, RequestState state);
