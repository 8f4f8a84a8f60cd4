/* SPDX-License-Identifier: Apache-2.0 */
/* Why something failed: a code for programs, and a text for people that says what failed, why, and
 * what to do. */
#pragma once

#include "basic/bounds.h"
#include "basic/macro.h"

typedef enum FailureCode {
    FAILURE_NONE,
    FAILURE_OTHER,
    FAILURE_NO_BUCKET,
    FAILURE_NO_OBJECT,
    FAILURE_FORBIDDEN,
    FAILURE_CUT_OFF,
    FAILURE_NO_SPACE_HERE,
    FAILURE_NO_SPACE_THERE,
    FAILURE_WRONG_ENDPOINT,
    FAILURE_CLOCK,
    FAILURE_UNSUPPORTED,
    FAILURE_TIMEOUT,
    FAILURE_DAMAGED,
    FAILURE_USAGE,
    _FAILURE_CODE_MAX,
} FailureCode;

typedef struct Failure {
    FailureCode code;
    char text[ERROR_MESSAGE_MAX];
} Failure;

/* "no-such-bucket" and so on */
const char *failure_code_name(FailureCode code) _const_;
/* What to do about it, a sentence without the point at its end; "" if nobody can say. */
const char *failure_advice(FailureCode code) _const_;
int failure_exit_status(FailureCode code) _const_;
/* Whether it may be over when it is tried again. */
bool failure_may_pass(FailureCode code) _const_;

/* Sets code and text, and adds the advice. Returns -EIO. */
int failure_set(Failure *f, FailureCode code, const char *format, ...) _printf_(3, 4);
