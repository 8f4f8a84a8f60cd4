/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-agentctl/job-list.h"

#include <stdio.h>

#include "basic/array.h"
#include "basic/bounds.h"
#include "basic/i18n.h"
#include "basic/time-util.h"
#include "basic/utf8.h"

#define SYSTEMD_NAME "org.freedesktop.systemd1"
#define UNIT_PATH "/org/freedesktop/systemd1/unit"
#define SERVICE_INTERFACE "org.freedesktop.systemd1.Service"

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

static const char *state_of(struct json_object *row) {
    return strempty(json_get_string(row, "state"));
}

/* "waiting 3", "running 40 %" */
static void format_state(struct json_object *row, char buf[static LISTING_CELL_SIZE]) {
    struct json_object *percent = json_get(row, "progress_percent");
    int position = json_object_get_int(json_get(row, "position"));

    if (percent && !streq(state_of(row), "ended"))
        (void)utf8_format(buf, LISTING_CELL_SIZE, "%s %d %%", state_of(row),
                          json_object_get_int(percent));
    else if (position > 0)
        (void)utf8_format(buf, LISTING_CELL_SIZE, "%s %d", state_of(row), position);
    else
        (void)utf8_format(buf, LISTING_CELL_SIZE, "%s", state_of(row));
}

static void format_age(struct json_object *row, char buf[static LISTING_CELL_SIZE]) {
    uint64_t now = now_usec(CLOCK_REALTIME),
             accepted = json_object_get_uint64(json_get(row, "accepted_usec"));

    if (now < accepted + USEC_PER_SEC)
        (void)snprintf(buf, LISTING_CELL_SIZE, "0s");
    else
        (void)format_span((now - accepted) / USEC_PER_SEC * USEC_PER_SEC, buf);
}

static void format_cpu(struct json_object *row, char buf[static LISTING_CELL_SIZE]) {
    struct json_object *nsec = json_get(row, "cpu_nsec");

    *buf = 0;
    if (nsec)
        (void)snprintf(buf, LISTING_CELL_SIZE, "%.2fs", (double)json_object_get_uint64(nsec) / 1e9);
}

static const ListingColumn columns[] = {
    {N_("GUID"), "guid", .flags = COLUMN_SHRINKS, .width_min = 9},
    {N_("COMMAND"), "command", .flags = COLUMN_SHRINKS, .width_min = 12},
    {N_("KIND"), "kind", .flags = COLUMN_OPTIONAL},
    {N_("STATE"), .format = format_state},
    {N_("AGE"), .format = format_age, .flags = COLUMN_RIGHT},
    {N_("CPU"), .format = format_cpu, .flags = COLUMN_RIGHT | COLUMN_OPTIONAL},
    {N_("MEMORY"), "memory_bytes", .type = LISTING_BYTES, .flags = COLUMN_RIGHT | COLUMN_OPTIONAL},
    {N_("UNIT"), "unit", .flags = COLUMN_OPTIONAL},
};

const Listing job_listing = {columns, ELEMENTSOF(columns), NULL,
                             N_("No job is waiting or running.")};

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
