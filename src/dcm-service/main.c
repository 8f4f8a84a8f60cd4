/* SPDX-License-Identifier: Apache-2.0 */
/* dcm-service: installs, configures, starts, stops and locks services. The commands about services
 * run it (dcm-agent-commands(7)), and administrators may. */
#include <getopt.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/bounds.h"
#include "basic/fd-util.h"
#include "basic/log.h"
#include "basic/strv.h"
#include "cli/job-arguments.h"
#include "cli/verb-table.h"
#include "dcm-service/configure.h"
#include "dcm-service/control.h"
#include "dcm-service/hold.h"
#include "dcm-service/hook.h"
#include "dcm-service/install.h"
#include "dcm-service/lock.h"
#include "dcm-service/state.h"
#include "proto/text.h"

#define EXIT_USAGE 2
#define LOCK_MSEC_MIN 10000
#define HOLD_SEC_DEFAULT 900
#define EXIT_LOST 3                /* the services are not locked any more by that owner */
#define HOOK_SEC_MAX (23u * 3600u) /* a data set can be large */

typedef struct Call {
    Services services;
    struct json_object *arguments; /* of verbs that read them */
    char **operands;
} Call;

static void call_done(Call *c) {
    services_done(&c->services);
    (void)json_object_put(c->arguments);
}

/* --- replies -------------------------------------------------------------------------------- */

