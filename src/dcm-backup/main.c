/* SPDX-License-Identifier: Apache-2.0 */
/* dcm-backup: backs up data sources, services and directories, and restores them. The commands
 * about backups run it (dcm-agent-commands(7)), and so do the timers of schedules. */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>

#include "backup/series-state.h"
#include "basic/log.h"
#include "cli/job-arguments.h"
#include "cli/verb-table.h"
#include "dcm-backup/backup.h"
#include "dcm-backup/begun.h"
#include "dcm-backup/guard.h"
#include "dcm-backup/hand-over.h"
#include "dcm-backup/inspect.h"
#include "dcm-backup/places.h"
#include "dcm-backup/repeat.h"
#include "dcm-backup/restore.h"
#include "dcm-backup/schedules.h"
#include "dcm-backup/status.h"

#define EXIT_BAD_USAGE 2

static const Option options[] = {
    OPTION_VERSION,
    OPTION_HELP,
};

/* --- commands ----------------------------------------------------------------------------------
 */

static int (*const functions[_BACKUP_COMMAND_MAX])(Work *w) = {
    [BACKUP_INSTALL_DATA_SOURCE] = restore_data_source,
    [BACKUP_BACKUP_DATA_SOURCE] = backup_run,
    [BACKUP_BACKUP_SERVICE] = backup_run,
    [BACKUP_BACKUP_PATHS] = backup_run,
    [BACKUP_RESTORE_DATA_SOURCE] = restore_data_source,
    [BACKUP_RESTORE_SERVICE] = restore_directory,
    [BACKUP_RESTORE_PATHS] = restore_directory,
    [BACKUP_VERIFY_BACKUP] = inspect_verify,
    [BACKUP_LIST_BACKUPS] = inspect_list,
    [BACKUP_LIST_SCHEDULES] = schedule_list,
    [BACKUP_REMOVE_SCHEDULE] = schedule_remove,
    [BACKUP_REMOVE_FORMER] = restore_remove_former,
};

static int clean(void) {
    const int r = hand_over_clean();

    return r < 0 ? log_error_errno(r, "What runs have left cannot be removed: %m") : 0;
}

static int run(BackupCommand command, struct json_object *arguments, bool is_scheduled,
               Reply *reply) {
    _cleanup_(work_done) Work w = {.lock_fd = -1};
    int r;

    r = work_init(&w, command, arguments, reply);
    w.is_scheduled = is_scheduled;
    if (r >= 0)
        r = places_read(&w);
    if (r >= 0)
        r = work_find_service(&w);
    (void)status_write(); /* runs that were killed count as failed; it has logged why not */
    (void)clean();
    if (r >= 0)
        r = functions[command](&w);
    (void)status_write();
    /* what is not in words yet */
    return r < 0 && !reply->error_message
               ? reply_set_error(reply, REPLY_FAILED, "failed", strerror(-r))
               : 0;
}

static int run_command(BackupCommand command) {
    _cleanup_json_ struct json_object *arguments = NULL;
    _cleanup_(reply_done) Reply reply = {.error_type = "backup_error"};
    int r;

    TRY(job_arguments_read(&arguments));
    r = run(command, arguments, false, &reply);
    if (r >= 0)
        r = reply_print(&reply);
    return r < 0 ? log_error_errno(r, "The command has failed: %m") : reply.status;
}

/* --- schedules ---------------------------------------------------------------------------------
 */

static int run_schedule(const char *id) {
    _cleanup_json_ struct json_object *arguments = NULL;
    _cleanup_(reply_done) Reply reply = {};
    BackupCommand command = _BACKUP_COMMAND_INVALID;
    int r;

    if (repeat_is_needless(id))
        return 0; /* it has logged why */
    TRY(schedule_read_request(&command, &arguments));
    r = run(command, arguments, true, &reply);
    if (r < 0)
        return log_error_errno(r, "The backup %s has failed: %m", id);
    if (reply.error_message) {
        log_error("The backup %s has failed: %s", id, reply.error_message);
        (void)begun_note(id,
                         reply.error_message); /* it has logged why not; the status comes last */
    } else
        log_info("The backup %s was made", id); /* what hooks put out stays out of the journal */
    return reply.status;
}

static int ended(const char *id) {
    (void)begun_note(id, NULL); /* it has logged why not */
    begun_forget();
    (void)clean();
    return status_write();
}

static int refresh(void) {
    (void)clean(); /* it has logged why not */
    return status_write();
}

/* --- verbs -------------------------------------------------------------------------------------
 */

enum {
    VERB_RUN_SCHEDULE = _BACKUP_COMMAND_MAX,
    VERB_ENDED,
    VERB_REFRESH,
    VERB_WATCH,
    VERB_RELEASE,
    VERB_CLEAN,
    VERB_SWEEP,
    _VERB_MAX
};

