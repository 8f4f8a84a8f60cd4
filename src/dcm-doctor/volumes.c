/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-doctor/volumes.h"

#include <fcntl.h>

#include "basic/fd-util.h"
#include "basic/i18n.h"
#include "health/volume-problem.h"

static void report_array(const MdArray *a, Report *report) {
    if (!a->is_started)
        report_add(report, CHECK_VOLUMES, FINDING_WARNING,
                   _("the array %s was not started, because disks are missing; attach them, see "
                     "dcm-volume(8)"),
                   a->name);
    else if (a->n_missing > 0)
        report_add(report, CHECK_VOLUMES, FINDING_WARNING,
                   _("the array %s lacks %ju of its %ju disks; replace them (mdadm --add)"),
                   a->name, (uintmax_t)a->n_missing, (uintmax_t)a->n_disks);
}

static void report_problems(const VolumeProblems *p, Report *report) {
    for (size_t i = 0; i < p->arrays.n; i++)
        report_array(&p->arrays.arrays[i], report);
    for (size_t i = 0; i < p->mounts.n_points; i++)
        report_add(report, CHECK_VOLUMES, FINDING_WARNING,
                   _("%s is not mounted, though /etc/fstab has it; is the disk attached, and "
                     "unlocked?"),
                   p->mounts.points[i]);
    if (p->mounts.n > p->mounts.n_points)
        report_add(report, CHECK_VOLUMES, FINDING_WARNING, _("and %zu more"),
                   p->mounts.n - p->mounts.n_points);
}

int check_volumes(Report *report) {
    _cleanup_(volume_problems_done) VolumeProblems p = {};
    _cleanup_close_ int root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    int r = root_fd < 0 ? -errno : volume_problems_read(&p, root_fd);

    if (r == -ENOMEM)
        return r;
    if (r < 0)
        report_add(report, CHECK_VOLUMES, FINDING_SKIPPED, _("they cannot be looked at: %s"),
                   strerror(-r));
    else
        report_problems(&p, report);
    if (!report->done[CHECK_VOLUMES])
        report_add(report, CHECK_VOLUMES, FINDING_OK, "%s",
                   _("no array lacks disks, and all of /etc/fstab is mounted"));
    return 0;
}
