/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "basic/macro.h"

/* How an agent with an unknown token becomes known. */
typedef enum EnrolmentMode {
    ENROLMENT_APPROVE, /* an operator accepts it, or it has an enrolment token */
    ENROLMENT_TOKEN,   /* it has an enrolment token */
    ENROLMENT_OPEN,    /* whoever asks */
    _ENROLMENT_MODE_MAX,
} EnrolmentMode;

const char *enrolment_mode_to_string(EnrolmentMode mode) _const_;
/* -EINVAL */
int enrolment_mode_from_string(const char *text) _pure_;
