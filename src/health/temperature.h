/* SPDX-License-Identifier: Apache-2.0 */
/* Temperatures, from /sys/class/hwmon, or if that has none from /sys/class/thermal. Disk sensors
 * (drivetemp, nvme) are left out, because reading them waits for the disk and wakes it up. */
#pragma once

#include "basic/macro.h"
#include "health/proc-file.h"

#define SENSOR_NAME_SIZE 80

typedef struct Sensor {
    char name[SENSOR_NAME_SIZE]; /* "coretemp Package id 0"; a second one gets " #2" */
    char path[96];               /* below the root */
    ProcFile file;
    bool is_known;
    double celsius;
} Sensor;

typedef struct SensorTable {
    Sensor *sensors;
    size_t n, allocated;
    unsigned n_readings; /* since the last search for sensors */
} SensorTable;

/* Searches for sensors at the first reading, and at intervals later. */
int sensor_table_read(SensorTable *t, int root_fd, ProcText *text);
void sensor_table_done(SensorTable *t);
/* "45000\n" are 45 degrees; -EBADMSG. */
int temperature_parse(const char *text, double *ret);
