/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-configure/settle.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/types.h>
#include <systemd/sd-login.h>
#include <unistd.h>

#include "basic/bounds.h"
#include "basic/fd-util.h"
#include "basic/file-util.h"
#include "basic/log.h"
#include "basic/time-util.h"

#define UNIT "dcm-configure-"
#define PROCS_MAX ((size_t)1024 * 1024)
#define STAT_MAX ((size_t)4096)
#define LOOK_USEC (250 * USEC_PER_MSEC)
#define PACKAGES_USEC (28 * 60 * USEC_PER_SEC) /* of the 30 minutes that the unit has */
#define END_USEC (60 * USEC_PER_SEC)

/* Who has one of these changes packages. */
static const char *const databases[] = {
    "/var/lib/dpkg/lock-frontend",
    "/var/lib/dpkg/lock",
    "/var/lib/rpm/.rpm.lock",
    "/usr/lib/sysimage/rpm/.rpm.lock",
};

typedef struct Process {
    pid_t pid, parent;
    char state; /* as in proc(5) */
    bool works; /* with packages, or for who does */
} Process;

typedef struct Group {
    char path[512];
    Process *items;
    size_t n;
} Group;

static void group_done(Group *g) {
    free(g->items);
}

/* --- the processes of the unit -------------------------------------------------------------- */

