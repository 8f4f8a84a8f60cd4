/* SPDX-License-Identifier: Apache-2.0 */
/* Samples and types from the agent (org.dcmagent.Agent1.Health). */
#pragma once

#include "dcm-agentctl/ctl.h"

#define HEALTH_INTERFACE AGENT_NAME ".Health"

typedef struct SampleValue {
    const char *row, *key; /* row: "" for the whole machine */
    double value;
} SampleValue;

typedef struct HealthSample {
    sd_bus_message *message; /* owns the texts */
    const char *type;
    uint64_t time_usec;
    SampleValue *values;
    size_t n, allocated;
} HealthSample;

typedef struct HealthSamples {
    HealthSample *samples;
    size_t n, allocated;
} HealthSamples;

void health_sample_done(HealthSample *s);
void health_samples_done(HealthSamples *s);

/* Reads "sta(ssd)", the form of a sample in lists and in the signal Sampled. */
int health_sample_read(sd_bus_message *m, HealthSample *ret);
/* Loads the newest `limit` samples of each type of a statistic; NULL: the newest overview. Does not
 * print errors. */
int health_samples_load(const Context *c, const char *name, uint32_t limit, sd_bus_error *error,
                        HealthSamples *ret);
/* Has the agent sample each second, until this process leaves the bus; `on_sampled` may be NULL. */
int health_subscribe(const Context *c, sd_bus_message_handler_t on_sampled, void *userdata,
                     sd_bus_error *error);
/* The last sample of that type, or NULL. */
const HealthSample *health_samples_find(const HealthSamples *s, const char *type);
/* NAN: unknown. */
double health_sample_get(const HealthSample *s, const char *row, const char *key);

typedef struct SampleUnit {
    const char *type, *key, *unit;
    bool of_rows;
} SampleUnit;

/* The units of the values. */
typedef struct SampleUnits {
    sd_bus_message *message;
    SampleUnit *units;
    size_t n, allocated;
} SampleUnits;

int sample_units_load(const Context *c, sd_bus_error *error, SampleUnits *ret);
void sample_units_done(SampleUnits *u);
/* "" if unknown. */
const char *sample_units_find(const SampleUnits *u, const char *type, const char *key,
                              bool of_rows);

#define VALUE_SIZE 32

/* Formats a value for people: "1.5G", "12.3 %", "3.2M/s". */
void sample_format(double value, const char *unit, char buf[static VALUE_SIZE]);
