/* SPDX-License-Identifier: Apache-2.0 */
/* dcm-executord - starts jobs as transient units for the agent. Root's user id without any
 * capability, no network; activated by its bus name, exits when idle. */
#include <stdio.h>
#include <sys/stat.h>

#include "basic/bounds.h"
#include "basic/log.h"
#include "basic/option-table.h"
#include "dcm-executord/executord.h"
#include "dcm-executord/service.h"
#include "dcm-executord/stop.h"

#define IDLE_USEC_DEFAULT (30 * USEC_PER_SEC)
#define IDLE_SEC_MAX 86400ul

/* At least one second: if an executor exits before systemd has noticed its start, the next
 * activation waits in vain. */
static int parse_idle(const char *s, void *ret_usec) {
    char *end = NULL;
    unsigned long n;

    errno = 0;
    n = strtoul(s, &end, 10);
    if (errno != 0 || end == s || *end || n == 0 || n > IDLE_SEC_MAX)
        return log_error_errno(EINVAL, "--idle-sec= wants seconds, not %s", s);
    *(uint64_t *)ret_usec = n * USEC_PER_SEC;
    return 0;
}

static const Option options[] = {
    {"idle-sec", "SECONDS", 0, parse_idle, "exit after so long without a call", "30"},
    OPTION_VERSION,
    OPTION_HELP,
};

static const OptionTable option_table = {
    .program = "dcm-executord",
    .about = "Starts jobs for dcm-agentd. systemd starts it when it is called on the bus.",
    .options = options,
    .n_options = ELEMENTSOF(options),
};

/* A readable dcm-run lets jobs of one user forge each other's results, so its mode deserves a
 * warning. */
static void check_run_program(void) {
    static const char program[] = PKGLIBDIR "/dcm-run";
    struct stat st;

    if (stat(program, &st) >= 0 && (st.st_uid != 0 || (st.st_mode & (S_IRGRP | S_IROTH)) != 0))
        log_warning("Users other than root can read %s, so jobs of one user can forge each other's "
                    "results; make it root:root, mode 0711",
                    program);
}

int main(int argc, char **argv) {
    _cleanup_(executord_freep) Executord *m = NULL;
    uint64_t idle_usec = IDLE_USEC_DEFAULT;
    int r;

    log_set_identifier("dcm-executord");
    (void)umask(0); /* each file is made with its final mode */
    r = option_table_parse(&option_table, argc, argv, &idle_usec);
    if (r <= 0)
        return options_exit_status(r);
    check_run_program();
    r = executord_new(idle_usec, &m);
    if (r >= 0)
        r = service_attach(m);
    if (r < 0)
        return EXIT_FAILURE;
    r = executord_run(m);
    if (r < 0)
        log_error_errno(r, "The event loop failed: %m");
    stop_abandon(m);
    return r == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
