/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-fetch/problem.h"

#include <stdarg.h>
#include <stdio.h>

#include "basic/utf8.h"

int problem_set(Problem *p, const char *format, ...) {
    va_list ap;

    va_start(ap, format);
    (void)utf8_format_list(p->text, sizeof(p->text), format, ap);
    va_end(ap);
    for (char *c = p->text; *c; c++)
        if (*c < ' ' || *c > '~')
            *c = '?';
    return -EIO;
}
