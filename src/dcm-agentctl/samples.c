/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-agentctl/samples.h"

#include <math.h>
#include <stdio.h>

#include "basic/array.h"

#define TYPES "a(sa(sss)sa(sss))"

void health_sample_done(HealthSample *s) {
    sd_bus_message_unref(s->message);
    free(s->values);
    *s = (HealthSample){};
}

void health_samples_done(HealthSamples *s) {
    for (size_t i = 0; i < s->n; i++)
        health_sample_done(&s->samples[i]);
    free(s->samples);
    *s = (HealthSamples){};
}

int health_sample_read(sd_bus_message *m, HealthSample *ret) {
    _cleanup_(health_sample_done) HealthSample s = {.message = sd_bus_message_ref(m)};
    SampleValue v;
    int r;

    r = sd_bus_message_read(m, "st", &s.type, &s.time_usec);
    if (r >= 0)
        r = sd_bus_message_enter_container(m, 'a', "(ssd)");
    while (r >= 0 && (r = sd_bus_message_read(m, "(ssd)", &v.row, &v.key, &v.value)) > 0) {
        r = array_reserve(&s.values, &s.allocated, s.n + 1, SIZE_MAX);
        if (r >= 0)
            s.values[s.n++] = v;
    }
    if (r >= 0)
        r = sd_bus_message_exit_container(m);
    if (r < 0)
        return r;
    *ret = s;
    s = (HealthSample){};
    return 0;
}

static int ask(const Context *c, const char *name, uint32_t limit, sd_bus_error *error,
               sd_bus_message **ret) {
    return name ? sd_bus_call_method(c->bus, AGENT_NAME, AGENT_PATH, HEALTH_INTERFACE, "GetSamples",
                                     error, ret, "su", name, limit)
                : sd_bus_call_method(c->bus, AGENT_NAME, AGENT_PATH, HEALTH_INTERFACE, "GetNewest",
                                     error, ret, NULL);
}

int health_samples_load(const Context *c, const char *name, uint32_t limit, sd_bus_error *error,
                        HealthSamples *ret) {
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
    _cleanup_(health_samples_done) HealthSamples list = {};
    int r;

    r = ask(c, name, limit, error, &m);
    if (r >= 0)
        r = sd_bus_message_enter_container(m, 'a', "(sta(ssd))");
    while (r >= 0 && (r = sd_bus_message_enter_container(m, 'r', "sta(ssd)")) > 0) {
        HealthSample s;

        r = array_reserve(&list.samples, &list.allocated, list.n + 1, SIZE_MAX);
        if (r >= 0)
            r = health_sample_read(m, &s);
        if (r < 0)
            return r;
        list.samples[list.n++] = s;
        r = sd_bus_message_exit_container(m);
    }
    if (r < 0)
        return r;
    *ret = list;
    list = (HealthSamples){};
    return 0;
}

int health_subscribe(const Context *c, sd_bus_message_handler_t on_sampled, void *userdata,
                     sd_bus_error *error) {
    int r;

    r = sd_bus_match_signal(c->bus, NULL, AGENT_NAME, AGENT_PATH, HEALTH_INTERFACE, "Sampled",
                            on_sampled, userdata);
    return r < 0 ? r
                 : sd_bus_call_method(c->bus, AGENT_NAME, AGENT_PATH, HEALTH_INTERFACE, "Subscribe",
                                      error, NULL, NULL);
}

const HealthSample *health_samples_find(const HealthSamples *s, const char *type) {
    for (size_t i = s->n; i > 0; i--)
        if (streq(s->samples[i - 1].type, type))
            return &s->samples[i - 1];
    return NULL;
}

double health_sample_get(const HealthSample *s, const char *row, const char *key) {
    for (size_t i = 0; s && i < s->n; i++)
        if (streq(s->values[i].row, row) && streq(s->values[i].key, key))
            return s->values[i].value;
    return NAN;
}

/* units */

void sample_units_done(SampleUnits *u) {
    sd_bus_message_unref(u->message);
    free(u->units);
    *u = (SampleUnits){};
}

static int read_fields(SampleUnits *u, const char *type, bool of_rows) {
    SampleUnit unit = {.type = type, .of_rows = of_rows};
    int r;

    r = sd_bus_message_enter_container(u->message, 'a', "(sss)");
    while (r >= 0 &&
           (r = sd_bus_message_read(u->message, "(sss)", &unit.key, &unit.unit, NULL)) > 0) {
        r = array_reserve(&u->units, &u->allocated, u->n + 1, SIZE_MAX);
        if (r >= 0)
            u->units[u->n++] = unit;
    }
    return r < 0 ? r : sd_bus_message_exit_container(u->message);
}

int sample_units_load(const Context *c, sd_bus_error *error, SampleUnits *ret) {
    _cleanup_(sample_units_done) SampleUnits u = {};
    const char *type;
    int r;

    r = sd_bus_call_method(c->bus, AGENT_NAME, AGENT_PATH, HEALTH_INTERFACE, "ListTypes", error,
                           &u.message, NULL);
    if (r >= 0)
        r = sd_bus_message_enter_container(u.message, 'a', "(sa(sss)sa(sss))");
    while (r >= 0 && (r = sd_bus_message_enter_container(u.message, 'r', "sa(sss)sa(sss)")) > 0) {
        r = sd_bus_message_read(u.message, "s", &type);
        if (r >= 0)
            r = read_fields(&u, type, false);
        if (r >= 0)
            r = sd_bus_message_skip(u.message, "s");
        if (r >= 0)
            r = read_fields(&u, type, true);
        if (r >= 0)
            r = sd_bus_message_exit_container(u.message);
    }
    if (r < 0)
        return r;
    *ret = u;
    u = (SampleUnits){};
    return 0;
}

const char *sample_units_find(const SampleUnits *u, const char *type, const char *key,
                              bool of_rows) {
    for (size_t i = 0; i < u->n; i++)
        if (u->units[i].of_rows == of_rows && streq(u->units[i].type, type) &&
            streq(u->units[i].key, key))
            return u->units[i].unit;
    return "";
}

/* A count, or a number whose unit is not known: without an exponent. */
static void format_number(double value, const char *unit, char buf[static VALUE_SIZE]) {
    (void)snprintf(buf, VALUE_SIZE, value == floor(value) ? "%.0f%s%s" : "%.2f%s%s", value,
                   isempty(unit) ? "" : " ", unit);
}

void sample_format(double value, const char *unit, char buf[static VALUE_SIZE]) {
    char bytes[FORMAT_SIZE];

    if (isnan(value))
        (void)snprintf(buf, VALUE_SIZE, "-");
    else if (streq(unit, "bytes"))
        (void)snprintf(buf, VALUE_SIZE, "%s", format_bytes(value, bytes));
    else if (streq(unit, "bytes/s"))
        (void)snprintf(buf, VALUE_SIZE, "%s/s", format_bytes(value, bytes));
    else if (streq(unit, "share"))
        (void)snprintf(buf, VALUE_SIZE, "%.1f %%", value * 100);
    else if (streq(unit, "percent"))
        (void)snprintf(buf, VALUE_SIZE, "%.1f %%", value);
    else if (streq(unit, "1/s"))
        (void)snprintf(buf, VALUE_SIZE, "%.1f/s", value);
    else if (streq(unit, "C"))
        (void)snprintf(buf, VALUE_SIZE, "%.1f °C", value);
    else if (streq(unit, "us"))
        (void)snprintf(buf, VALUE_SIZE, "%.2f s", value / 1e6);
    else
        format_number(value, streq(unit, "1") ? "" : unit, buf);
}
