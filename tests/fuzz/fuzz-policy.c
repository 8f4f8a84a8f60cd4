/* SPDX-License-Identifier: Apache-2.0 */
/* policy.conf: what it is not understood in allows nothing, what it limits stays within the limits
 * of limits, and whoever has the last word can forbid everything. */
#include "basic/bounds.h"
#include "fuzz.h"
#include "site/job-limits.h"
#include "site/policy.h"

#define NO_DIRECTORY "/nonexistent"

static const PolicyOrder orders[] = {
    {"run_script", "root", true}, {"run_script", "dcm", true},    {"fetch_run", "dcm", true},
    {"add_user", "root", false},  {"disk_usage", "nobody", true}, {"", "", false},
};

static void check_limits(const Policy *p) {
    JobLimits l;

    for (size_t i = 0; i < ELEMENTSOF(orders); i++) {
        policy_get_limits(p, orders[i].command, &l);
        CHECK(l.timeout_usec >= USEC_PER_SEC && l.timeout_usec <= 365 * 86400 * USEC_PER_SEC);
        CHECK(l.memory_max >= 1 << 20 && l.tasks_max >= 4 && l.tasks_max <= 1 << 22);
        CHECK(l.cpu_weight <= 10000 && l.io_weight <= 10000);
        CHECK(l.output_max >= JOB_OUTPUT_MIN && l.output_max <= JOB_OUTPUT_MAX);
        for (char **path = l.writable_paths; path && *path; path++)
            CHECK(**path == '/' || (**path == '-' && (*path)[1] == '/'));
    }
}

/* Allowed is what no rule is named for. */
static unsigned count_allowed(const Policy *p) {
    unsigned n = 0;

    for (size_t i = 0; i < ELEMENTSOF(orders); i++) {
        const char *rule = NULL;
        bool allowed = policy_allows(p, &orders[i], &rule);

        CHECK(allowed == !rule);
        n += allowed;
    }
    return n;
}

/* NULL: it is void. */
static Policy *load(const uint8_t *data, size_t size) {
    _cleanup_free_ char *error = NULL;
    char path[FUZZ_PATH_SIZE];
    Policy *p = NULL;
    int fd, r;

    fd = fuzz_file(data, size, path);
    r = policy_load(path, NO_DIRECTORY, &p, &error);
    CHECK(r == 0 || r == -EINVAL);
    CHECK((r == 0) == (p != NULL) && (r == 0) == (error == NULL));
    CHECK(close(fd) == 0);
    return p;
}

/* What stands last is what counts, whatever stands before. */
static void check_last_word(const uint8_t *data, size_t size, unsigned n_allowed) {
    static const char deny[] = "\n[policy]\ndeny_commands = *\n",
                      any[] = "\n[limits]\ntasks_max = 7\n";
    _cleanup_free_ uint8_t *longer = malloc(size + sizeof(deny) + sizeof(any));
    _cleanup_(policy_freep) Policy *denies = NULL, *limits = NULL;

    CHECK(longer);
    if (size > 0)
        memcpy(longer, data, size);
    memcpy(longer + size, deny, sizeof(deny) - 1);
    denies = load(longer, size + sizeof(deny) - 1);
    CHECK(denies && count_allowed(denies) == 0);
    memcpy(longer + size, any, sizeof(any) - 1);
    limits = load(longer, size + sizeof(any) - 1);
    CHECK(limits && count_allowed(limits) == n_allowed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    _cleanup_(policy_freep) Policy *p = load(data, size);

    if (!p)
        return 0;
    check_limits(p);
    if (size + 64 < CONFIG_FILE_MAX)
        check_last_word(data, size, count_allowed(p));
    return 0;
}
