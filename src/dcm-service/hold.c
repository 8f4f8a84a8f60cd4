/* SPDX-License-Identifier: Apache-2.0 */
/* Each hook has a file, whose time it changes once it has locked, and reads UNLOCK from its
 * standard input. The file is made older than now, so that any change is seen. */
#include "dcm-service/hold.h"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "basic/bounds.h"
#include "basic/fd-util.h"
#include "basic/log.h"
#include "basic/strv.h"
#include "basic/time-util.h"
#include "dcm-service/freeze.h"
#include "dcm-service/hook.h"
#include "service/service-turn.h"

#define LOCKS SERVICES_RUN "/locks"
#define AGE_SEC 10
#define RELEASE_USEC (20 * USEC_PER_SEC)

typedef struct Holder {
    char *id;
    pid_t pid; /* 0: it has ended */
    int input; /* its standard input */
    struct timespec made;
    bool has_locked;
} Holder;

typedef struct Hold {
    const Services *services;
    const struct passwd *user;
    Holder *holders;
    size_t n;
    int signal_fd, watch_fd;
    int requester_fd; /* -1: it need not be there (any more) */
    bool is_over;     /* SIGTERM has come */
} Hold;

static void hold_done(Hold *h) {
    for (size_t i = 0; i < h->n; i++) {
        free(h->holders[i].id);
        safe_close(h->holders[i].input);
    }
    free(h->holders);
    safe_close(h->signal_fd);
    safe_close(h->watch_fd);
    safe_close(h->requester_fd);
}

/* systemctl status and the reply have it. */
static int fail(const char *format, ...) _printf_(1, 2);
static int fail(const char *format, ...) {
    _cleanup_free_ char *text = NULL;
    va_list list;
    int n;

    va_start(list, format);
    n = vasprintf(&text, format, list);
    va_end(list);
    if (n < 0)
        return -ENOMEM;
    (void)sd_notifyf(false, "STATUS=%s", text);
    log_error("%s", text);
    return -EIO;
}

/* --- hooks ---------------------------------------------------------------------------------- */

static int make_lock_file(Hold *h, Holder *x, char **ret_path) {
    _cleanup_free_ char *path = NULL;
    _cleanup_close_ int fd = -1;
    struct timespec times[2];
    struct stat st;

    if (asprintf(&path, LOCKS "/%s", x->id) < 0)
        return -ENOMEM;
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0 || clock_gettime(CLOCK_REALTIME, &times[0]) < 0)
        return -errno;
    times[0].tv_sec -= AGE_SEC;
    times[1] = times[0];
    if (fchown(fd, h->user->pw_uid, h->user->pw_gid) < 0 || futimens(fd, times) < 0 ||
        fstat(fd, &st) < 0)
        return -errno;
    x->made = st.st_mtim;
    *ret_path = TAKE_PTR(path);
    return 0;
}

static void set_variables(const Hold *h) {
    (void)setenv("DCM_USER", HOOK_USER, 1);
    (void)setenv("DCM_BASEDIR", PKGLIBDIR, 1);
    (void)setenv("DCM_SERVICES_DIR", h->services->path, 1);
    (void)setenv("DCM_LOG_FILE", "/dev/null", 1);
    (void)setenv("HOME", h->user->pw_dir, 1);
    (void)setenv("USER", HOOK_USER, 1);
    (void)setenv("LOGNAME", HOOK_USER, 1);
    (void)unsetenv("NOTIFY_SOCKET");
}

/* The unit is protected from what could keep it from running; its hooks are not, and a shell could
 * not even undo an ignored signal. */
static void drop_protection(void) {
    _cleanup_close_ int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

    if (fd >= 0)
        (void)write_full(fd, "0", 1);
    (void)signal(SIGPIPE, SIG_DFL);
}

/* In the child; does not return. */
static void run_hook(const Hold *h, const Holder *x, int input, char *const *argv) {
    sigset_t none;

    drop_protection();
    (void)sigemptyset(&none);
    if (sigprocmask(SIG_SETMASK, &none, NULL) < 0 || dup2(input, STDIN_FILENO) < 0 ||
        fchdir(h->services->fd) < 0 || chdir(x->id) < 0 ||
        initgroups(h->user->pw_name, h->user->pw_gid) < 0 || setgid(h->user->pw_gid) < 0 ||
        setuid(h->user->pw_uid) < 0)
        _exit(127);
    set_variables(h);
    (void)execv(argv[0], argv);
    _exit(127);
}

