/* SPDX-License-Identifier: Apache-2.0 */
/* dcm-volume: looks at the disks of this machine. The commands about volumes run it
 * (dcm-agent-commands(7)), and administrators may. */
#include <stdio.h>

#include "basic/log.h"
#include "cli/verb-table.h"
#include "dcm-volume/list.h"
#include "dcm-volume/look.h"
#include "dcm-volume/settings.h"

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

static int run_list(void) {
    _cleanup_(facts_done) Facts f = {};
    _cleanup_json_ struct json_object *reply = json_object_new_object(), *devices = NULL;
    _cleanup_free_ char *mount_point = NULL;
    int r;

    TRY(settings_mount_point(&mount_point));
    r = look_gather_passive(&f);
    if (r >= 0)
        r = list_devices(&f, mount_point, &devices);
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

static const Verb verbs[] = {
    {"list", "", 0, 0, "print the reply of the command list_devices", "list"},
    {"facts", "", 0, 0, "print all that is known of disks, mounts and tables, as JSON", "facts"},
};

/* The same order. Each returns an exit status, or a negative errno that it has logged. */
static int (*const functions[])(void) = {run_list, run_facts};

static const VerbTable verb_table = {
    .program = "dcm-volume",
    .about = "Looks at the disks of this machine.",
    .verbs = verbs,
    .n_verbs = ELEMENTSOF(verbs),
    .options = options,
    .n_options = ELEMENTSOF(options),
    .preset = -1,
    .notes = "Exit status: 0 done, 1 failed, 2 wrong usage.",
};

int main(int argc, char *argv[]) {
    size_t verb;
    int r;

    log_set_identifier("dcm-volume");
    r = verb_table_parse(&verb_table, argc, argv, NULL, &verb);
    if (r <= 0)
        return r < 0 ? 2 : EXIT_SUCCESS;
    r = functions[verb]();
    return r < 0 ? EXIT_FAILURE : r;
}
