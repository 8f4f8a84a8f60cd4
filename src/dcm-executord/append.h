/* SPDX-License-Identifier: Apache-2.0 */
/* For functions that append to a message. */
#pragma once

/* Returns from the function on an error. */
#define TRY(expression)                                                                            \
    do {                                                                                           \
        int _r = (expression);                                                                     \
        if (_r < 0)                                                                                \
            return _r;                                                                             \
    } while (0)
