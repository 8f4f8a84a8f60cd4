/* SPDX-License-Identifier: Apache-2.0 */
/* dcm-scrub: makes a machine, or the tree of one, ready to become an image: removes what is of this
 * one machine, so that each copy boots as a new one. For `dcm-agentctl scrub`, and by the name and
 * with the options of the Python agent's dcm-agent-scrubber.
 *
 *   plan ─▶ question ─▶ agent stops ─▶ plan again ─▶ rescue archive ─▶ removal ─▶ plan: nothing
 * left
 *
 * Each run begins with what is there, so that one that was killed is repeated. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "basic/fd-util.h"
#include "basic/log.h"
#include "basic/option-table.h"
#include "basic/strv.h"
#include "basic/terminal.h"
#include "dcm-scrub/bounds.h"
#include "dcm-scrub/host-keys.h"
#include "dcm-scrub/live.h"
#include "dcm-scrub/remove.h"
#include "dcm-scrub/rescue.h"
#include "dcm-scrub/seal.h"

#define FORMER_NAME "dcm-agent-scrubber"

typedef struct Mounts {
    char **list;
    size_t n;
} Mounts;

typedef struct Options {
    unsigned parts;
    const char *root, *own_job, *sealed;
    RescueTarget rescue;
    Mounts entered, left;
    bool is_sure, is_dry, is_verbose, is_running;
} Options;

/* --- the command line ----------------------------------------------------------------------- */

static int add_mount(const char *value, void *ret_member) {
    Mounts *m = ret_member;

    if (m->n >= MOUNTS_NAMED_MAX) {
        (void)fputs("Too many mount points are named\n", stderr);
        return -EINVAL;
    }
    return strv_push(&m->list, &m->n, strdup(value));
}

#define SELECTS(name, part)                                                                        \
    static int select_##name(const char *unused, void *ret_member) {                               \
        *(unsigned *)ret_member |= (part);                                                         \
        return 0;                                                                                  \
    }
SELECTS(token, PART_TOKEN)
SELECTS(agent, PART_AGENT)
SELECTS(host_keys, PART_HOST_KEYS)
SELECTS(ssh_keys, PART_SSH_KEYS)
SELECTS(authorized_keys, PART_AUTHORIZED_KEYS)
SELECTS(histories, PART_HISTORIES)
SELECTS(machine_id, PART_MACHINE_ID)
SELECTS(random_seed, PART_RANDOM_SEED)
SELECTS(journal, PART_JOURNAL)
SELECTS(logs, PART_LOGS)
SELECTS(leases, PART_LEASES)
SELECTS(cloud_init, PART_CLOUD_INIT)
SELECTS(configuration, PART_CONFIGURATION)
SELECTS(image, PART_PROVISIONED | PARTS_OF_AN_IMAGE)

#define PARTS(name) offsetof(Options, parts), select_##name

