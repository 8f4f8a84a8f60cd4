/* SPDX-License-Identifier: Apache-2.0 */
/* Values are sent as (row, key, value): row is "" for values of the whole machine. Unknown values
 * are left out. While a program has subscribed, signals are sent and the machine is sampled each
 * second. */
#include "bus/health-object.h"

#include <math.h>

#include "basic/bounds.h"
#include "core/overview.h"
#include "proto/text.h"

#define INTERFACE "org.dcmagent.Agent1.Health"
#define ERROR_NO_SUCH_STATISTIC "org.dcmagent.Error.NoSuchStatistic"
#define VALUES "a(ssd)"
#define VALUE_SIZE ((size_t)48) /* without the name of its row */
#define SAMPLE "st" VALUES      /* type, time, values */

struct HealthObject {
    sd_bus *bus;
    const char *path;
    sd_bus_slot *slot;
    sd_bus_track *watchers;
    Agent *agent;
};

static Health *health_of(const HealthObject *o) {
    return agent_get_health(o->agent);
}

/* samples */

static int append_value(sd_bus_message *m, const char *row, const char *key, double value) {
    return isnan(value) ? 0 : sd_bus_message_append(m, "(ssd)", row, key, value);
}

/* A mount point may contain any bytes. */
static int append_row(sd_bus_message *m, const Sample *s, const StatType *t, size_t row,
                      const char *raw) {
    _cleanup_free_ char *name = NULL;
    int r;

    r = bus_text_new(raw, &name);
    for (size_t i = 0; i < t->n_row_fields && r >= 0; i++)
        r = append_value(m, name, t->row_fields[i].key, sample_get_in_row(s, row, i));
    if (r >= 0 && t->n_row_fields == 0) /* a list of names */
        r = append_value(m, name, "", 1);
    return r;
}

