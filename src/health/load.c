/* SPDX-License-Identifier: Apache-2.0 */
#include "health/load.h"

#include "health/scan.h"

/* "0.14 0.17 0.08 2/86 10113" */
int load_parse(const char *text, Load *ret) {
    Load l = {};

    for (size_t i = 0; i < ELEMENTSOF(l.averages); i++)
        if (!scan_decimal(&text, &l.averages[i]))
            return -EBADMSG;
    if (!scan_u64(&text, &l.n_runnable) || *text++ != '/' || !scan_u64(&text, &l.n_tasks))
        return -EBADMSG;
    *ret = l;
    return 0;
}

static bool skip(const char **p, const char *word) {
    size_t size = strlen(word);

    *p += strspn(*p, " ");
    if (strncmp(*p, word, size) != 0)
        return false;
    *p += size;
    return true;
}

/* "some avg10=0.00 avg60=0.04 avg300=0.37 total=4419236" */
static bool parse_line(const char *line, const char *name, PressureLine *ret) {
    static const char *const keys[] = {"avg10=", "avg60=", "avg300="};
    PressureLine l = {.is_known = true};

    if (!skip(&line, name))
        return false;
    for (size_t i = 0; i < ELEMENTSOF(keys); i++)
        if (!skip(&line, keys[i]) || !scan_decimal(&line, &l.averages[i]))
            return false;
    if (!skip(&line, "total=") || !scan_u64(&line, &l.total_usec))
        return false;
    *ret = l;
    return true;
}

int pressure_parse(const char *text, Pressure *ret) {
    Pressure p = {};

    for (const char *line = text; line; line = scan_next_line(line))
        if (!parse_line(line, "some ", &p.some))
            (void)parse_line(line, "full ", &p.full);
    if (!p.some.is_known && !p.full.is_known)
        return -EBADMSG;
    *ret = p;
    return 0;
}