/* False: it has ended. The name, in parentheses, may have any characters. */
static bool read_process(pid_t pid, Process *ret) {
    _cleanup_free_ char *text = NULL;
    const char *end;
    char path[64], state;
    int parent;

    (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    if (read_file_at(AT_FDCWD, path, STAT_MAX, &text, NULL) < 0)
        return false;
    end = strrchr(text, ')');
    if (!end || sscanf(end + 1, " %c %d", &state, &parent) != 2 || state == 'Z')
        return false;
    *ret = (Process){.pid = pid, .parent = parent, .state = state};
    return true;
}

static int group_read(Group *g) {
    _cleanup_free_ char *text = NULL;
    size_t n_lines = 0;

    TRY(read_file_at(AT_FDCWD, g->path, PROCS_MAX, &text, NULL));
    for (const char *c = text; *c; c++)
        n_lines += *c == '\n';
    free(g->items);
    g->n = 0;
    g->items = calloc(n_lines + 1, sizeof(*g->items));
    if (!g->items)
        return -ENOMEM;
    for (char *line = text; *line && g->n < n_lines;) {
        const pid_t pid = (pid_t)strtol(line, &line, 10);

        if (pid > 0 && pid != getpid() && read_process(pid, &g->items[g->n]))
            g->n++;
        line += strcspn(line, "\n");
        line += *line != 0;
    }
    return 0;
}

/* Not the session of somebody who calls this. */
static int check_unit(void) {
    _cleanup_free_ char *unit = NULL;

    if (sd_pid_get_unit(0, &unit) >= 0 && strncmp(unit, UNIT, strlen(UNIT)) == 0)
        return 0;
    (void)log_error_errno(EPERM,
                          "settle is for the units " UNIT "* alone, whose processes it ends");
    return -EPERM;
}

static int group_init(Group *g) {
    _cleanup_free_ char *cgroup = NULL;

    TRY(sd_pid_get_cgroup(0, &cgroup));
    if ((size_t)snprintf(g->path, sizeof(g->path), "/sys/fs/cgroup%s/cgroup.procs", cgroup) >=
        sizeof(g->path))
        return -ENAMETOOLONG;
    return 0;
}

/* --- who works with packages ---------------------------------------------------------------- */

/* 0: nobody has it. */
static pid_t find_holder(const char *path) {
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    _cleanup_close_ int fd = open(path, O_RDWR | O_CLOEXEC);

    return fd >= 0 && fcntl(fd, F_GETLK, &lock) >= 0 && lock.l_type != F_UNLCK ? lock.l_pid : 0;
}

static Process *find(const Group *g, pid_t pid) {
    for (size_t i = 0; i < g->n; i++)
        if (g->items[i].pid == pid)
            return &g->items[i];
    return NULL;
}

/* Who works, and all that they have started. True: somebody does. */
static bool mark(Group *g) {
    bool any = false, more = true;

    for (size_t i = 0; i < ELEMENTSOF(databases); i++) {
        Process *p = find(g, find_holder(databases[i]));

        any = any || p;
        if (p)
            p->works = true;
    }
    while (more) {
        more = false;
        for (size_t i = 0; i < g->n; i++) {
            const Process *parent = find(g, g->items[i].parent);

            if (!g->items[i].works && parent && parent->works)
                g->items[i].works = more = true;
        }
    }
    return any;
}

/* True: some were not halted before, so others may have begun meanwhile. */
static bool halt(const Group *g) {
    bool any = false;

    for (size_t i = 0; i < g->n; i++) {
        const Process *p = &g->items[i];

        if (p->works && p->state == 'T')
            (void)kill(p->pid, SIGCONT); /* it took the lock on the way to its halt */
        else if (!p->works && !strchr("TtD", p->state)) {
            (void)kill(p->pid, SIGSTOP);
            any = true;
        }
    }
    return any;
}

/* --- what nobody reads any more ------------------------------------------------------------- */

static bool is_reader(pid_t pid, const char *fd) {
    _cleanup_free_ char *text = NULL;
    const char *flags;
    char path[96];

    (void)snprintf(path, sizeof(path), "/proc/%d/fdinfo/%.20s", (int)pid, fd);
    if (read_file_at(AT_FDCWD, path, STAT_MAX, &text, NULL) < 0)
        return false;
    flags = strstr(text, "flags:");
    return flags && (strtoul(flags + strlen("flags:"), NULL, 8) & O_ACCMODE) == O_RDONLY;
}

static void drain_pipe(const char *path) {
    _cleanup_close_ int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    char data[16384];

    while (fd >= 0 && read(fd, data, sizeof(data)) > 0)
        ;
}

static void drain(pid_t pid) {
    char path[64], link[96], target[16];
    DIR *d;

    (void)snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
    d = opendir(path);
    for (const struct dirent *e; d && (e = readdir(d));) {
        ssize_t n;

        (void)snprintf(link, sizeof(link), "%s/%.20s", path, e->d_name);
        n = readlink(link, target, sizeof(target));
        if (n > 5 && strncmp(target, "pipe:", 5) == 0 && is_reader(pid, e->d_name))
            drain_pipe(link);
    }
    if (d)
        (void)closedir(d);
}

/* Who works must not wait for one that is halted to read what it writes. */
static void drain_halted(const Group *g) {
    for (size_t i = 0; i < g->n; i++)
        if (!g->items[i].works && g->items[i].state == 'T')
            drain(g->items[i].pid);
}

static int wait_for_packages(Group *g) {
    const uint64_t begin_usec = now_usec(CLOCK_BOOTTIME);
    bool was_told = false, work, more;

    do {
        TRY(group_read(g));
        work = mark(g);
        more = halt(g);
        if (work)
            drain_halted(g);
        if (work && !was_told)
            log_notice("The run was asked to end: its work with packages is waited for, so that "
                       "their database stays consistent");
        was_told = was_told || work;
        if (work || more)
            (void)usleep(work ? LOOK_USEC : LOOK_USEC / 50);
    } while ((work || more) && now_usec(CLOCK_BOOTTIME) - begin_usec < PACKAGES_USEC);
    return 0;
}

/* --- the end -------------------------------------------------------------------------------- */

static void send(const Group *g, int signal) {
    for (size_t i = 0; i < g->n; i++) {
        (void)kill(g->items[i].pid, signal);
        (void)kill(g->items[i].pid, SIGCONT);
    }
}

static int end(Group *g) {
    const uint64_t begin_usec = now_usec(CLOCK_BOOTTIME);

    send(g, SIGTERM);
    for (;;) {
        TRY(group_read(g));
        if (g->n == 0)
            return 0;
        if (now_usec(CLOCK_BOOTTIME) - begin_usec >= END_USEC) {
            send(g, SIGKILL);
            return 0;
        }
        (void)usleep(LOOK_USEC / 5);
    }
}

int settle_processes(void) {
    _cleanup_(group_done) Group group = {};
    int r;

    TRY(check_unit());
    r = group_init(&group);
    if (r >= 0)
        r = wait_for_packages(&group);
    if (r >= 0)
        r = end(&group);
    if (r < 0)
        return log_error_errno(r, "The processes of the run cannot be ended in order: %m");
    return getenv("MAINPID") != NULL; /* systemd.exec(5) */
}