static const Option options[] = {
    {"dry-run", NULL, offsetof(Options, is_dry), option_set_flag,
     "show what would be removed, and change nothing", .letter = 'D'},
    {"yes", NULL, offsetof(Options, is_sure), option_set_flag, "ask nothing", .letter = 'b'},
    {"verbose", NULL, offsetof(Options, is_verbose), option_set_flag, "say each step",
     .letter = 'v'},
    {"rescue", "FILE", offsetof(Options, rescue.path), option_take_text,
     "first save what is removed, encrypted, in FILE", .letter = 'r'},
    {"recipient", "KEYS", offsetof(Options, rescue.keys), option_take_text,
     "the owner's public keys, of age or SSH: a file", .letter = 'e'},
    {"mount", "DIR", offsetof(Options, entered), add_mount,
     "also clean the file system that is mounted there"},
    {"leave", "DIR", offsetof(Options, left), add_mount, "leave that file system as it is"},
    {"root", "DIR", offsetof(Options, root), option_take_text,
     "clean this tree of another machine, not this one", "/"},
    {"running", NULL, offsetof(Options, is_running), option_set_flag,
     "leave the agent running, and keep its state", .letter = 'X'},
    {"own-job", "GUID", offsetof(Options, own_job), option_take_text, "this job may run meanwhile"},
    {"sealed", "WHEN", offsetof(Options, sealed), option_take_text,
     "carry out what clean_image has left, now or at boot; for systemd"},
    {"all", NULL, PARTS(image), "all that follows but the configuration (the default)"},
    {"token", NULL, PARTS(token), "the agent's token", .letter = 't'},
    {"agent", NULL, PARTS(agent), "its state: id, database, executed GUIDs, outputs, backups",
     .letter = 'A'},
    {"host-keys", NULL, PARTS(host_keys), "keys of the SSH server"},
    {"ssh-keys", NULL, PARTS(ssh_keys), "private keys of users", .letter = 'k'},
    {"authorized-keys", NULL, PARTS(authorized_keys), "keys that may log in", .letter = 'a'},
    {"histories", NULL, PARTS(histories), "histories of shells and editors", .letter = 'H'},
    {"machine-id", NULL, PARTS(machine_id), "id and key of the machine"},
    {"random-seed", NULL, PARTS(random_seed), "the saved random seed"},
    {"journal", NULL, PARTS(journal), "the journal"},
    {"logs", NULL, PARTS(logs), "other logs, records of logins", .letter = 'l'},
    {"leases", NULL, PARTS(leases), "leases of all DHCP clients", .letter = 'd'},
    {"cloud-init", NULL, PARTS(cloud_init), "what cloud-init knows of this server", .letter = 'c'},
    {"configuration", NULL, PARTS(configuration), "the agent's configuration"},
    OPTION_VERSION,
    {"help", .help = "print this help", .letter = 'h'},
};

static const OptionTable option_table = {
    .program = "dcm-agentctl scrub",
    .about = "Makes this machine ready to become an image: removes what belongs to this one\n"
             "machine, so that each copy boots as a new one with a new agent. For root.",
    .options = options,
    .n_options = ELEMENTSOF(options),
    .notes = "Exit status: 0 done, 1 failed, 2 wrong usage, 4 permission denied.",
};

/* The Python agent's program removed what its options name, and the marker always. */
static int complete(Options *o, const char *name) {
    if (o->parts == 0 && !streq(name, FORMER_NAME))
        o->parts = PARTS_OF_AN_IMAGE;
    o->parts |= PART_PROVISIONED;
    if (o->sealed && !streq(o->sealed, "now") && !streq(o->sealed, "boot")) {
        (void)fputs("--sealed is now or boot\n", stderr);
        return -EINVAL;
    }
    if (!o->rescue.path == !o->rescue.keys)
        return 0;
    (void)fputs("--rescue FILE and --recipient KEYS belong together: nothing is saved that is not "
                "encrypted\n",
                stderr);
    return -EINVAL;
}

/* --- looking -------------------------------------------------------------------------------- */

typedef struct Skipped {
    char **told; /* paths */
    size_t n_told, n_open;
} Skipped;

/* Several rules lead to the same place. */
static bool is_told(const Skipped *s, const char *path) {
    for (size_t i = 0; i < s->n_told; i++)
        if (streq(s->told[i], path))
            return true;
    return false;
}

static void on_skip(const char *path, const char *why, bool is_open, void *userdata) {
    Skipped *s = userdata;

    if (is_told(s, path))
        return;
    s->n_open += is_open;
    if (s->n_told < SKIPPED_MAX)
        (void)strv_push(&s->told, &s->n_told, strdup(path));
    terminal_printf(stderr, "not looked into: /%s %s\n", path, why);
}

static int look(const Options *o, const Beneath *b, Plan *ret) {
    Skipped *s = b->userdata;
    const int r = plan_make(b, o->parts, o->is_running, ret);

    if (r < 0) {
        terminal_printf(stderr, "The tree cannot be read: %s; nothing is removed\n", strerror(-r));
        return r;
    }
    if (s->n_open == 0)
        return 0;
    (void)fputs("Say for each of these file systems --mount=DIR, to have it cleaned too, or "
                "--leave=DIR; nothing is removed\n",
                stderr);
    return -EXDEV;
}

static bool is_this_machine(const Options *o) {
    return streq(o->root, "/");
}