static int append_sample(sd_bus_message *m, const StatType *t, const Sample *s) {
    const char *row = sample_get_row_name(s, 0);
    int r;

    r = sd_bus_message_append(m, "st", t->name, sample_get_time(s));
    if (r >= 0)
        r = sd_bus_message_open_container(m, 'a', "(ssd)");
    for (size_t i = 0; i < t->n_fields && r >= 0; i++)
        r = append_value(m, "", t->fields[i].key, sample_get(s, i));
    for (size_t i = 0; i < sample_get_n_rows(s) && r >= 0; i++) {
        r = append_row(m, s, t, i, row);
        row = sample_next_row_name(row);
    }
    return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_sample_entry(sd_bus_message *m, const StatType *t, const Sample *s) {
    int r;

    r = sd_bus_message_open_container(m, 'r', SAMPLE);
    if (r >= 0)
        r = append_sample(m, t, s);
    return r < 0 ? r : sd_bus_message_close_container(m);
}

/* Approximate size of a sample in a message: two texts, a number and padding for each value. */
static size_t size_of(const StatType *t, const Sample *s) {
    size_t n_rows = sample_get_n_rows(s), size = (t->n_fields + 2) * VALUE_SIZE;

    for (size_t i = 0; i < n_rows; i++)
        size += MAX(t->n_row_fields, (size_t)1) * (VALUE_SIZE + strlen(sample_get_row_name(s, i)));
    return size;
}

/* The first of the newest samples that fit; the newest one is always sent. */
static size_t find_first(const Series *series, size_t limit, size_t size_max) {
    size_t n = series_get_n(series), i = n, size = 0;

    for (; i > 0 && n - i < limit; i--) {
        size += size_of(series_get_type(series), series_get(series, i - 1));
        if (size > size_max && i < n)
            break;
    }
    return i;
}

/* Appends the newest `limit` samples of each series, oldest first; fewer if they are too large,
 * because dbus-daemon disconnects the sender of an oversized message. */
static int append_stat(sd_bus_message *m, const Stat *stat, size_t limit) {
    size_t size_max = stat ? HEALTH_ANSWER_SIZE_MAX / MAX(stat_get_n_series(stat), (size_t)1) : 0;
    int r;

    r = sd_bus_message_open_container(m, 'a', "(" SAMPLE ")");
    for (size_t i = 0; stat && i < stat_get_n_series(stat) && r >= 0; i++) {
        const Series *series = stat_get_series(stat, i);
        size_t n = series_get_n(series);

        for (size_t k = find_first(series, limit, size_max); k < n && r >= 0; k++)
            r = append_sample_entry(m, series_get_type(series), series_get(series, k));
    }
    return r < 0 ? r : sd_bus_message_close_container(m);
}

static int method_get_newest(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
    HealthObject *o = userdata;

    TRY(sd_bus_message_new_method_return(m, &reply));
    TRY(append_stat(reply, overview_get(health_of(o)), 1));
    return sd_bus_send(NULL, reply, NULL);
}

static const char *owner_to_string(StatOwner owner) {
    return owner == STAT_OWNER_MANAGER ? "manager" : "agent";
}

/* If both owners have the name, the manager's definition counts. */
static const Stat *find(const HealthObject *o, const char *name) {
    const Stat *s = NULL;

    for (StatOwner owner = 0; owner < _STAT_OWNER_MAX && !s; owner++)
        s = health_find(health_of(o), owner, name);
    return s;
}

static int method_get_samples(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
    HealthObject *o = userdata;
    const char *name;
    const Stat *s;
    uint32_t limit;

    TRY(sd_bus_message_read(m, "su", &name, &limit));
    s = find(o, name);
    if (!s)
        return sd_bus_error_setf(error, ERROR_NO_SUCH_STATISTIC, "There is no statistic %.*s",
                                 UTF8_SHORT(name, STAT_NAME_MAX));
    TRY(sd_bus_message_new_method_return(m, &reply));
    TRY(append_stat(reply, s, MIN(limit, HEALTH_SAMPLES_LISTED_MAX)));
    return sd_bus_send(NULL, reply, NULL);
}

static int append_definition(const Stat *s, void *userdata) {
    const StatDefinition *d = stat_get_definition(s);
    _cleanup_free_ char *name = NULL;
    size_t n = 0;

    for (size_t i = 0; i < stat_get_n_series(s); i++)
        n = MAX(n, series_get_n(stat_get_series(s, i)));
    TRY(bus_text_new(d->name, &name));
    return MIN(sd_bus_message_append(userdata, "(ssstuu)", name, d->type->name,
                                     owner_to_string(d->owner), d->interval_usec, (uint32_t)d->hold,
                                     (uint32_t)n),
               0);
}

static int method_list_statistics(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
    HealthObject *o = userdata;

    TRY(sd_bus_message_new_method_return(m, &reply));
    TRY(sd_bus_message_open_container(reply, 'a', "(ssstuu)"));
    TRY(health_visit(health_of(o), append_definition, reply));
    TRY(sd_bus_message_close_container(reply));
    return sd_bus_send(NULL, reply, NULL);
}

/* types */

static int append_fields(sd_bus_message *m, const StatField *fields, size_t n) {
    TRY(sd_bus_message_open_container(m, 'a', "(sss)"));
    for (size_t i = 0; i < n; i++)
        TRY(sd_bus_message_append(m, "(sss)", fields[i].key, fields[i].unit, fields[i].help));
    return sd_bus_message_close_container(m);
}

static int append_type(sd_bus_message *m, const StatType *t) {
    int r;

    r = sd_bus_message_open_container(m, 'r', "sa(sss)sa(sss)");
    if (r >= 0)
        r = sd_bus_message_append(m, "s", t->name);
    if (r >= 0)
        r = append_fields(m, t->fields, t->n_fields);
    if (r >= 0)
        r = sd_bus_message_append(m, "s", strempty(t->rows));
    if (r >= 0)
        r = append_fields(m, t->row_fields, t->n_row_fields);
    return r < 0 ? r : sd_bus_message_close_container(m);
}

static int method_list_types(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
    const StatType *types;
    size_t n;

    types = stat_type_table(&n);
    TRY(sd_bus_message_new_method_return(m, &reply));
    TRY(sd_bus_message_open_container(reply, 'a', "(sa(sss)sa(sss))"));
    for (size_t i = 0; i < n; i++)
        TRY(append_type(reply, &types[i]));
    TRY(sd_bus_message_close_container(reply));
    return sd_bus_send(NULL, reply, NULL);
}

/* subscribers */

static int on_watchers_gone(sd_bus_track *track, void *userdata) {
    HealthObject *o = userdata;

    (void)overview_set_live(health_of(o), false);
    return 1; /* after a result of 0 sd-bus would repeat the call */
}

static int method_subscribe(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    HealthObject *o = userdata;
    int r;

    if (sd_bus_track_count_sender(o->watchers, m) == 0 &&
        sd_bus_track_count(o->watchers) >= HEALTH_WATCHERS_MAX)
        return sd_bus_error_setf(error, SD_BUS_ERROR_LIMITS_EXCEEDED,
                                 "%u programs have subscribed already", HEALTH_WATCHERS_MAX);
    r = overview_set_live(health_of(o), true);
    if (r >= 0 && sd_bus_track_count_sender(o->watchers, m) == 0)
        r = sd_bus_track_add_sender(o->watchers, m);
    return r < 0 ? r : sd_bus_reply_method_return(m, NULL);
}

static int method_unsubscribe(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    HealthObject *o = userdata;
    int r;

    r = sd_bus_track_remove_sender(o->watchers, m);
    return r < 0 && r != -EUNATCH ? r : sd_bus_reply_method_return(m, NULL);
}

void health_object_sampled(HealthObject *o, const Stat *stat, const Series *series) {
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;

    if (!overview_is_live(stat))
        return;
    if (sd_bus_message_new_signal(o->bus, &m, o->path, INTERFACE, "Sampled") >= 0 &&
        append_sample(m, series_get_type(series), series_get_newest(series)) >= 0)
        (void)sd_bus_send(NULL, m, NULL);
}

/* properties: the most common values */

static const Sample *newest(const HealthObject *o, const char *type) {
    const Stat *s = overview_get(health_of(o));

    for (size_t i = 0; s && i < stat_get_n_series(s); i++)
        if (streq(series_get_type(stat_get_series(s, i))->name, type))
            return series_get_newest(stat_get_series(s, i));
    return NULL;
}

static double newest_value(const HealthObject *o, const char *type, const char *key) {
    const Sample *s = newest(o, type);
    const StatType *t = stat_type_find(type);

    for (size_t i = 0; s && i < t->n_fields; i++)
        if (streq(t->fields[i].key, key))
            return sample_get(s, i);
    return NAN;
}

static int property_get_value(sd_bus *bus, const char *path, const char *interface,
                              const char *property, sd_bus_message *reply, void *userdata,
                              sd_bus_error *error) {
    static const struct {
        const char *property, *type, *key;
    } values[] = {
        {"CPULoad", "system-stats", "cpu-load"}, {"LoadAverage", "load", "load-1"},
        {"MemoryTotal", "memory", "total"},      {"MemoryAvailable", "memory", "available"},
        {"FailedUnits", "units", "failed"},
    };
    HealthObject *o = userdata;
    double value = NAN;

    for (size_t i = 0; i < ELEMENTSOF(values); i++)
        if (streq(values[i].property, property))
            value = newest_value(o, values[i].type, values[i].key);
    return sd_bus_message_append(reply, "d", value);
}

static int property_get_time(sd_bus *bus, const char *path, const char *interface,
                             const char *property, sd_bus_message *reply, void *userdata,
                             sd_bus_error *error) {
    const Sample *s = newest(userdata, "memory");

    return sd_bus_message_append(reply, "t", s ? sample_get_time(s) : (uint64_t)0);
}

static const sd_bus_vtable vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_PROPERTY("SampledUSec", "t", property_get_time, 0, 0),
    SD_BUS_PROPERTY("CPULoad", "d", property_get_value, 0, 0),
    SD_BUS_PROPERTY("LoadAverage", "d", property_get_value, 0, 0),
    SD_BUS_PROPERTY("MemoryTotal", "d", property_get_value, 0, 0),
    SD_BUS_PROPERTY("MemoryAvailable", "d", property_get_value, 0, 0),
    SD_BUS_PROPERTY("FailedUnits", "d", property_get_value, 0, 0),
    SD_BUS_METHOD_WITH_ARGS("ListTypes", SD_BUS_NO_ARGS, SD_BUS_RESULT("a(sa(sss)sa(sss))", types),
                            method_list_types, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD_WITH_ARGS("ListStatistics", SD_BUS_NO_ARGS,
                            SD_BUS_RESULT("a(ssstuu)", statistics), method_list_statistics,
                            SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD_WITH_ARGS("GetSamples", SD_BUS_ARGS("s", name, "u", limit),
                            SD_BUS_RESULT("a(" SAMPLE ")", samples), method_get_samples,
                            SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD_WITH_ARGS("GetNewest", SD_BUS_NO_ARGS, SD_BUS_RESULT("a(" SAMPLE ")", samples),
                            method_get_newest, SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD_WITH_ARGS("Subscribe", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, method_subscribe,
                            SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_METHOD_WITH_ARGS("Unsubscribe", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, method_unsubscribe,
                            SD_BUS_VTABLE_UNPRIVILEGED),
    SD_BUS_SIGNAL_WITH_ARGS("Sampled", SD_BUS_ARGS("s", type, "t", time, VALUES, values), 0),
    SD_BUS_VTABLE_END,
};

HealthObject *health_object_free(HealthObject *o) {
    if (!o)
        return NULL;
    sd_bus_track_unref(o->watchers);
    sd_bus_slot_unref(o->slot);
    sd_bus_unref(o->bus);
    free(o);
    return NULL;
}

int health_object_new(sd_bus *bus, const char *path, Agent *agent, HealthObject **ret) {
    _cleanup_(health_object_freep) HealthObject *o = calloc(1, sizeof(*o));

    if (!o)
        return -ENOMEM;
    o->bus = sd_bus_ref(bus);
    o->path = path;
    o->agent = agent;
    TRY(sd_bus_track_new(bus, &o->watchers, on_watchers_gone, o));
    TRY(sd_bus_add_object_vtable(bus, &o->slot, path, INTERFACE, vtable, o));
    *ret = TAKE_PTR(o);
    return 0;
}