static const Verb verbs[_VERB_MAX] = {
    [BACKUP_INSTALL_DATA_SOURCE] = {"install_data_source", "", 0, 0,
                                    "get an object and hand it to the service's hook",
                                    "install_data_source <request"},
    [BACKUP_BACKUP_DATA_SOURCE] = {"backup_data_source", "", 0, 0,
                                   "back up what the service's hook writes",
                                   "backup_data_source <request"},
    [BACKUP_BACKUP_SERVICE] = {"backup_service", "", 0, 0, "back up a service's directory",
                               "backup_service <request"},
    [BACKUP_BACKUP_PATHS] = {"backup_paths", "", 0, 0, "back up directories",
                             "backup_paths <request"},
    [BACKUP_RESTORE_DATA_SOURCE] = {"restore_data_source", "", 0, 0,
                                    "hand a backup to the service's hook",
                                    "restore_data_source <request"},
    [BACKUP_RESTORE_SERVICE] = {"restore_service", "", 0, 0, "restore a service's directory",
                                "restore_service <request"},
    [BACKUP_RESTORE_PATHS] = {"restore_paths", "", 0, 0, "restore directories",
                              "restore_paths <request"},
    [BACKUP_VERIFY_BACKUP] = {"verify_backup", "", 0, 0, "read a backup and compare its hash",
                              "verify_backup <request"},
    [BACKUP_LIST_BACKUPS] = {"list_backups", "", 0, 0, "list backups", "list_backups <request"},
    [BACKUP_LIST_SCHEDULES] = {"list_schedules", "", 0, 0, "list schedules",
                               "list_schedules <request"},
    [BACKUP_REMOVE_SCHEDULE] = {"remove_schedule", "", 0, 0, "remove a schedule",
                                "remove_schedule <request"},
    [BACKUP_REMOVE_FORMER] = {"remove_former", "", 0, 0, "remove what a restore has replaced",
                              "remove_former <request"},
    [VERB_RUN_SCHEDULE] = {"run-schedule", "NAME", 1, 1, "for the unit of a schedule: back up",
                           "run-schedule paths-etc"},
    [VERB_ENDED] = {"ended", "NAME", 1, 1,
                    "for the unit of a schedule: note a run that did not begin, and refresh",
                    "ended paths-etc"},
    [VERB_REFRESH] = {"refresh", "", 0, 0, "bring /" SERIES_STATE_FILE " up to date", "refresh"},
    [VERB_WATCH] = {"watch", "NAME", 1, 1, "for a unit that releases: wait for the end of a backup",
                    "watch 20261201.020000.000000-0a1b2c3d"},
    [VERB_RELEASE] = {"release", "NAME", 1, 1, "for such a unit: undo what a backup holds",
                      "release 20261201.020000.000000-0a1b2c3d"},
    [VERB_CLEAN] = {"clean", "", 0, 0, "remove files that runs have left which were killed",
                    "clean"},
    [VERB_SWEEP] = {"sweep", "NAME", 1, 1,
                    "for a unit: wait for the end of a run, and remove what it has handed to hooks",
                    "sweep a1B2c3"},
};

static const VerbTable verb_table = {
    .program = "dcm-backup",
    .about = "Backs up data sources, services and directories, and restores them. Arguments of a\n"
             "command are a JSON object on standard input, the reply is one on standard output.",
    .verbs = verbs,
    .n_verbs = _VERB_MAX,
    .options = options,
    .n_options = ELEMENTSOF(options),
    .preset = -1,
    .notes = "Exit status: 0 done, 1 failed, 2 wrong usage.",
};

static int run_verb(size_t verb, const char *operand) {
    switch (verb) {
    case VERB_RUN_SCHEDULE:
        return run_schedule(operand);
    case VERB_ENDED:
        return ended(operand);
    case VERB_REFRESH:
        return refresh();
    case VERB_WATCH:
        return guard_watch(operand);
    case VERB_RELEASE:
        return guard_release(operand);
    case VERB_CLEAN:
        return clean();
    case VERB_SWEEP:
        return hand_over_sweep(operand);
    default:
        return run_command((BackupCommand)verb);
    }
}

int main(int argc, char *argv[]) {
    size_t verb;
    int r;

    log_set_identifier("dcm-backup");
    r = verb_table_parse(&verb_table, argc, argv, NULL, &verb);
    if (r <= 0)
        return r < 0 ? EXIT_BAD_USAGE : EXIT_SUCCESS;
    (void)signal(SIGPIPE, SIG_IGN);
    (void)umask(022);
    r = run_verb(verb, argv[optind]);
    return r < 0 ? EXIT_FAILURE : r;
}
