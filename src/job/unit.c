/* SPDX-License-Identifier: Apache-2.0 */
#include "job/unit.h"

#include <stdio.h>

#include "basic/utf8.h"

#define SYSTEMD "org.freedesktop.systemd1"
#define SYSTEMD_PATH "/org/freedesktop/systemd1"

struct UnitQuery {
    sd_bus_slot *slot;
    UnitCallback callback;
    void *userdata;
};

struct UnitWatch {
    sd_bus_slot *slot;
    UnitInstalled installed;
    void (*changed)(void *userdata);
    void *userdata;
};

UnitQuery *unit_query_free(UnitQuery *q) {
    if (!q)
        return NULL;
    sd_bus_slot_unref(q->slot);
    free(q);
    return NULL;
}

static int answer(UnitQuery *q, int error, const UnitStatus *status) {
    q->callback(error, status, q->userdata);
    return 0;
}

static int reply_error(sd_bus_message *m) {
    const sd_bus_error *e = sd_bus_message_get_error(m);

    if (!e)
        return 0;
    if (sd_bus_error_has_name(e, SYSTEMD ".NoSuchUnit"))
        return -ENOENT;
    return -EAGAIN;
}

static int read_property(sd_bus_message *m, const char *name, UnitStatus *status,
                         uint64_t *exit_usec, bool *is_down) {
    uint64_t start_usec = 0;
    const char *text;
    int r;

    if (streq(name, "ActiveState")) {
        r = sd_bus_message_read(m, "v", "s", &text);
        *is_down = r >= 0 && (streq(text, "failed") || streq(text, "inactive"));
    } else if (streq(name, "Result")) {
        r = sd_bus_message_read(m, "v", "s", &text);
        if (r >= 0)
            (void)utf8_format(status->result, sizeof(status->result), "%s", text);
    } else if (streq(name, "ExecMainCode"))
        r = sd_bus_message_read(m, "v", "i", &status->main_code);
    else if (streq(name, "ExecMainStatus"))
        r = sd_bus_message_read(m, "v", "i", &status->main_status);
    else if (streq(name, "ExecMainExitTimestampMonotonic"))
        r = sd_bus_message_read(m, "v", "t", exit_usec);
    else if (streq(name, "ExecMainStartTimestampMonotonic")) {
        r = sd_bus_message_read(m, "v", "t", &start_usec);
        status->started = start_usec > 0;
    } else
        r = sd_bus_message_skip(m, "v");
    return r;
}

static int read_properties(sd_bus_message *m, UnitStatus *ret) {
    UnitStatus status = {};
    uint64_t exit_usec = 0;
    bool is_down = false;
    int r;

    r = sd_bus_message_enter_container(m, 'a', "{sv}");
    if (r < 0)
        return r;
    while ((r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
        const char *name;

        r = sd_bus_message_read(m, "s", &name);
        if (r >= 0)
            r = read_property(m, name, &status, &exit_usec, &is_down);
        if (r >= 0)
            r = sd_bus_message_exit_container(m);
        if (r < 0)
            return r;
    }
    if (r < 0)
        return r;
    /* "inactive" also precedes the start, and a result like "timeout" is set when systemd begins to
     * stop the unit, while the job may still run: only both together are an end */
    status.ended = exit_usec > 0 || (is_down && !streq(status.result, "success"));
    *ret = status;
    return 0;
}

static int on_properties(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    UnitStatus status = {};
    int r;

    r = reply_error(m);
    /* NoSuchUnit here means that the unit was unloaded between the two calls; the caller must query
     * again */
    if (r == -ENOENT)
        r = -EAGAIN;
    if (r >= 0)
        r = read_properties(m, &status);
    return answer(userdata, r, &status);
}

static int call_properties(UnitQuery *q, sd_bus *bus, const char *path) {
    return sd_bus_call_method_async(bus, &q->slot, SYSTEMD, path, "org.freedesktop.DBus.Properties",
                                    "GetAll", on_properties, q, "s", SYSTEMD ".Service");
}

static int on_unit(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    UnitQuery *q = userdata;
    const char *path;
    int r;

    r = reply_error(m);
    if (r >= 0)
        r = sd_bus_message_read(m, "o", &path);
    if (r < 0)
        return answer(q, r, NULL);
    q->slot = sd_bus_slot_unref(q->slot);
    r = call_properties(q, sd_bus_message_get_bus(m), path);
    return r < 0 ? answer(q, r, NULL) : 0;
}

static UnitQuery *query_new(UnitCallback callback, void *userdata) {
    UnitQuery *q = calloc(1, sizeof(*q));

    if (!q)
        return NULL;
    q->callback = callback;
    q->userdata = userdata;
    return q;
}

int unit_query_new(sd_bus *bus, const char *unit, UnitCallback callback, void *userdata,
                   UnitQuery **ret) {
    UnitQuery *q = query_new(callback, userdata);
    int r;

    if (!q)
        return -ENOMEM;
    r = sd_bus_call_method_async(bus, &q->slot, SYSTEMD, SYSTEMD_PATH, SYSTEMD ".Manager",
                                 "GetUnit", on_unit, q, "s", unit);
    if (r < 0) {
        unit_query_free(q);
        return r;
    }
    *ret = q;
    return 0;
}

int unit_query_new_properties(sd_bus *bus, const char *unit, UnitCallback callback, void *userdata,
                              UnitQuery **ret) {
    _cleanup_free_ char *path = NULL;
    UnitQuery *q;
    int r;

    TRY(sd_bus_path_encode(SYSTEMD_PATH "/unit", unit, &path));
    q = query_new(callback, userdata);
    if (!q)
        return -ENOMEM;
    r = call_properties(q, bus, path);
    if (r < 0) {
        unit_query_free(q);
        return r;
    }
    *ret = q;
    return 0;
}

UnitWatch *unit_watch_free(UnitWatch *w) {
    if (!w)
        return NULL;
    sd_bus_slot_unref(w->slot);
    free(w);
    return NULL;
}

static int on_signal(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    UnitWatch *w = userdata;

    w->changed(w->userdata);
    return 0;
}

static int on_installed(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    UnitWatch *w = userdata;

    w->installed(sd_bus_message_is_method_error(m, NULL) ? -EAGAIN : 0, w->userdata);
    return 0;
}

int unit_watch_new(sd_bus *bus, const char *unit, UnitInstalled installed,
                   void (*changed)(void *userdata), void *userdata, UnitWatch **ret) {
    _cleanup_free_ char *path = NULL;
    UnitWatch *w;
    int r;

    TRY(sd_bus_path_encode(SYSTEMD_PATH "/unit", unit, &path));
    w = calloc(1, sizeof(*w));
    if (!w)
        return -ENOMEM;
    w->installed = installed;
    w->changed = changed;
    w->userdata = userdata;
    r = sd_bus_match_signal_async(bus, &w->slot, SYSTEMD, path, "org.freedesktop.DBus.Properties",
                                  "PropertiesChanged", on_signal, on_installed, w);
    if (r < 0) {
        unit_watch_free(w);
        return r;
    }
    *ret = w;
    return 0;
}