/* Prints a reply, which it takes; `r` is what came of making it. */
static int print_reply(struct json_object *reply, int r) {
    const char *text = r >= 0 ? json_to_text(reply, NULL) : NULL;

    if (!text || puts(text) == EOF || fflush(stdout) != 0)
        r = log_error_errno(r < 0 ? r : ENOMEM, "The reply cannot be printed: %m");
    (void)json_object_put(reply);
    return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int add_reply(struct json_object *reply, int return_code, const char *type,
                     struct json_object *object) {
    int r = reply ? json_add_int(reply, "return_code", return_code) : -ENOMEM;

    if (r >= 0)
        r = json_add_string(reply, "reply_type", type);
    if (r < 0) {
        (void)json_object_put(object);
        return r;
    }
    return json_add(reply, "reply_object", object);
}

static int reply_with(const char *type, struct json_object *object) {
    struct json_object *reply = json_object_new_object();

    return print_reply(reply, add_reply(reply, 0, type, object));
}

static struct json_object *new_text(const char *text, size_t size) {
    _cleanup_free_ char *valid = NULL;

    return utf8_replace_invalid(strempty(text), size, &valid) >= 0 ? json_object_new_string(valid)
                                                                   : NULL;
}

static int reply_failure(int return_code, const char *text, size_t size) {
    struct json_object *reply = json_object_new_object();
    int r = reply ? json_add_int(reply, "return_code", return_code) : -ENOMEM;

    if (r >= 0)
        r = json_add(reply, "message", new_text(text, size));
    return print_reply(reply, r);
}

/* --- verbs ---------------------------------------------------------------------------------- */

static int run_install(Call *c) {
    return service_install(&c->services, c->arguments);
}

static int run_configure(Call *c) {
    _cleanup_(program_result_done) ProgramResult result = {};

    if (service_configure(&c->services, c->arguments, &result) < 0)
        return EXIT_FAILURE;
    if (result.status != 0)
        return reply_failure(result.status, result.err, result.err_size);
    return reply_with("string", new_text(result.out, result.out_size));
}

static int run_start(Call *c) {
    const char *id = strempty(json_get_string(c->arguments, "serviceId"));
    int fd = -1;

    if (service_open(&c->services, id, &fd) < 0)
        return EXIT_FAILURE;
    (void)close(fd);
    return reply_with("int", json_object_new_int(service_start(&c->services, id)));
}

static int add_failure(struct json_object *list, const char *id) {
    _cleanup_free_ char *text = NULL;

    if (asprintf(&text, "%s:-1", id) < 0) {
        text = NULL;
        return -ENOMEM;
    }
    return json_object_array_add(list, new_text(text, strlen(text))) < 0 ? -ENOMEM : 0;
}

static int run_start_services(Call *c) {
    struct json_object *ids = json_get(c->arguments, "serviceIds");
    struct json_object *failures = json_object_new_array();
    int r = failures ? 0 : -ENOMEM;

    for (size_t i = 0; r >= 0 && i < (ids ? json_object_array_length(ids) : 0); i++) {
        const char *id = strempty(json_object_get_string(json_object_array_get_idx(ids, i)));

        if (service_start(&c->services, id) != 0)
            r = add_failure(failures, id);
    }
    if (r < 0) {
        (void)json_object_put(failures);
        return log_error_errno(r, "The reply cannot be made: %m");
    }
    return reply_with("string_array", failures);
}

static int run_stop(Call *c) {
    return service_stop(&c->services, strempty(json_get_string(c->arguments, "serviceId")));
}

static int run_state(Call *c) {
    const char *id = strempty(json_get_string(c->arguments, "serviceId"));
    _cleanup_free_ char *state = NULL, *problem = NULL;
    const int r = service_state(&c->services, id, &state, &problem);

    if (r >= 0)
        return reply_with("string", new_text(state, strlen(state)));
    return reply_failure(STATUS_FAILED, strempty(problem), strlen(strempty(problem)));
}

static int add_state(Call *c, const char *id, struct json_object *list) {
    _cleanup_free_ char *state = NULL, *problem = NULL;

    if (service_state(&c->services, id, &state, &problem) < 0 &&
        asprintf(&state, "UNKNOWN: %s", strempty(problem)) < 0) {
        state = NULL;
        return -ENOMEM;
    }
    if (json_object_array_add(list, new_text(id, strlen(id))) < 0 ||
        json_object_array_add(list, new_text(state, strlen(state))) < 0)
        return -ENOMEM;
    return 0;
}

static int run_states(Call *c) {
    _cleanup_(strv_freep) char **ids = NULL;
    struct json_object *list;
    int r;

    r = services_list(&c->services, &ids);
    if (r < 0)
        return log_error_errno(r, "The services cannot be listed: %m");
    list = json_object_new_array();
    r = list ? 0 : -ENOMEM;
    for (char **id = ids; r >= 0 && id && *id; id++)
        r = add_state(c, *id, list);
    if (r < 0) {
        (void)json_object_put(list);
        return log_error_errno(r, "The reply cannot be made: %m");
    }
    return reply_with("string_array", list);
}

static int run_database(Call *c, const char *hook, const char *secret) {
    _cleanup_(program_result_done) ProgramResult result = {};

    if (service_database(&c->services, c->arguments, hook, secret, &result) < 0)
        return EXIT_FAILURE;
    program_result_pass_on(&result);
    return result.status;
}

static int run_grant(Call *c) {
    return run_database(c, "dbgrant", "configuration");
}

static int run_revoke(Call *c) {
    return run_database(c, "dbrevoke", "configurationData");
}

static int run_lock(Call *c) {
    struct json_object *freeze = json_get(c->arguments, "fileSystems");
    LockOrder o = {.file_systems = freeze && json_object_get_boolean(freeze)};
    int64_t timeout, hold;

    if (json_to_integer(json_get(c->arguments, "timeout"), &timeout) < 0)
        timeout = LOCK_MSEC_MIN;
    if (json_to_integer(json_get(c->arguments, "hold"), &hold) < 0)
        hold = HOLD_SEC_DEFAULT;
    o.owner = json_get_string(c->arguments, "owner");
    o.timeout_msec = (uint64_t)MAX(timeout, LOCK_MSEC_MIN);
    o.hold_sec = (uint64_t)MAX(hold, 1);
    if (o.timeout_msec > SERVICE_LOCK_USEC_MAX / USEC_PER_MSEC ||
        o.hold_sec > SERVICE_LOCK_USEC_MAX / USEC_PER_SEC) {
        log_error("A lock may take, and be held, one day at most");
        return EXIT_FAILURE;
    }
    return lock_begin(&o) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int run_unlock(Call *c) {
    return lock_end() < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int run_release(Call *c) {
    const int r = lock_release(c->operands[0]);

    return r == -ENOENT || r == -ECANCELED ? EXIT_LOST : r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int run_hook(Call *c) {
    _cleanup_(program_result_done) ProgramResult result = {};
    const HookCall call = {.id = c->operands[0],
                           .name = c->operands[1],
                           .arguments = (const char *const *)c->operands + 2,
                           .stop_post = PKGLIBDIR "/dcm-backup clean",
                           .timeout_sec = HOOK_SEC_MAX};
    _cleanup_close_ int fd = -1;

    if (service_open(&c->services, call.id, &fd) < 0 || hook_run(&c->services, &call, &result) < 0)
        return EXIT_FAILURE;
    program_result_pass_on(&result);
    return result.status;
}

static int run_hold(Call *c) {
    HoldOrder o = {.file_systems = streq(c->operands[1], "yes")};
    char *end;

    o.timeout_msec = strtoull(c->operands[0], &end, 10);
    if (end == c->operands[0] || *end)
        return EXIT_USAGE;
    o.requester = (pid_t)strtol(c->operands[2], &end, 10);
    if (o.requester <= 0 || *end)
        return EXIT_USAGE;
    return hold_services(&c->services, &o);
}

static int run_thaw(Call *c) {
    return hold_clean();
}

/* --- the table ------------------------------------------------------------------------------ */

static const Verb verbs[] = {
    {"install", "", 0, 0, "do what install_service does", "install <request"},
    {"configure", "", 0, 0, "do what configure_service does", "configure <request"},
    {"start", "", 0, 0, "do what start_service does", "start <request"},
    {"start-services", "", 0, 0, "do what start_services does", "start-services <request"},
    {"stop", "", 0, 0, "do what stop_service does", "stop <request"},
    {"state", "", 0, 0, "do what get_service_state does", "state <request"},
    {"states", "", 0, 0, "do what get_service_states does", "states"},
    {"grant", "", 0, 0, "do what grant_database_access does", "grant <request"},
    {"revoke", "", 0, 0, "do what revoke_database_access does", "revoke <request"},
    {"lock", "", 0, 0, "do what lock does", "lock <request"},
    {"unlock", "", 0, 0, "do what unlock does", "unlock"},
    {"release", "OWNER", 1, 1, "unlock what was locked with this owner", "release backup-1"},
    {"hook", "ID NAME [ARGUMENT]...", 2, 8, "for dcm-backup: run the hook bin/enstratus-NAME",
     "hook a1 installds a1 /tmp/cfg /tmp/image"},
    {"hold", "MSEC yes|no PID", 3, 3, "the main process of dcm-services-lock.service",
     "hold 10000 no 4711"},
    {"thaw", "", 0, 0, "undo what hold has left", "thaw"},
};

/* The same order. Each returns an exit status, or a negative errno; what failed has been logged. */
static const struct {
    int (*run)(Call *);
    bool reads_arguments, needs_services;
} functions[] = {
    {run_install, true, true},        {run_configure, true, true}, {run_start, true, true},
    {run_start_services, true, true}, {run_stop, true, true},      {run_state, true, true},
    {run_states, false, true},        {run_grant, true, true},     {run_revoke, true, true},
    {run_lock, true, true},           {run_unlock, false, false},  {run_release, false, false},
    {run_hook, false, true},          {run_hold, false, true},     {run_thaw, false, false},
};

static const VerbTable verb_table = {
    .program = "dcm-service",
    .about = "Installs, configures, starts, stops and locks services. Arguments are a JSON object "
             "on\nstandard input, the reply is on standard output.",
    .verbs = verbs,
    .n_verbs = ELEMENTSOF(verbs),
    .options = (const Option[]){OPTION_VERSION, OPTION_HELP},
    .n_options = 2,
    .preset = -1,
    .notes = "Exit status: 0 done, 1 failed, 2 wrong usage, 10 no hook, 20 no image; else that of "
             "the hook.",
};

int main(int argc, char *argv[]) {
    _cleanup_(call_done) Call c = {.services = {.fd = -1}};
    size_t verb;
    int r;

    log_set_identifier("dcm-service");
    (void)umask(022);
    r = verb_table_parse(&verb_table, argc, argv, NULL, &verb);
    if (r <= 0)
        return r < 0 ? EXIT_USAGE : EXIT_SUCCESS;
    c.operands = argv + optind;
    if (functions[verb].needs_services && services_open(&c.services) < 0)
        return EXIT_FAILURE;
    if (functions[verb].reads_arguments && job_arguments_read(&c.arguments) < 0)
        return EXIT_FAILURE;
    r = functions[verb].run(&c);
    return r < 0 ? EXIT_FAILURE : r;
}
