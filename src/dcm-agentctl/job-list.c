/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-agentctl/job-list.h"

#include <inttypes.h>
#include <stdio.h>

#include "basic/array.h"
#include "basic/bounds.h"
#include "basic/i18n.h"
#include "basic/time-util.h"

#define SYSTEMD_NAME "org.freedesktop.systemd1"
#define UNIT_PATH "/org/freedesktop/systemd1/unit"
#define SERVICE_INTERFACE "org.freedesktop.systemd1.Service"
#define CELL_SIZE 32

void job_list_done(JobList *l) {
    sd_bus_message_unref(l->message);
    free(l->rows);
    free(l->by_guid);
    *l = (JobList){};
}

static int read_row(sd_bus_message *m, JobRow *ret) {
    *ret = (JobRow){.cpu_nsec = UINT64_MAX, .memory = UINT64_MAX};
    return sd_bus_message_read(m, "(ssssustis)", &ret->guid, &ret->command, &ret->kind, &ret->state,
                               &ret->position, &ret->unit, &ret->accepted_usec, &ret->percent,
                               &ret->progress);
}

static int read_rows(JobList *l) {
    size_t allocated = 0;
    JobRow row;
    int r;

    r = sd_bus_message_enter_container(l->message, 'a', "(ssssustis)");
    while (r >= 0 && (r = read_row(l->message, &row)) > 0) {
        r = array_reserve(&l->rows, &allocated, l->n + 1, SIZE_MAX);
        if (r < 0)
            return r;
        l->rows[l->n++] = row;
    }
    return r;
}

static int compare_rows(const void *a, const void *b) {
    const JobRow *const *x = a, *const *y = b;

    return strcmp((*x)->guid, (*y)->guid);
}

static int sort(JobList *l) {
    l->by_guid = calloc(MAX(l->n, (size_t)1), sizeof(JobRow *));
    if (!l->by_guid)
        return -ENOMEM;
    for (size_t i = 0; i < l->n; i++)
        l->by_guid[i] = &l->rows[i];
    qsort(l->by_guid, l->n, sizeof(JobRow *), compare_rows);
    return 0;
}

int job_list_load(const Context *c, sd_bus_error *error, JobList *ret) {
    _cleanup_(job_list_done) JobList l = {};

    TRY(sd_bus_call_method(c->bus, AGENT_NAME, AGENT_PATH, AGENT_INTERFACE, "ListJobs", error,
                           &l.message, NULL));
    TRY(read_rows(&l));
    TRY(sort(&l));
    *ret = l;
    l = (JobList){};
    return 0;
}

const JobRow *job_list_find(const JobList *l, const char *guid) {
    const JobRow key = {.guid = guid}, *wanted = &key;
    JobRow *const *found;

    if (l->n == 0)
        return NULL;
    found = bsearch(&wanted, l->by_guid, l->n, sizeof(JobRow *), compare_rows);
    return found ? *found : NULL;
}

static uint64_t ask(const Context *c, const char *path, const char *property) {
    uint64_t value;

    if (sd_bus_get_property_trivial(c->bus, SYSTEMD_NAME, path, SERVICE_INTERFACE, property, NULL,
                                    't', &value) < 0)
        return UINT64_MAX;
    return value;
}

void job_row_measure(const Context *c, JobRow *row) {
    _cleanup_free_ char *path = NULL;

    if (isempty(row->unit) || sd_bus_path_encode(UNIT_PATH, row->unit, &path) < 0)
        return;
    row->cpu_nsec = ask(c, path, "CPUUsageNSec");
    row->memory = ask(c, path, "MemoryCurrent");
}

