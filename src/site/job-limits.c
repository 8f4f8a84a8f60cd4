/* SPDX-License-Identifier: Apache-2.0 */
#include "site/job-limits.h"

#include "basic/bounds.h"
#include "basic/parse-util.h"
#include "basic/strv.h"
#include "proto/text.h"

typedef enum KeyType {
    KEY_SECONDS,
    KEY_SIZE,  /* bytes */
    KEY_BYTES, /* the same, or "none" */
    KEY_COUNT,
    KEY_BOOL,
    KEY_PATHS,
} KeyType;

typedef struct Key {
    const char *name;
    KeyType type;
    size_t offset; /* in JobLimits */
    uint64_t min, max;
} Key;

static const Key limit_keys[] = {
    {"timeout", KEY_SECONDS, offsetof(JobLimits, timeout_usec), 1, 365 * 86400},
    {"memory_max", KEY_BYTES, offsetof(JobLimits, memory_max), 1 << 20, UINT64_MAX - 1},
    {"tasks_max", KEY_COUNT, offsetof(JobLimits, tasks_max), 4, 1 << 22},
    {"cpu_weight", KEY_COUNT, offsetof(JobLimits, cpu_weight), 1, 10000},
    {"io_weight", KEY_COUNT, offsetof(JobLimits, io_weight), 1, 10000},
    {"output_max", KEY_SIZE, offsetof(JobLimits, output_max), JOB_OUTPUT_MIN, JOB_OUTPUT_MAX},
    {"network", KEY_BOOL, offsetof(JobLimits, network), 0, 0},
    {"writable_paths", KEY_PATHS, offsetof(JobLimits, writable_paths), 0, 0},
};

struct JobLimit {
    const Key *key;
    uint64_t number;
    char **list;
};

static int parse_number(const Key *k, const char *value, uint64_t *ret) {
    const bool is_size = k->type == KEY_SIZE || k->type == KEY_BYTES;

    if (k->type == KEY_BYTES && streq(value, "none")) {
        *ret = UINT64_MAX;
        return 0;
    }
    if (!is_size && value[strspn(value, "0123456789")])
        return -EINVAL;
    TRY(parse_size(value, ret));
    return *ret < k->min || *ret > k->max ? -EINVAL : 0;
}

static int parse_limit(JobLimit *l, const char *value) {
    bool flag;
    int r;

    switch (l->key->type) {
    case KEY_PATHS:
        TRY(parse_words(value, &l->list));
        return paths_are_valid(l->list) ? 0 : -EINVAL;
    case KEY_BOOL:
        r = parse_bool(value, &flag);
        l->number = r >= 0 && flag;
        return r;
    case KEY_SECONDS:
        r = parse_number(l->key, value, &l->number);
        l->number *= r >= 0 ? USEC_PER_SEC : 0;
        return r;
    default:
        return parse_number(l->key, value, &l->number);
    }
}

JobLimit *job_limit_free(JobLimit *l) {
    if (!l)
        return NULL;
    strv_free(l->list);
    free(l);
    return NULL;
}

int job_limit_new(const char *name, const char *value, JobLimit **ret) {
    _cleanup_(job_limit_freep) JobLimit *l = calloc(1, sizeof(*l));

    if (!l)
        return -ENOMEM;
    if (!bus_text_is_valid(value))
        return -EINVAL;
    for (size_t i = 0; i < ELEMENTSOF(limit_keys); i++)
        if (strcasecmp(limit_keys[i].name, name) == 0)
            l->key = &limit_keys[i];
    if (!l->key)
        return -EINVAL;
    TRY(parse_limit(l, value));
    *ret = TAKE_PTR(l);
    return 0;
}

void job_limits_init(JobLimits *l) {
    *l = (JobLimits){
        .timeout_usec = 24 * 60 * 60 * USEC_PER_SEC,
        .memory_max = UINT64_MAX,
        .tasks_max = 4096,
        .output_max = JOB_OUTPUT_DEFAULT,
        .network = true,
    };
}

void job_limit_apply(const JobLimit *limit, JobLimits *l) {
    void *field = (char *)l + limit->key->offset;

    if (limit->key->type == KEY_PATHS)
        *(char ***)field = limit->list[0] ? limit->list : NULL;
    else if (limit->key->type == KEY_BOOL)
        *(bool *)field = limit->number;
    else
        *(uint64_t *)field = limit->number;
}

static void tighten(uint64_t *mine, uint64_t other) {
    *mine = MIN(*mine, other);
}

/* 0 is systemd's default, which is neither lower nor higher: an explicit value counts. */
static void tighten_weight(uint64_t *mine, uint64_t other) {
    if (*mine == 0 || (other > 0 && other < *mine))
        *mine = other;
}

void job_limits_tighten(JobLimits *l, const JobLimits *other) {
    tighten(&l->timeout_usec, other->timeout_usec);
    tighten(&l->memory_max, other->memory_max);
    tighten(&l->tasks_max, other->tasks_max);
    tighten(&l->output_max, other->output_max);
    tighten_weight(&l->cpu_weight, other->cpu_weight);
    tighten_weight(&l->io_weight, other->io_weight);
    l->network = l->network && other->network;
    if (!l->writable_paths)
        l->writable_paths = other->writable_paths;
}
