/* SPDX-License-Identifier: Apache-2.0 */
/* dcm-volume: looks at the disks of this machine, and makes, mounts and unmounts volumes. The
 * commands about volumes run it (dcm-agent-commands(7)), and administrators may. */
#include <stdio.h>

#include "basic/log.h"
#include "cli/job-arguments.h"
#include "cli/verb-table.h"
#include "dcm-volume/apply.h"
#include "dcm-volume/disks.h"
#include "dcm-volume/list.h"
#include "dcm-volume/look.h"
#include "dcm-volume/remove.h"
#include "site/storage.h"
#include "volume/request.h"

static const Option options[] = {
    OPTION_VERSION,
    OPTION_HELP,
};

static int print(struct json_object *o) {
    const char *text = json_to_text(o, NULL);

    if (!text)
        return log_error_errno(-ENOMEM, "The result cannot be printed: %m");
    if (puts(text) == EOF || fflush(stdout) != 0)
        return log_error_errno(errno, "The result cannot be printed: %m");
    return EXIT_SUCCESS;
}

static int look_failed(int r) {
    return log_error_errno(r, "The disks of this machine cannot be listed: %m");
}

static int list(struct json_object **ret) {
    _cleanup_(facts_done) Facts f = {};
    _cleanup_free_ char *mount_point = NULL;

    TRY(storage_get_mount_point(&mount_point));
    TRY(look_gather_passive(&f));
    return list_devices(&f, mount_point, ret);
}

static int run_disks(void) {
    _cleanup_json_ struct json_object *devices = NULL;
    int r = list(&devices);

    return r < 0 ? look_failed(r) : disks_print(devices);
}

static int run_list(void) {
    _cleanup_json_ struct json_object *reply = json_object_new_object(), *devices = NULL;
    int r = list(&devices);

    if (r >= 0 && !reply)
        r = -ENOMEM;
    if (r >= 0)
        r = json_add_string(reply, "reply_type", "device_mapping_array");
    if (r >= 0)
        r = json_add(reply, "reply_object", TAKE_PTR(devices));
    return r < 0 ? look_failed(r) : print(reply);
}

static int run_facts(void) {
    _cleanup_(facts_done) Facts f = {};
    _cleanup_json_ struct json_object *o = NULL;
    int r;

    r = look_gather(NULL, &f);
    if (r >= 0)
        r = facts_to_json(&f, &o);
    return r < 0 ? look_failed(r) : print(o);
}

/* --- what changes something ----------------------------------------------------------------- */

static int run_command(int (*command)(struct json_object *arguments, bool dry_run, Reply *reply),
                       bool dry_run) {
    _cleanup_json_ struct json_object *arguments = NULL;
    _cleanup_(reply_done) Reply reply = {.error_type = "volume_error"};
    _cleanup_free_ char *problem = NULL;
    bool asked = false;
    int r;

    TRY(job_arguments_read(&arguments));
    r = volume_request_dry_run(arguments, &asked, &problem);
    if (r >= 0)
        r = command(arguments, dry_run || asked || !isempty(getenv("DCM_DRY_RUN")), &reply);
    else if (problem)
        r = reply_set_error(&reply, REPLY_FAILED, "bad-argument", problem);
    if (r >= 0)
        r = reply_print(&reply);
    return r < 0 ? log_error_errno(r, "The command has failed: %m") : reply.status;
}

static int run_plan_verb(void) {
    return run_command(volume_apply, true);
}

static int run_apply(void) {
    return run_command(volume_apply, false);
}

static int run_remove(void) {
    return run_command(volume_remove, false);
}

static int run_grow(void) {
    return run_command(volume_grow, false);
}

static const Verb verbs[] = {
    {"disks", "", 0, 0, "show disks, arrays and mounts, for people", "disks"},
    {"list", "", 0, 0, "print the reply of the command list_devices", "list"},
    {"facts", "", 0, 0, "print all that is known of disks, mounts and tables, as JSON", "facts"},
    {"plan", "", 0, 0, "print what apply would do", "plan <request"},
    {"apply", "", 0, 0, "do what mount_volume does", "apply <request"},
    {"remove", "", 0, 0, "do what unmount_volume does", "remove <request"},
    {"grow", "", 0, 0, "do what resize_volume does", "grow <request"},
};

/* The same order. Each returns an exit status, or a negative errno that it has logged. */
static int (*const functions[])(void) = {run_disks, run_list,   run_facts, run_plan_verb,
                                         run_apply, run_remove, run_grow};

static const VerbTable verb_table = {
    .program = "dcm-volume",
    .about =
        "Lists the disks of this machine, and makes, mounts and unmounts volumes. Arguments are a\n"
        "JSON object on standard input, the reply is one on standard output.",
    .verbs = verbs,
    .n_verbs = ELEMENTSOF(verbs),
    .options = options,
    .n_options = ELEMENTSOF(options),
    .preset = -1,
    .notes = "Exit status: 0 done, 1 failed, 2 wrong usage, 3 refused.",
};

int main(int argc, char *argv[]) {
    size_t verb;
    int r;

    log_set_identifier("dcm-volume");
    r = verb_table_parse(&verb_table, argc, argv, NULL, &verb);
    if (r <= 0)
        return options_exit_status(r);
    r = functions[verb]();
    return r < 0 ? EXIT_FAILURE : r;
}