/* "3d 4h", "5min 12s", "0s" */
static void format_age(uint64_t accepted_usec, char buf[static CELL_SIZE]) {
    static const struct {
        uint64_t seconds;
        const char *name;
    } units[] = {{86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}};
    uint64_t now = now_usec(CLOCK_REALTIME);
    uint64_t age = now > accepted_usec ? (now - accepted_usec) / USEC_PER_SEC : 0;
    size_t i = 0;

    while (i + 1 < ELEMENTSOF(units) && age < units[i].seconds)
        i++;
    if (i + 1 == ELEMENTSOF(units))
        (void)snprintf(buf, CELL_SIZE, "%" PRIu64 "%s", age, units[i].name);
    else
        (void)snprintf(buf, CELL_SIZE, "%" PRIu64 "%s %" PRIu64 "%s", age / units[i].seconds,
                       units[i].name, age % units[i].seconds / units[i + 1].seconds,
                       units[i + 1].name);
}

static void format_cpu(uint64_t nsec, char buf[static CELL_SIZE]) {
    if (nsec == UINT64_MAX)
        (void)snprintf(buf, CELL_SIZE, "-");
    else
        (void)snprintf(buf, CELL_SIZE, "%.2fs", (double)nsec / 1e9);
}

static void format_memory(uint64_t bytes, char buf[static CELL_SIZE]) {
    static const char units[] = "BKMGTPE";
    double n = (double)bytes;
    size_t i = 0;

    if (bytes == UINT64_MAX) {
        (void)snprintf(buf, CELL_SIZE, "-");
        return;
    }
    for (; n >= 1024; i++)
        n /= 1024;
    (void)snprintf(buf, CELL_SIZE, i > 0 ? "%.1f%c" : "%.0f%c", n, units[i]);
}

static const int widths[] = {36, 14, 6, 14, -9, -9, -8, 0};

void job_row_print_titles(const char *line_end) {
    terminal_put_row(stdout, ELEMENTSOF(widths), widths,
                     (const char *[]){_("GUID"), _("COMMAND"), _("KIND"), _("STATE"), _("AGE"),
                                      _("CPU"), _("MEMORY"), _("UNIT")},
                     line_end);
}

void job_row_print(const JobRow *row, const char *state, const char *line_end) {
    char place[CELL_SIZE], age[CELL_SIZE], cpu[CELL_SIZE], memory[CELL_SIZE];

    if (row->percent >= 0 && !state) {
        (void)snprintf(place, sizeof(place), "%s %d %%", row->state, row->percent);
        state = place;
    } else if (row->position > 0 && !state) {
        (void)snprintf(place, sizeof(place), "%s %" PRIu32, row->state, row->position);
        state = place;
    }
    format_age(row->accepted_usec, age);
    format_cpu(row->cpu_nsec, cpu);
    format_memory(row->memory, memory);
    terminal_put_row(stdout, ELEMENTSOF(widths), widths,
                     (const char *[]){row->guid, row->command, row->kind, state ?: row->state, age,
                                      cpu, memory, isempty(row->unit) ? "-" : row->unit},
                     line_end);
}

static void add_usage(struct json_object *o, const char *key, uint64_t value) {
    (void)json_object_object_add(o, key,
                                 value == UINT64_MAX ? NULL : json_object_new_uint64(value));
}

struct json_object *job_row_to_json(const JobRow *row, const char *state) {
    struct json_object *o = json_object_new_object();
    const struct {
        const char *key, *value;
    } texts[] = {
        {"guid", row->guid}, {"command", row->command},      {"kind", row->kind},
        {"unit", row->unit}, {"state", state ?: row->state},
    };

    for (size_t i = 0; i < ELEMENTSOF(texts); i++)
        (void)json_object_object_add(o, texts[i].key, json_object_new_string(texts[i].value));
    (void)json_object_object_add(o, "position", json_object_new_int64(row->position));
    (void)json_object_object_add(o, "accepted_usec", json_object_new_uint64(row->accepted_usec));
    (void)json_object_object_add(o, "progress_percent",
                                 row->percent < 0 ? NULL : json_object_new_int(row->percent));
    (void)json_object_object_add(o, "progress_text", json_object_new_string(row->progress));
    add_usage(o, "cpu_nsec", row->cpu_nsec);
    add_usage(o, "memory_bytes", row->memory);
    return o;
}