static int start_hook(Hold *h, Holder *x, uint64_t timeout_msec) {
    _cleanup_close_ int ours = -1, theirs = -1;
    _cleanup_free_ char *hook = NULL, *file = NULL, *time = NULL;
    int fds[2];

    TRY(make_lock_file(h, x, &file));
    if (asprintf(&hook, "%s/%s/bin/enstratus-lock", h->services->path, x->id) < 0 ||
        asprintf(&time, "%llu", (unsigned long long)timeout_msec) < 0)
        return -ENOMEM;
    if (pipe2(fds, O_CLOEXEC) < 0)
        return -errno;
    theirs = fds[0];
    ours = fds[1];
    x->pid = fork();
    if (x->pid < 0)
        return -errno;
    if (x->pid == 0)
        run_hook(h, x, theirs, (char *const[]){hook, h->services->path, file, time, x->id, NULL});
    x->input = TAKE_FD(ours);
    return 0;
}

static void look_at_file(Holder *x) {
    char path[sizeof(LOCKS) + SERVICE_ID_MAX + 2];
    struct stat st;

    (void)snprintf(path, sizeof(path), LOCKS "/%s", x->id);
    if (x->pid > 0 && lstat(path, &st) == 0 &&
        (st.st_mtim.tv_sec != x->made.tv_sec || st.st_mtim.tv_nsec != x->made.tv_nsec))
        x->has_locked = true;
}

static bool all_have_locked(const Hold *h) {
    for (size_t i = 0; i < h->n; i++) {
        look_at_file(&h->holders[i]);
        if (!h->holders[i].has_locked)
            return false;
    }
    return true;
}

/* --- events --------------------------------------------------------------------------------- */

static Holder *find_process(Hold *h, pid_t pid) {
    for (size_t i = 0; i < h->n; i++)
        if (h->holders[i].pid == pid)
            return &h->holders[i];
    return NULL;
}

/* The first that has ended, if any has. */
static Holder *reap(Hold *h) {
    Holder *first = NULL;
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        Holder *x = find_process(h, pid);

        if (!x)
            continue;
        x->pid = 0;
        first = first ?: x;
    }
    return first;
}

static void take_signals(Hold *h) {
    struct signalfd_siginfo info;

    while (read(h->signal_fd, &info, sizeof(info)) == sizeof(info))
        if (info.ssi_signo != SIGCHLD)
            h->is_over = true;
}

static void drain(int fd) {
    char data[4096];

    while (read(fd, data, sizeof(data)) > 0)
        ;
}

/* Until something happens; -ETIMEDOUT. until_usec: UINT64_MAX for ever. */
static int wait_event(Hold *h, uint64_t until_usec) {
    struct pollfd p[] = {
        {h->signal_fd, POLLIN, 0}, {h->watch_fd, POLLIN, 0}, {h->requester_fd, POLLIN, 0}};
    const uint64_t now = now_usec(CLOCK_BOOTTIME);
    int timeout = -1;

    if (now >= until_usec)
        return -ETIMEDOUT;
    if (until_usec != UINT64_MAX)
        timeout = (int)MIN((until_usec - now) / USEC_PER_MSEC + 1, (uint64_t)60000);
    if (poll(p, ELEMENTSOF(p), timeout) < 0)
        return errno == EINTR ? 0 : -errno;
    take_signals(h);
    drain(h->watch_fd);
    return 0;
}

/* --- the steps ------------------------------------------------------------------------------ */

static int remove_lock_files(void) {
    _cleanup_(arguments_done) Arguments a = {};

    arguments_add(&a, "rm");
    arguments_add(&a, "-rf");
    arguments_add(&a, "--");
    arguments_add(&a, LOCKS);
    return program_call(&a) == 0 ? 0 : -EIO;
}

/* Whether it is there is asked for once more by poll(2). Kernels before 5.3 cannot. */
static int watch_requester(Hold *h, pid_t requester) {
    h->requester_fd = (int)syscall(SYS_pidfd_open, requester, 0);
    if (h->requester_fd < 0 && errno == ESRCH)
        return fail("the request for it has ended");
    return 0;
}

static bool requester_has_ended(const Hold *h) {
    struct pollfd p = {h->requester_fd, POLLIN, 0};

    return poll(&p, 1, 0) > 0;
}

static int prepare(Hold *h) {
    sigset_t set;

    h->user = getpwnam(HOOK_USER);
    if (!h->user)
        return fail("There is no user " HOOK_USER);
    TRY(remove_lock_files());
    (void)mkdir(SERVICES_RUN, 0755);
    if (mkdir(LOCKS, 0755) < 0)
        return -errno;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGCHLD);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
        return -errno;
    (void)signal(SIGPIPE, SIG_IGN);
    h->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    h->watch_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (h->signal_fd < 0 || h->watch_fd < 0 ||
        inotify_add_watch(h->watch_fd, LOCKS,
                          IN_ATTRIB | IN_MODIFY | IN_CLOSE_WRITE | IN_MOVED_TO) < 0)
        return -errno;
    return 0;
}

