/* SPDX-License-Identifier: Apache-2.0 */
#include "health/temperature.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>

#include "basic/array.h"
#include "basic/bounds.h"
#include "basic/fd-util.h"
#include "basic/file-util.h"
#include "basic/utf8.h"

#define READINGS_PER_LOOK 60u
#define LABEL_MAX ((size_t)256)

int temperature_parse(const char *text, double *ret) {
    char *end;
    long n;

    errno = 0;
    n = strtol(text, &end, 10);
    if (errno != 0 || end == text || (*end && *end != '\n') || n < -273150 || n > 10000000)
        return -EBADMSG;
    *ret = (double)n / 1000;
    return 0;
}

static void clear(SensorTable *t) {
    for (size_t i = 0; i < t->n; i++)
        proc_file_close(&t->sensors[i].file);
    t->n = 0;
}

void sensor_table_done(SensorTable *t) {
    clear(t);
    free(t->sensors);
    *t = (SensorTable){};
}

/* Reads one line of a file; "" if there is none. */
static void read_label(int fd, const char *path, char *ret, size_t size) {
    _cleanup_free_ char *text = NULL;

    *ret = 0;
    if (read_file_at(fd, path, LABEL_MAX, &text, NULL) < 0)
        return;
    text[strcspn(text, "\n")] = 0;
    (void)utf8_format(ret, size, "%s", text);
}

static bool has_name(const SensorTable *t, const char *name) {
    for (size_t i = 0; i < t->n; i++)
        if (streq(t->sensors[i].name, name))
            return true;
    return false;
}

/* Makes the name unique: two processors, for instance, have sensors of the same names. */
static void set_name(const SensorTable *t, const char *name, const char *label, Sensor *s) {
    char text[SENSOR_NAME_SIZE];

    (void)utf8_format(text, sizeof(text), "%s%s%s", name, *label ? " " : "", label);
    (void)snprintf(s->name, sizeof(s->name), "%s", text);
    for (unsigned i = 2; has_name(t, s->name); i++)
        (void)snprintf(s->name, sizeof(s->name), "%.*s #%u",
                       UTF8_SHORT(text, SENSOR_NAME_SIZE - sizeof(" #4294967295")), i);
}

static int add(SensorTable *t, const char *name, const char *label, const char *path) {
    Sensor s = {.file = PROC_FILE_INIT};

    if (strlen(path) >= sizeof(s.path))
        return 0;
    TRY(array_reserve(&t->sensors, &t->allocated, t->n + 1, HEALTH_SENSORS_MAX));
    set_name(t, name, label, &s);
    (void)snprintf(s.path, sizeof(s.path), "%s", path);
    t->sensors[t->n++] = s;
    return 0;
}

typedef int (*Visitor)(SensorTable *t, int root_fd, const char *directory, const char *entry);

static int compare(const struct dirent **a, const struct dirent **b) {
    return strverscmp((*a)->d_name, (*b)->d_name);
}

/* Visits entries in numerical order. */
static int visit_directory(SensorTable *t, int root_fd, const char *directory, Visitor visit) {
    struct dirent **entries = NULL;
    int n, r = 0;

    n = scandirat(root_fd, directory, &entries, NULL, compare);
    if (n < 0)
        return errno == ENOMEM ? -ENOMEM : 0;
    for (int i = 0; i < n; i++) {
        if (r >= 0 && entries[i]->d_name[0] != '.')
            r = visit(t, root_fd, directory, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    return r;
}

/* Handles "temp1_input" of a chip; the sensor's name is "temp1_label" or its number. */
static int on_chip_file(SensorTable *t, int root_fd, const char *directory, const char *entry) {
    char path[128], chip[32], label[32];
    size_t size = strlen(entry);
    static const char suffix[] = "_input";

    if (strncmp(entry, "temp", 4) != 0 || size <= 4 + strlen(suffix) ||
        !streq(entry + size - strlen(suffix), suffix))
        return 0;
    size -= strlen(suffix);
    (void)snprintf(path, sizeof(path), "%s/name", directory);
    read_label(root_fd, path, chip, sizeof(chip));
    if (streq(chip, "drivetemp") || streq(chip, "nvme"))
        return 0;
    (void)snprintf(path, sizeof(path), "%s/%.*s_label", directory, (int)MIN(size, (size_t)16),
                   entry);
    read_label(root_fd, path, label, sizeof(label));
    if (!*label)
        (void)snprintf(label, sizeof(label), "%.*s", (int)MIN(size, (size_t)16), entry);
    (void)snprintf(path, sizeof(path), "%s/%.24s", directory, entry);
    return add(t, chip, label, path);
}

static int on_chip(SensorTable *t, int root_fd, const char *directory, const char *entry) {
    char path[64];

    (void)snprintf(path, sizeof(path), "%s/%.24s", directory, entry);
    return visit_directory(t, root_fd, path, on_chip_file);
}

static int on_zone(SensorTable *t, int root_fd, const char *directory, const char *entry) {
    char path[80], type[32];

    if (strncmp(entry, "thermal_zone", strlen("thermal_zone")) != 0)
        return 0;
    (void)snprintf(path, sizeof(path), "%s/%.32s/type", directory, entry);
    read_label(root_fd, path, type, sizeof(type));
    (void)snprintf(path, sizeof(path), "%s/%.32s/temp", directory, entry);
    return add(t, type, entry, path);
}

static int look(SensorTable *t, int root_fd) {
    int r;

    clear(t);
    r = visit_directory(t, root_fd, "sys/class/hwmon", on_chip);
    if (r >= 0 && t->n == 0)
        r = visit_directory(t, root_fd, "sys/class/thermal", on_zone);
    return r == -ENOBUFS ? 0 : r;
}

int sensor_table_read(SensorTable *t, int root_fd, ProcText *text) {
    int r;

    if (t->n_readings++ % READINGS_PER_LOOK == 0) {
        TRY(look(t, root_fd));
    }
    for (size_t i = 0; i < t->n; i++) {
        Sensor *s = &t->sensors[i];

        r = proc_file_read(&s->file, root_fd, s->path, text);
        s->is_known = r >= 0 && temperature_parse(text->text, &s->celsius) >= 0;
        if (r == -ENOMEM)
            return r;
    }
    return 0;
}