static int ask(const Options *o) {
    char answer[16] = "";

    if (o->is_sure)
        return 0;
    if (!isatty(STDIN_FILENO)) {
        (void)fputs("Standard input is no terminal: give --yes; nothing is removed\n", stderr);
        return -EINVAL;
    }
    (void)printf("Remove all this for good? (yes or no) [no]: ");
    (void)fflush(stdout);
    if (fgets(answer, sizeof(answer), stdin) && strncasecmp(answer, "y", 1) == 0)
        return 0;
    (void)fputs("Nothing is removed.\n", stderr);
    return -ECANCELED;
}

/* --- doing ---------------------------------------------------------------------------------- */

static int settle(const Options *o) {
    if (!is_this_machine(o))
        return 0;
    if (!o->is_running)
        TRY(live_stop_agent());
    if (o->parts & PART_RANDOM_SEED)
        live_stop_seed();
    if (o->parts & PART_JOURNAL)
        live_stop_journal();
    return 0;
}

/* What was written meanwhile would be in the image. */
static int verify(const Options *o, const Beneath *b) {
    _cleanup_(plan_done) Plan left = {};
    size_t n = 0;

    TRY(look(o, b, &left));
    for (size_t i = 0; i < left.n; i++)
        if (!left.items[i].rule->is_emptied && ++n)
            terminal_printf(stderr, "/%s is there again or still\n", left.items[i].path);
    if (n == 0)
        return 0;
    (void)fputs("Not all is removed; see above, and repeat this\n", stderr);
    return -ENOTEMPTY;
}

static int find_file(const Visit *v, void *userdata) {
    const struct stat *st = userdata;

    return v->st->st_dev == st->st_dev && v->st->st_ino == st->st_ino ? -EEXIST : 0;
}

/* Of the archive as it is now: it may be in a directory that goes, or have the name of a log. */
static int check_rescue_stays(const Options *o, const Beneath *b) {
    _cleanup_(plan_done) Plan plan = {};
    struct stat st;
    int r = 0;

    if (stat(o->rescue.path, &st) < 0)
        return -errno;
    TRY(look(o, b, &plan));
    for (size_t i = 0; i < plan.n && r >= 0; i++)
        r = beneath_walk(b, plan.items[i].path, find_file, &st);
    if (r != -EEXIST)
        return r;
    terminal_printf(stderr,
                    "%s would be removed itself; save to another place; nothing is removed\n",
                    o->rescue.path);
    return unlink(o->rescue.path) < 0 ? -errno : -EINVAL;
}

static int save(const Options *o, const Beneath *b, const Plan *plan) {
    int r;

    if (!o->rescue.path || plan->n == 0)
        return 0;
    r = rescue_write(&o->rescue, b, plan);
    if (r >= 0)
        r = check_rescue_stays(o, b);
    if (r >= 0)
        terminal_printf(stdout, "%s has what is removed.\n", o->rescue.path);
    else if (is_this_machine(o) && !o->is_running)
        (void)fputs("The agent stays stopped; to start it: systemctl start dcm-agent\n", stderr);
    (void)fflush(stdout);
    return r;
}

static int arrange(const Beneath *b) {
    const int r = host_keys_arrange(b);

    if (r < 0)
        terminal_printf(stderr,
                        "dcm-host-keys.service, which makes new keys for the SSH server, "
                        "cannot be put into /etc/systemd/system: %s; nothing is removed\n",
                        strerror(-r));
    return r;
}

/* A job's rescue archive also has the token, which is removed later. */
static int save_first(const Options *o, const Beneath *b) {
    _cleanup_(plan_done) Plan plan = {};
    Options saved = *o;

    if (o->own_job)
        saved.parts |= PART_TOKEN;
    TRY(look(&saved, b, &plan));
    return save(o, b, &plan);
}