static int add_holder(Hold *h, const char *id) {
    _cleanup_close_ int fd = -1;
    Holder *grown;

    TRY(service_open(h->services, id, &fd));
    if (hook_look(fd, "lock") != HOOK_PRESENT)
        return 0;
    grown = reallocarray(h->holders, h->n + 1, sizeof(*grown));
    if (!grown)
        return -ENOMEM;
    h->holders = grown;
    grown[h->n] = (Holder){.id = strdup(id), .input = -1};
    return grown[h->n++].id ? 0 : -ENOMEM;
}

static int start_hooks(Hold *h, char *const *ids, uint64_t timeout_msec) {
    for (char *const *id = ids; id && *id; id++)
        TRY(add_holder(h, *id));
    for (size_t i = 0; i < h->n; i++) {
        const int r = start_hook(h, &h->holders[i], timeout_msec);

        if (r < 0)
            return fail("The lock hook of %s cannot be started: %s", h->holders[i].id,
                        strerror(-r));
    }
    return 0;
}

static const char *first_without_lock(const Hold *h) {
    for (size_t i = 0; i < h->n; i++)
        if (!h->holders[i].has_locked)
            return h->holders[i].id;
    return "";
}

static int wait_for_locks(Hold *h, uint64_t timeout_msec) {
    const uint64_t until_usec = now_usec(CLOCK_BOOTTIME) + timeout_msec * USEC_PER_MSEC;

    for (;;) {
        const Holder *ended = reap(h);
        int r;

        if (ended)
            return fail("the lock hook of %s ended before it was told to", ended->id);
        if (h->is_over)
            return fail("the lock was given up");
        if (requester_has_ended(h))
            return fail("the request for it has ended");
        if (all_have_locked(h))
            return 0;
        r = wait_event(h, until_usec);
        if (r == -ETIMEDOUT)
            return fail("%s has not locked within %llu ms", first_without_lock(h),
                        (unsigned long long)timeout_msec);
        TRY(r);
    }
}

static int keep_locked(Hold *h) {
    int result = 0;

    while (!h->is_over) {
        const Holder *ended = reap(h);

        if (ended)
            result = fail("the lock hook of %s ended before it was told to", ended->id);
        TRY(wait_event(h, UINT64_MAX));
    }
    return result;
}

static bool have_ended(const Hold *h) {
    for (size_t i = 0; i < h->n; i++)
        if (h->holders[i].pid > 0)
            return false;
    return true;
}

/* What does not end by itself, systemd kills. */
static int release(Hold *h) {
    const uint64_t until_usec = now_usec(CLOCK_BOOTTIME) + RELEASE_USEC;
    int r = freeze_end();

    for (size_t i = 0; i < h->n; i++)
        if (h->holders[i].input >= 0) {
            (void)write_full(h->holders[i].input, "UNLOCK\n", 7);
            h->holders[i].input = safe_close(h->holders[i].input);
        }
    for (;;) {
        (void)reap(h);
        if (have_ended(h))
            return r;
        if (wait_event(h, until_usec) < 0)
            return fail("a lock hook has not ended after UNLOCK, and is killed");
    }
}

int hold_services(const Services *s, const HoldOrder *o) {
    _cleanup_(hold_done)
        Hold h = {.services = s, .signal_fd = -1, .watch_fd = -1, .requester_fd = -1};
    _cleanup_(strv_freep) char **ids = NULL;
    int r, k;

    r = services_list(s, &ids);
    if (r < 0)
        (void)fail("the services cannot be listed: %s", strerror(-r));
    if (r >= 0)
        r = prepare(&h);
    if (r >= 0)
        r = watch_requester(&h, o->requester);
    if (r >= 0)
        r = start_hooks(&h, ids, o->timeout_msec);
    if (r >= 0)
        r = wait_for_locks(&h, o->timeout_msec);
    if (r >= 0 && o->file_systems && freeze_services(s, ids) < 0)
        r = fail("the file systems cannot be frozen");
    if (r >= 0 && requester_has_ended(&h)) /* which may have taken a while */
        r = fail("the request for it has ended");
    if (r >= 0) {
        h.requester_fd = safe_close(h.requester_fd);
        (void)sd_notifyf(false, "READY=1\nSTATUS=%zu services are locked%s", h.n,
                         o->file_systems ? ", and their file systems frozen" : "");
        r = keep_locked(&h);
    }
    k = release(&h);
    return r < 0 || k < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

int hold_clean(void) {
    const int r = freeze_end();

    return remove_lock_files() < 0 || r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
