/* SPDX-License-Identifier: Apache-2.0 */
/* dcm-migrate: takes over what the Python agent's database has. For dcm-agentctl migrate, which
 * gives it copies of both databases. */
#include <getopt.h>
#include <stdio.h>

#include "basic/log.h"
#include "basic/option-table.h"
#include "dcm-migrate/alerts.h"
#include "dcm-migrate/requests.h"

typedef struct Options {
    const char *former, *store, *injected_id;
    bool alerts, has_id;
} Options;

#define MEMBER(member) offsetof(Options, member)

static const Option options[] = {
    {"former", "FILE", MEMBER(former), option_take_text, "a copy of the former database"},
    {"store", "FILE", MEMBER(store), option_take_text, "the database that takes it"},
    {"alerts", NULL, MEMBER(alerts), option_set_flag, "standard input is the alert file"},
    {"injected-id", "ID", MEMBER(injected_id), option_take_text, "the id of the launch"},
    {"has-id", NULL, MEMBER(has_id), option_set_flag,
     "only say by the exit status whether the database has an agent id: 0, or 1"},
    OPTION_VERSION,
    OPTION_HELP,
};

static const OptionTable option_table = {
    .program = "dcm-migrate",
    .operands = "[ADMINISTRATOR...]",
    .about = "Takes over what the Python agent's database has; for dcm-agentctl migrate.",
    .options = options,
    .n_options = ELEMENTSOF(options),
    .notes = "Exit status: 0 done, 1 failed, 2 wrong usage, 3 done, but the former database is "
             "damaged.",
};

static int take(const Options *o, Former *former, Store *store, char *const administrators[]) {
    int r = requests_take(former, store, administrators);

    if (r < 0)
        return r;
    if (former && o->alerts)
        TRY(alerts_take(former, store));
    if (o->injected_id) {
        TRY(store_set_meta(store, STORE_META_INJECTED_ID, o->injected_id));
        (void)printf("injected id\n");
    }
    return r;
}

static int has_id(const char *path) {
    _cleanup_(store_closep) Store *store = NULL;
    _cleanup_free_ char *id = NULL;
    int r;

    r = store_open(path, &store);
    if (r >= 0)
        r = store_get_meta(store, STORE_META_AGENT_ID, &id);
    if (r < 0)
        return log_error_errno(r, "%s cannot be read: %m", path);
    return id != NULL;
}

static int migrate(const Options *o, char *const administrators[]) {
    _cleanup_(former_closep) Former *former = NULL;
    _cleanup_(store_closep) Store *store = NULL;
    bool is_damaged = false;
    int r, k;

    if (o->former) {
        r = former_open(o->former, &former);
        if (r == -EUCLEAN)
            (void)printf("the former database is damaged: nothing of it can be read\n");
        else if (r < 0)
            return log_error_errno(r, "%s cannot be read: %m", o->former);
        is_damaged = r < 0;
    }
    r = store_open(o->store, &store);
    if (r >= 0)
        r = store_begin(store);
    if (r < 0)
        return log_error_errno(r, "%s cannot be written: %m", o->store);
    r = take(o, former, store, administrators);
    is_damaged = is_damaged || r == 0;
    k = store_finish(store, MIN(r, 0));
    if (k < 0)
        return log_error_errno(k, "What the former database has cannot be stored: %m");
    return is_damaged;
}

int main(int argc, char *argv[]) {
    Options o = {};
    int r;

    log_set_level(LOG_WARNING);
    r = option_table_parse(&option_table, argc, argv, &o);
    if (r <= 0)
        return options_exit_status(r);
    if (!o.store) {
        (void)fprintf(stderr, "Give --store\n");
        return 2;
    }
    if (o.has_id) {
        r = has_id(o.store);
        return r > 0 ? EXIT_SUCCESS : r == 0 ? 1 : 2;
    }
    r = migrate(&o, argv + optind);
    if (r < 0 || fflush(stdout) != 0)
        return EXIT_FAILURE;
    return r > 0 ? 3 : 0;
}