static int scrub(const Options *o, const Beneath *b) {
    _cleanup_(plan_done) Plan plan = {};
    int r;

    TRY(save_first(o, b));
    TRY(look(o, b, &plan));
    if (o->parts & PART_HOST_KEYS)
        TRY(arrange(b));
    r = remove_planned(b, &plan, o->is_verbose);
    (void)syncfs(b->root_fd);
    if (r < 0)
        return r;
    TRY(verify(o, b));
    (void)printf("Done.\n");
    if (is_this_machine(o) && !o->is_running && !o->sealed)
        (void)printf("Shut the machine down now, and make the image.\n");
    return 0;
}

static int work(const Options *o, const Beneath *b) {
    _cleanup_(plan_done) Plan plan = {};

    if (is_this_machine(o) && !o->is_dry)
        TRY(live_check_jobs(o->own_job));
    TRY(look(o, b, &plan));
    plan_print(&plan);
    if (o->is_dry)
        return 0;
    if (o->rescue.path)
        TRY(rescue_check(&o->rescue));
    TRY(ask(o));
    TRY(settle(o));
    return scrub(o, b);
}

/* --- what clean_image has left -------------------------------------------------------------- */

static char var[] = "/var", var_lib[] = "/var/lib", var_agent[] = "/var/lib/dcm-agent",
            var_jobs[] = "/var/lib/dcm-jobs", var_backups[] = "/var/lib/dcm-backups",
            tmp[] = "/tmp", former[] = "/dcm";
static char *places_of_the_agent[] = {var,         var_lib, var_agent, var_jobs,
                                      var_backups, tmp,     former,    NULL};

/* Jobs that were stopped with the agent may use their time of grace. */
static int wait_for_jobs(const Options *o) {
    if (!is_this_machine(o) || !streq(o->sealed, "now"))
        return 0;
    live_stop_jobs();
    return live_check_jobs(NULL);
}

/* All else is removed already. The order goes last, so that a run that was killed is repeated at
 * the next boot. */
static int carry_out(const Options *given, const Beneath *b) {
    Options o = *given;

    o.parts = PART_TOKEN | PART_AGENT;
    TRY(wait_for_jobs(&o));
    TRY(scrub(&o, b));
    return seal_remove_order(b);
}

static int seal(const Options *o, const Beneath *given) {
    Beneath b = *given;
    _cleanup_close_ int lock = -1;
    int r;

    b.entered = places_of_the_agent;
    r = seal_lock(&b, &lock);
    if (r > 0)
        r = seal_is_due(&b, o->sealed);
    if (r > 0)
        r = carry_out(o, &b);
    if (r < 0)
        terminal_printf(stderr,
                        "The agent does not start before its former identity is removed: %s; once "
                        "that can be done: systemctl start dcm-agent\n",
                        strerror(-r));
    return r;
}

static int run(const Options *o) {
    _cleanup_close_ int root_fd = open(o->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    Skipped skipped = {};
    const Beneath b = {.root_fd = root_fd,
                       .entered = o->entered.list,
                       .left = o->left.list,
                       .on_skip = on_skip,
                       .userdata = &skipped};
    int r;

    if (root_fd < 0) {
        r = -errno;
        terminal_printf(stderr, "%s cannot be opened: %s\n", o->root, strerror(-r));
        return r;
    }
    r = o->sealed ? seal(o, &b) : work(o, &b);
    strv_free(skipped.told);
    return r;
}

int main(int argc, char *argv[]) {
    const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
    const char *base = getenv("DCM_BASEDIR"); /* as in scripts */
    _cleanup_free_ char *script = beneath_join(base ?: PKGLIBDIR, "recovery.sh");
    Options o = {.root = "/", .rescue.script = script};
    int r;

    if (!script)
        return EXIT_FAILURE;

    log_set_identifier("dcm-scrub");
    (void)umask(077);
    (void)signal(SIGPIPE, SIG_IGN);
    r = option_table_parse(&option_table, argc, argv, &o);
    if (r > 0 && complete(&o, slash ? slash + 1 : argc > 0 ? argv[0] : "") < 0)
        r = -EINVAL;
    if (r > 0 && geteuid() != 0) {
        (void)fputs("Only root can do this\n", stderr);
        return 4;
    }
    if (r > 0)
        r = run(&o) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
    else
        r = options_exit_status(r);
    strv_free(o.entered.list);
    strv_free(o.left.list);
    return r;
}
