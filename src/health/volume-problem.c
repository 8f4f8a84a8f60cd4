/* SPDX-License-Identifier: Apache-2.0 */
#include "health/volume-problem.h"

#include <inttypes.h>
#include <stdio.h>

#include "basic/strv.h"

int volume_problems_read(VolumeProblems *p, int root_fd) {
    TRY(md_array_table_read(&p->arrays, root_fd));
    return missing_mounts_read(&p->mounts, root_fd);
}

void volume_problems_done(VolumeProblems *p) {
    md_array_table_done(&p->arrays);
    missing_mounts_done(&p->mounts);
}

bool md_array_has_problem(const MdArray *a) {
    return !a->is_started || a->n_missing > 0;
}

static int describe_array(const MdArray *a, char **ret) {
    int n = a->is_started
                ? asprintf(ret, "the array %s lacks %" PRIu64 " of its %" PRIu64 " disks", a->name,
                           a->n_missing, a->n_disks)
                : asprintf(ret, "the array %s was not started, because disks are missing", a->name);

    return n < 0 ? -ENOMEM : 0;
}

static int describe_mount(const char *point, char **ret) {
    return asprintf(ret, "%s is not mounted, though fstab has it", point) < 0 ? -ENOMEM : 0;
}

int volume_problems_describe(const VolumeProblems *p, char ***ret) {
    _cleanup_(strv_freep) char **texts = calloc(1, sizeof(char *));
    size_t n = 0;
    char *text;

    if (!texts)
        return -ENOMEM;
    for (size_t i = 0; i < p->arrays.n; i++)
        if (md_array_has_problem(&p->arrays.arrays[i])) {
            TRY(describe_array(&p->arrays.arrays[i], &text));
            TRY(strv_push(&texts, &n, text));
        }
    for (size_t i = 0; i < p->mounts.n_points; i++) {
        TRY(describe_mount(p->mounts.points[i], &text));
        TRY(strv_push(&texts, &n, text));
    }
    *ret = TAKE_PTR(texts);
    return 0;
}
