/* SPDX-License-Identifier: Apache-2.0 */
#include "health/failed-units.h"

#include "basic/bounds.h"
#include "basic/log.h"

#define SYSTEMD_NAME "org.freedesktop.systemd1"
#define SYSTEMD_PATH "/org/freedesktop/systemd1"
#define SYSTEMD_MANAGER "org.freedesktop.systemd1.Manager"

struct FailedUnits {
    sd_bus *bus;
    sd_bus_slot *question;
    void (*on_answer)(void *userdata);
    void *userdata;
    int n; /* -1: unknown */
    char *names[HEALTH_FAILED_UNITS_MAX];
    size_t n_names;
};

static void clear(FailedUnits *u) {
    for (size_t i = 0; i < u->n_names; i++)
        free(u->names[i]);
    u->n_names = 0;
    u->n = -1;
}

/* ListUnitsByPatterns: name, description, load, active and sub state, followed unit, path, job */
static int read_answer(FailedUnits *u, sd_bus_message *m) {
    const char *name;
    int r, n = 0;

    r = sd_bus_message_enter_container(m, 'a', "(ssssssouso)");
    while (r >= 0 && (r = sd_bus_message_read(m, "(ssssssouso)", &name, NULL, NULL, NULL, NULL,
                                              NULL, NULL, NULL, NULL, NULL)) > 0) {
        n++;
        if (u->n_names == ELEMENTSOF(u->names))
            continue;
        u->names[u->n_names] = strdup(name);
        if (!u->names[u->n_names])
            return -ENOMEM;
        u->n_names++;
    }
    if (r >= 0)
        u->n = n;
    return r;
}

static int on_units(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    FailedUnits *u = userdata;
    const sd_bus_error *e = sd_bus_message_get_error(m);
    int r = e ? -sd_bus_error_get_errno(e) : 0;

    u->question = sd_bus_slot_unref(u->question);
    clear(u);
    if (r >= 0)
        r = read_answer(u, m);
    if (r < 0) {
        clear(u);
        (void)log_debug_errno(r, "systemd does not list failed units: %m");
    }
    u->on_answer(u->userdata);
    return 0;
}

int failed_units_ask(FailedUnits *u) {
    sd_bus_message *m = NULL;
    int r;

    if (!u->bus)
        return -ENOTCONN;
    if (u->question)
        return 0;
    r = sd_bus_message_new_method_call(u->bus, &m, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_MANAGER,
                                       "ListUnitsByPatterns");
    if (r >= 0)
        r = sd_bus_message_append(m, "asas", 1, "failed", 0);
    if (r >= 0)
        r = sd_bus_call_async(u->bus, &u->question, m, on_units, u, 0);
    sd_bus_message_unref(m);
    return r;
}

int failed_units_get(const FailedUnits *u, char *const **ret_names, size_t *ret_n_names) {
    *ret_names = u->names;
    *ret_n_names = u->n_names;
    return u->n;
}

void failed_units_set_bus(FailedUnits *u, sd_bus *bus) {
    u->question = sd_bus_slot_unref(u->question);
    sd_bus_unref(u->bus);
    u->bus = sd_bus_ref(bus);
}

int failed_units_new(void (*on_answer)(void *userdata), void *userdata, FailedUnits **ret) {
    FailedUnits *u = calloc(1, sizeof(*u));

    if (!u)
        return -ENOMEM;
    u->on_answer = on_answer;
    u->userdata = userdata;
    u->n = -1;
    *ret = u;
    return 0;
}

FailedUnits *failed_units_free(FailedUnits *u) {
    if (!u)
        return NULL;
    failed_units_set_bus(u, NULL);
    clear(u);
    free(u);
    return NULL;
}
