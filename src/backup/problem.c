/* SPDX-License-Identifier: Apache-2.0 */
#include "backup/problem.h"

#include <stdarg.h>
#include <stdio.h>

int problem_set(char **ret_problem, const char *format, ...) {
    va_list list;
    char *text;
    int n;

    va_start(list, format);
    n = vasprintf(&text, format, list);
    va_end(list);
    if (n < 0)
        return -ENOMEM;
    free(*ret_problem);
    *ret_problem = text;
    return -EINVAL;
}
