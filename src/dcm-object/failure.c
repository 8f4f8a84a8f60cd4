/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-object/failure.h"

#include <stdarg.h>

#include "basic/utf8.h"

#define EXIT_BASE 10 /* below it: 1 other, 2 wrong use */

static const struct {
    const char *name, *advice;
    int exit_status;
    bool may_pass;
} codes[_FAILURE_CODE_MAX] = {
    [FAILURE_NONE] = {"ok", "", 0, false},
    [FAILURE_OTHER] = {"other", "", 1, false},
    [FAILURE_USAGE] = {"usage", "", 2, false},
    [FAILURE_NO_BUCKET] = {"no-such-bucket",
                           "Check the bucket's name, or create it; for put, --create-bucket "
                           "creates it",
                           EXIT_BASE, false},
    [FAILURE_NO_OBJECT] = {"no-such-object", "Check the object's name; list shows what is there",
                           EXIT_BASE + 1, false},
    [FAILURE_FORBIDDEN] = {"forbidden",
                           "Check key and secret, and what they permit for this bucket",
                           EXIT_BASE + 2, false},
    [FAILURE_CUT_OFF] = {"cut-off",
                         "Try again later; if it happens again, look for a proxy, a firewall or a "
                         "server that closes long connections",
                         EXIT_BASE + 3, true},
    [FAILURE_NO_SPACE_HERE] = {"no-space-here", "Free some space on this machine, and try again",
                               EXIT_BASE + 4, false},
    [FAILURE_NO_SPACE_THERE] = {"no-space-there",
                                "Delete old objects there, or have the quota raised", EXIT_BASE + 5,
                                false},
    [FAILURE_WRONG_ENDPOINT] = {"wrong-endpoint",
                                "Check endpoint and region, whether the server runs, and whether "
                                "this machine reaches it",
                                EXIT_BASE + 6, true},
    [FAILURE_CLOCK] = {"clock", "Set this machine's clock (timedatectl shows it)", EXIT_BASE + 7,
                       false},
    [FAILURE_UNSUPPORTED] = {"unsupported", "", EXIT_BASE + 8, false},
    [FAILURE_TIMEOUT] = {"timeout", "Try again later, or give it more time (--timeout, --patience)",
                         EXIT_BASE + 9, true},
    [FAILURE_DAMAGED] = {"damaged",
                         "Do not use what was transferred; try again, and if it happens again, "
                         "look at the storage",
                         EXIT_BASE + 10, false},
};

const char *failure_code_name(FailureCode code) {
    return codes[code].name;
}

const char *failure_advice(FailureCode code) {
    return codes[code].advice;
}

int failure_exit_status(FailureCode code) {
    return codes[code].exit_status;
}

bool failure_may_pass(FailureCode code) {
    return codes[code].may_pass;
}

int failure_set(Failure *f, FailureCode code, const char *format, ...) {
    char text[ERROR_MESSAGE_MAX / 2];
    const char *advice = failure_advice(code);
    va_list ap;

    va_start(ap, format);
    (void)utf8_format_list(text, sizeof(text), format, ap);
    va_end(ap);
    f->code = code;
    (void)utf8_format(f->text, sizeof(f->text), "%s%s%s", text, *advice ? ". " : "", advice);
    for (char *c = f->text; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = ' ';
    return -EIO;
}
