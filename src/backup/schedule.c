/* SPDX-License-Identifier: Apache-2.0 */
#include "backup/schedule.h"

#include <stdio.h>

#include "backup/problem.h"
#include "basic/bounds.h"

int schedule_check(const char *calendar, char **ret_problem) {
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                  " *-,./:~_+";

    if (isempty(calendar))
        return problem_set(ret_problem, "schedule is empty");
    if (strlen(calendar) > BACKUP_CALENDAR_MAX)
        return problem_set(ret_problem, "schedule is too long: at most %zu bytes",
                           BACKUP_CALENDAR_MAX);
    if (strspn(calendar, allowed) != strlen(calendar))
        return problem_set(ret_problem,
                           "schedule is no calendar event (systemd.time(7)), such as daily or "
                           "\"Mon..Fri 02:30\"");
    return 0;
}

void schedule_units_done(ScheduleUnits *u) {
    free(u->timer);
    free(u->service);
    *u = (ScheduleUnits){};
}

int schedule_make_units(const char *id, const char *calendar, unsigned delay_sec,
                        const char *sealed, const char *program, ScheduleUnits *ret) {
    ScheduleUnits u = {};

    if (asprintf(&u.timer,
                 "# SPDX-License-Identifier: Apache-2.0\n"
                 "# dcm-backup wrote this file; the command remove_schedule removes it.\n"
                 "[Unit]\n"
                 "Description=Schedule of the backup %s\n"
                 "Documentation=man:dcm-backup(8)\n"
                 "\n"
                 "[Timer]\n"
                 "OnCalendar=%s\n"
                 "RandomizedDelaySec=%us\n"
                 "AccuracySec=1s\n"
                 "Persistent=yes\n"
                 "\n"
                 "[Install]\n"
                 "WantedBy=timers.target\n",
                 id, calendar, delay_sec) < 0)
        return -ENOMEM;
    if (asprintf(&u.service,
                 "# SPDX-License-Identifier: Apache-2.0\n"
                 "# dcm-backup wrote this file; the command remove_schedule removes it.\n"
                 "[Unit]\n"
                 "Description=Backup %s\n"
                 "Documentation=man:dcm-backup(8)\n"
                 "Wants=network-online.target\n"
                 "After=network-online.target\n"
                 "RequiresMountsFor=/var/lib/dcm-backups\n"
                 "\n"
                 "[Service]\n"
                 "Type=oneshot\n"
                 "ExecStart=%s run-schedule %s\n"
                 "ExecStopPost=%s ended %s\n"
                 "LoadCredentialEncrypted=" SCHEDULE_CREDENTIAL ":%s\n"
                 "ProtectSystem=yes\n"
                 "PrivateTmp=yes\n"
                 "ProtectControlGroups=yes\n"
                 "Slice=dcm-jobs.slice\n"
                 "TimeoutStartSec=1d\n",
                 id, program, id, program, id, sealed) < 0) {
        free(u.timer);
        return -ENOMEM;
    }
    *ret = u;
    return 0;
}
