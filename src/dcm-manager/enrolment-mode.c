/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-manager/enrolment-mode.h"

static const char *const modes[_ENROLMENT_MODE_MAX] = {
    [ENROLMENT_APPROVE] = "approve",
    [ENROLMENT_TOKEN] = "token",
    [ENROLMENT_OPEN] = "open",
};

const char *enrolment_mode_to_string(EnrolmentMode mode) {
    return modes[mode];
}

int enrolment_mode_from_string(const char *text) {
    for (int i = 0; i < _ENROLMENT_MODE_MAX; i++)
        if (streq(modes[i], text))
            return i;
    return -EINVAL;
}
