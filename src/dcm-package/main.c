/* SPDX-License-Identifier: Apache-2.0 */
/* dcm-package: lists, installs, updates and removes packages by the package manager of this
 * distribution. The commands about packages run it (dcm-agent-commands(7)), and administrators may.
 */
#include "basic/log.h"
#include "cli/job-arguments.h"
#include "cli/verb-table.h"
#include "dcm-package/choose.h"
#include "dcm-package/look.h"
#include "dcm-package/modify.h"
#include "dcm-package/repositories.h"
#include "dcm-package/tool.h"
#include "dcm-package/write-out.h"

static const Option options[] = {
    OPTION_VERSION,
    OPTION_HELP,
};

static const Verb verbs[] = {
    {"list", "", 0, 0, "do what list_packages does", "list <request"},
    {"updates", "", 0, 0, "do what list_updates does", "updates <request"},
    {"install", "", 0, 0, "do what install_packages does", "install <request"},
    {"remove", "", 0, 0, "do what remove_packages does", "remove <request"},
    {"update", "", 0, 0, "do what update_packages does", "update <request"},
    {"hold", "", 0, 0, "do what hold_packages does", "hold <request"},
    {"reboot-required", "", 0, 0, "do what reboot_required does", "reboot-required"},
    {"add-repository", "", 0, 0, "do what add_repository does", "add-repository <request"},
    {"remove-repository", "", 0, 0, "do what remove_repository does", "remove-repository <request"},
    {"install-tools", "", 0, 0, "install, if install_missing_tools of policy.conf(5) allows it",
     "install-tools <request"},
};

/* The same order, as far as it goes: PackageVerb. */
static int (*const functions[_PACKAGE_VERB_MAX])(Work *w) = {
    look_packages, look_updates, modify_install, modify_remove, modify_update, modify_hold};

#define VERB_REBOOT ((size_t)_PACKAGE_VERB_MAX)
#define VERB_ADD (VERB_REBOOT + 1)
#define VERB_TOOLS (VERB_REBOOT + 3)

static const VerbTable verb_table = {
    .program = "dcm-package",
    .about = "Lists, installs, updates and removes packages by the package manager of this\n"
             "distribution. Arguments are a JSON object on standard input, the reply is one on\n"
             "standard output.",
    .verbs = verbs,
    .n_verbs = ELEMENTSOF(verbs),
    .options = options,
    .n_options = ELEMENTSOF(options),
    .preset = -1,
    .notes = "Exit status: 0 done, 1 failed, 2 wrong usage, 3 refused.",
};

static int run_request(Work *w, PackageVerb verb, struct json_object *arguments) {
    _cleanup_free_ char *problem = NULL;
    int r = package_request_parse(arguments, verb, w->backend->family, &w->request, &problem);

    if (r == -EINVAL)
        return work_fail(w, REPLY_FAILED, "bad-argument", "%s", strempty(problem));
    TRY(r);
    w->request.dry_run = w->request.dry_run || !isempty(getenv("DCM_DRY_RUN"));
    return functions[verb](w);
}

/* For programs that call this one because they lack another. */
static int install_tools(Work *w, struct json_object *arguments) {
    return policy_installs_tools(w->policy)
               ? run_request(w, PACKAGE_INSTALL, arguments)
               : work_fail(w, REPLY_REFUSED, "policy",
                           "Missing programs are installed only if policy.conf(5) allows it "
                           "(install_missing_tools); nothing was changed");
}

static int run(Work *w, size_t verb, Reply *reply) {
    _cleanup_json_ struct json_object *arguments = NULL;

    if (verb != VERB_REBOOT)
        TRY(job_arguments_read(&arguments));
    TRY(tool_begin());
    TRY(work_init(w, reply));
    TRY(choose_backend(w));
    if (verb == VERB_REBOOT)
        return look_reboot(w);
    if (verb < VERB_REBOOT)
        return run_request(w, (PackageVerb)verb, arguments);
    if (verb == VERB_TOOLS)
        return install_tools(w, arguments);
    return verb == VERB_ADD ? repositories_add(w, arguments) : repositories_remove(w, arguments);
}

int main(int argc, char *argv[]) {
    _cleanup_(reply_done) Reply reply = {.error_type = "package_error"};
    _cleanup_(work_done) Work w = {.own_lock_fd = -1};
    size_t verb;
    int r;

    log_set_identifier("dcm-package");
    r = verb_table_parse(&verb_table, argc, argv, NULL, &verb);
    if (r <= 0)
        return options_exit_status(r);
    r = run(&w, verb, &reply);
    if (verb != PACKAGE_LIST && verb != VERB_REBOOT)
        write_out();
    if (r >= 0 || (r == -EINVAL && reply.error_message))
        r = reply_print(&reply);
    if (r < 0) {
        (void)log_error_errno(r, "The command has failed: %m");
        return EXIT_FAILURE;
    }
    return reply.status;
}
