/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "basic/fetch-order.h"
#include "dcm-fetch/problem.h"
#include "dcm-fetch/sink.h"

/* Downloads an http or https URL. Gives up when the pipe reader_fd has no reader any more. -EIO
 * with the problem. */
int http_source_fetch(const FetchOrder *order, int reader_fd, Sink *sink, Problem *ret_problem);
