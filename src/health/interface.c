/* SPDX-License-Identifier: Apache-2.0 */
#include "health/interface.h"

#include "basic/array.h"
#include "basic/bounds.h"
#include "health/scan.h"

#define N_COUNTERS 16

void interface_table_done(InterfaceTable *t) {
    free(t->interfaces);
    *t = (InterfaceTable){};
}

const Interface *interface_table_find(const InterfaceTable *t, const char *name, size_t hint) {
    if (hint < t->n && streq(t->interfaces[hint].name, name))
        return &t->interfaces[hint];
    for (size_t i = 0; i < t->n; i++)
        if (streq(t->interfaces[i].name, name))
            return &t->interfaces[i];
    return NULL;
}

/* "  eth0: 1 2 3 ...": the name of an alias contains a colon. */
static bool parse_line(const char *line, Interface *ret) {
    size_t length = strcspn(line, "\n"), size;
    const char *colon = memrchr(line, ':', length);
    uint64_t c[N_COUNTERS];

    if (!colon)
        return false;
    line += strspn(line, " \t");
    if (line >= colon)
        return false;
    size = (size_t)(colon - line);
    if (size >= sizeof(ret->name))
        return false;
    memcpy(ret->name, line, size);
    ret->name[size] = 0;
    line = colon + 1;
    if (!scan_list(&line, c, ELEMENTSOF(c)))
        return false;
    ret->bytes_in = c[0];
    ret->packets_in = c[1];
    ret->errors_in = c[2];
    ret->drops_in = c[3];
    ret->bytes_out = c[8];
    ret->packets_out = c[9];
    ret->errors_out = c[10];
    ret->drops_out = c[11];
    return true;
}

int interface_table_parse(InterfaceTable *t, const char *text) {
    t->n = 0;
    for (const char *line = text; line; line = scan_next_line(line)) {
        Interface i = {};
        int r;

        if (!parse_line(line, &i))
            continue;
        r = array_reserve(&t->interfaces, &t->allocated, t->n + 1, HEALTH_INTERFACES_MAX);
        if (r == -ENOBUFS)
            return 0;
        if (r < 0)
            return r;
        t->interfaces[t->n++] = i;
    }
    return 0;
}
