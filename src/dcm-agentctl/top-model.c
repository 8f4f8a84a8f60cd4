/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-agentctl/top-model.h"

#include <math.h>

#include "basic/time-util.h"
#include "dcm-agentctl/bus-json.h"

static void history_add(History *h, double value) {
    if (isnan(value))
        return;
    if (h->n == HISTORY_MAX) {
        memmove(h->values, h->values + 1, sizeof(h->values) - sizeof(h->values[0]));
        h->n--;
    }
    h->values[h->n++] = value;
}

static double sum_of(const HealthSample *s, const char *a, const char *b) {
    double sum = 0;

    for (size_t i = 0; i < s->n; i++)
        if (!isempty(s->values[i].row) && !streq(s->values[i].row, "lo") &&
            (streq(s->values[i].key, a) || streq(s->values[i].key, b)))
            sum += s->values[i].value;
    return sum;
}

static void remember(TopModel *m, const HealthSample *s) {
    if (streq(s->type, "system-stats"))
        history_add(&m->cpu, health_sample_get(s, "", "cpu-load"));
    else if (streq(s->type, "memory"))
        history_add(&m->memory,
                    1 - health_sample_get(s, "", "available") / health_sample_get(s, "", "total"));
    else if (streq(s->type, "disks"))
        history_add(&m->disk, sum_of(s, "read-bytes", "write-bytes"));
    else if (streq(s->type, "interfaces"))
        history_add(&m->network, sum_of(s, "bytes-in", "bytes-out"));
}

void top_model_take(TopModel *m, HealthSample *s) {
    HealthSamples *list = &m->newest;
    size_t i = 0;

    remember(m, s);
    while (i < list->n && !streq(list->samples[i].type, s->type))
        i++;
    if (i == TYPES_MAX) {
        health_sample_done(s);
        return;
    }
    if (i == list->n)
        list->n++;
    else
        health_sample_done(&list->samples[i]);
    list->samples[i] = *s;
    *s = (HealthSample){};
}

static int load_status(TopModel *m, const Context *c) {
    _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;

    (void)json_object_put(TAKE_PTR(m->status));
    TRY(sd_bus_call_method(c->bus, AGENT_NAME, AGENT_PATH, "org.freedesktop.DBus.Properties",
                           "GetAll", &error, &reply, "s", AGENT_INTERFACE));
    return ctl_json_from_bus(reply, &m->status);
}

static int load_jobs(TopModel *m, const Context *c) {
    _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
    JobList fresh = {};

    TRY(job_list_load(c, &error, &fresh));
    job_list_done(&m->jobs_before);
    m->jobs_before = m->jobs;
    m->jobs_before_usec = m->jobs_usec;
    m->jobs = fresh;
    m->jobs_usec = now_usec(CLOCK_BOOTTIME);
    for (size_t i = 0; i < m->jobs.n; i++)
        job_row_measure(c, &m->jobs.rows[i]);
    return 0;
}

void top_model_refresh(TopModel *m, const Context *c) {
    if (load_status(m, c) >= 0)
        (void)load_jobs(m, c);
}

int top_model_load(TopModel *m, const Context *c, sd_bus_error *error) {
    m->newest.samples = m->samples;
    return sample_units_load(c, error, &m->units);
}

void top_model_done(TopModel *m) {
    for (size_t i = 0; i < m->newest.n; i++)
        health_sample_done(&m->newest.samples[i]);
    job_list_done(&m->jobs);
    job_list_done(&m->jobs_before);
    sample_units_done(&m->units);
    (void)json_object_put(m->status);
}
