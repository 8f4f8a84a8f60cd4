/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "dcm-fetch/problem.h"
#include "dcm-fetch/sink.h"

/* Copies the regular file that a file URL names. -EIO with the problem. */
int file_source_fetch(const char *url, Sink *sink, Problem *ret_problem);
