/* SPDX-License-Identifier: Apache-2.0 */
#include "package/change.h"

#include "basic/array.h"
#include "basic/bounds.h"

static void package_done(Package *p) {
    free(p->name);
    free(p->architecture);
    free(p->version);
}

void package_list_done(PackageList *l) {
    for (size_t i = 0; i < l->n; i++)
        package_done(&l->items[i]);
    free(l->items);
    *l = (PackageList){};
}

/* Ends the field at the next tab, and steps behind it. */
static char *take_field(char **line) {
    char *field = *line, *tab = strchr(field, '\t');

    if (!tab)
        return NULL;
    *tab = 0;
    *line = tab + 1;
    return field;
}

/* The second letter of dpkg's state: not installed, and removed but for the configuration. The
 * third one is a blank or R: it must be installed again. */
static bool is_there(const char *state, bool has_removed) {
    return state[0] && state[1] && !strchr(has_removed ? "n" : "nc", state[1]);
}

/* A time may follow the state. */
static int64_t find_time(const char *state) {
    const char *tab = strchr(state, '\t');

    return tab ? strtoll(tab + 1, NULL, 10) : 0;
}

static int add_package(PackageList *l, const char *name, const char *architecture,
                       const char *version, const char *state) {
    Package *p;

    TRY(array_reserve(&l->items, &l->allocated, l->n + 1, PACKAGES_MAX));
    p = &l->items[l->n++];
    *p = (Package){.is_held = *state == 'h',
                   .is_half = !strchr("ic", state[1]) || state[2] == 'R',
                   .is_damaged = state[1] == 'H' || state[2] == 'R',
                   .is_unwanted = strchr("rp", *state),
                   .installed_sec = find_time(state)};
    TRY(free_and_strdup(&p->name, name));
    TRY(free_and_strdup(&p->architecture, architecture));
    return free_and_strdup(&p->version, version);
}

static int parse_line(PackageList *l, char *line, bool has_removed) {
    char *name = take_field(&line), *architecture = name ? take_field(&line) : NULL;
    char *version = architecture ? take_field(&line) : NULL;

    if (!version || !*name)
        return -EBADMSG;
    return is_there(line, has_removed) && !streq(name, "gpg-pubkey")
               ? add_package(l, name, architecture, version, line)
               : 0;
}

static int compare(const Package *x, const Package *y) {
    return strcmp(x->name, y->name)
               ?: strcmp(x->architecture, y->architecture) ?: strcmp(x->version, y->version);
}

static int compare_items(const void *a, const void *b) {
    return compare(a, b);
}

static int parse_lines(char *text, bool has_removed, PackageList *l) {
    for (char *line = text, *end; *line; line = end) {
        end = line + strcspn(line, "\n");
        if (*end)
            *end++ = 0;
        if (*line)
            TRY(parse_line(l, line, has_removed));
    }
    if (l->n > 0)
        qsort(l->items, l->n, sizeof(*l->items), compare_items);
    return 0;
}

int package_list_parse(const char *text, bool has_removed, PackageList *ret) {
    _cleanup_free_ char *copy = strdup(text);
    PackageList l = {};
    int r = copy ? parse_lines(copy, has_removed, &l) : -ENOMEM;

    if (r < 0)
        package_list_done(&l);
    else
        *ret = l;
    return r;
}

const Package *package_list_find(const PackageList *l, const char *name) {
    const size_t size = strcspn(name, ":");

    for (size_t i = 0; i < l->n; i++) {
        const Package *p = &l->items[i];

        if (strlen(p->name) == size && strncmp(p->name, name, size) == 0 &&
            (!name[size] || streq(p->architecture, name + size + 1)))
            return p;
    }
    return NULL;
}

/* --- changes -------------------------------------------------------------------------------- */

void package_changes_done(PackageChanges *c) {
    for (size_t i = 0; i < c->n; i++) {
        free(c->items[i].name);
        free(c->items[i].architecture);
        free(c->items[i].from);
        free(c->items[i].to);
        free(c->items[i].origin);
        free(c->items[i].security);
        free(c->items[i].successor);
    }
    free(c->items);
    *c = (PackageChanges){};
}

int package_changes_add(PackageChanges *c, const PackageChange *change) {
    PackageChange *to;

    TRY(array_reserve(&c->items, &c->allocated, c->n + 1, PACKAGES_MAX));
    to = &c->items[c->n++];
    *to = (PackageChange){.is_downgrade = change->is_downgrade};
    TRY(free_and_strdup(&to->name, change->name));
    TRY(free_and_strdup(&to->architecture, change->architecture));
    TRY(free_and_strdup(&to->from, change->from));
    TRY(free_and_strdup(&to->to, change->to));
    TRY(free_and_strdup(&to->origin, change->origin));
    TRY(free_and_strdup(&to->security, change->security));
    return free_and_strdup(&to->successor, change->successor);
}

static bool has_same_name(const PackageChange *c, const Package *p) {
    return streq(strempty(c->name), p->name) && streq(strempty(c->architecture), p->architecture);
}

/* A version that went and one that came of the same package are one change. Several of a name, as
 * of kernels, are paired in their order. */
static int add_half(PackageChanges *c, const Package *p, bool is_gone) {
    for (size_t i = c->n; i-- > 0 && has_same_name(&c->items[i], p);) {
        char **half = is_gone ? &c->items[i].from : &c->items[i].to;

        if (!*half)
            return free_and_strdup(half, p->version);
    }
    return package_changes_add(c, &(PackageChange){.name = p->name,
                                                   .architecture = p->architecture,
                                                   .from = is_gone ? p->version : NULL,
                                                   .to = is_gone ? NULL : p->version});
}

int package_changes_compare(const PackageList *before, const PackageList *after,
                            PackageChanges *ret) {
    PackageChanges c = {};
    int r = 0;

    for (size_t i = 0, k = 0; r >= 0 && (i < before->n || k < after->n);) {
        int order = i == before->n  ? 1
                    : k == after->n ? -1
                                    : compare(&before->items[i], &after->items[k]);

        if (order < 0)
            r = add_half(&c, &before->items[i], true);
        else if (order > 0)
            r = add_half(&c, &after->items[k], false);
        i += order <= 0;
        k += order >= 0;
    }
    if (r < 0)
        package_changes_done(&c);
    else
        *ret = c;
    return r;
}

static int change_to_json(const PackageChange *c, struct json_object *o) {
    TRY(json_add_string(o, "name", c->name));
    TRY(json_add_string(o, "architecture", c->architecture));
    TRY(json_add_string(o, "from", c->from));
    TRY(json_add_string(o, "to", c->to));
    return c->origin ? json_add_string(o, "origin", c->origin) : 0;
}

int package_changes_to_json(const PackageChanges *c, struct json_object **ret) {
    _cleanup_json_ struct json_object *array = json_object_new_array();

    if (!array)
        return -ENOMEM;
    for (size_t i = 0; i < c->n; i++) {
        struct json_object *o = json_object_new_object();

        if (!o || json_object_array_add(array, o) < 0) {
            (void)json_object_put(o);
            return -ENOMEM;
        }
        TRY(change_to_json(&c->items[i], o));
    }
    *ret = TAKE_PTR(array);
    return 0;
}
