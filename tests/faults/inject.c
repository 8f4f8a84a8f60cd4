/* SPDX-License-Identifier: Apache-2.0 */
/* For tests only: preloaded into dcm-agentd or dcm-executord, it stands before the libc calls by
 * which something becomes durable or visible outside of the process, and before allocations. Each
 * of them is a step. One of the steps fails, or kills the process before, in the middle of, or
 * after it. The driver chooses which one in a shared file, and the counter there outlives the
 * process: a fault happens once, however often systemd restarts what it killed. */
#undef _FILE_OFFSET_BITS /* else some names here would mean their 64-bit twins */
#undef _FORTIFY_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))
#define STATE_PREFIX "/var/lib/dcm-"
#define JOURNAL_PREFIX "/run/systemd/journal/"
#define IOV_COPY_MAX 64

enum { CLASS_FILE = 1, CLASS_SOCKET = 2, CLASS_JOURNAL = 4, CLASS_MEMORY = 8 };

typedef enum Mode { MODE_KILL_BEFORE, MODE_KILL_MIDDLE, MODE_KILL_AFTER, MODE_FAIL } Mode;

typedef enum Fault { FAULT_NONE, FAULT_FAIL, FAULT_MIDDLE, FAULT_AFTER } Fault;

/* tests/faults/injector.py has the same layout */
typedef struct Control {
    int64_t countdown; /* the step that makes it 0 is the one; negative: none */
    int64_t failures;  /* MODE_FAIL: so many steps fail, from that one on */
    uint64_t count;    /* steps so far */
    uint64_t fired;
    uint32_t mode;
    uint32_t error;
    uint32_t classes; /* that are steps */
    char name[92];    /* of the call that was hit last */
} Control;

static Control *control;

__attribute__((constructor)) static void attach(void) {
    const char *path = getenv("DCM_FAULTS_CONTROL");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    void *p;

    if (fd < 0)
        return;
    p = mmap(NULL, sizeof(Control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    (void)close(fd);
    if (p != MAP_FAILED)
        control = p;
}

__attribute__((noreturn)) static void die(void) {
    (void)kill(getpid(), SIGKILL);
    for (;;)
        (void)pause();
}

static void note(const char *name) {
    size_t size = strlen(name);

    memcpy(control->name, name, size + 1);
    __atomic_add_fetch(&control->fired, 1, __ATOMIC_SEQ_CST);
}

static Fault step(unsigned class, const char *name, bool has_data) {
    Mode mode;
    int64_t before;

    if (!control || !(control->classes & class))
        return FAULT_NONE;
    mode = control->mode;
    if (mode == MODE_KILL_MIDDLE && !has_data)
        return FAULT_NONE;
    __atomic_add_fetch(&control->count, 1, __ATOMIC_SEQ_CST);
    before = __atomic_fetch_sub(&control->countdown, 1, __ATOMIC_SEQ_CST);
    if (mode == MODE_FAIL) {
        if (before > 1 || control->failures <= 0 ||
            __atomic_fetch_sub(&control->failures, 1, __ATOMIC_SEQ_CST) <= 0)
            return FAULT_NONE;
        note(name);
        return FAULT_FAIL;
    }
    if (before != 1)
        return FAULT_NONE;
    note(name);
    if (mode == MODE_KILL_BEFORE)
        die();
    return mode == MODE_KILL_MIDDLE ? FAULT_MIDDLE : FAULT_AFTER;
}

static long fail(void) {
    errno = (int)control->error;
    return -1;
}

static long done(Fault f, long result) {
    if (f == FAULT_MIDDLE || f == FAULT_AFTER)
        die();
    return result;
}

static void *real(const char *name) {
    return dlsym(RTLD_NEXT, name);
}

#define REAL(name)                                                                                 \
    ({                                                                                             \
        static __typeof__(&name) function;                                                         \
        if (!function)                                                                             \
            function = (__typeof__(&name))real(#name);                                             \
        function;                                                                                  \
    })

/* --- what a call is about ------------------------------------------------------------------------
 */

static bool is_state(const char *path) {
    return strncmp(path, STATE_PREFIX, strlen(STATE_PREFIX)) == 0;
}

static bool fd_is_state(int fd) {
    char link[64], path[256];
    ssize_t n;

    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    n = readlink(link, path, sizeof(path) - 1);
    path[n < 0 ? 0 : n] = 0;
    return is_state(path);
}

static unsigned class_of(int fd) {
    int saved_errno = errno;
    unsigned class = 0;
    struct stat st;

    if (fstat(fd, &st) >= 0) {
        if (S_ISSOCK(st.st_mode))
            class = CLASS_SOCKET;
        else if ((S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)) && fd_is_state(fd))
            class = CLASS_FILE;
    }
    errno = saved_errno;
    return class;
}

static unsigned class_of_path(int dir_fd, const char *path) {
    int saved_errno = errno;
    bool ours = path[0] == '/' ? is_state(path) : dir_fd >= 0 && fd_is_state(dir_fd);

    errno = saved_errno;
    return ours ? CLASS_FILE : 0;
}

static unsigned class_of_message(int fd, const struct msghdr *m) {
    const struct sockaddr_un *address = m->msg_name;

    if (address && address->sun_family == AF_UNIX &&
        strncmp(address->sun_path, JOURNAL_PREFIX, strlen(JOURNAL_PREFIX)) == 0)
        return CLASS_JOURNAL;
    return class_of(fd);
}

/* --- the calls -----------------------------------------------------------------------------------
 */

EXPORT ssize_t write(int fd, const void *buf, size_t size) {
    Fault f = step(class_of(fd), "write", size > 1);

    if (f == FAULT_FAIL)
        return fail();
    return done(f, REAL(write)(fd, buf, f == FAULT_MIDDLE ? size / 2 : size));
}

EXPORT ssize_t pwrite(int fd, const void *buf, size_t size, off_t offset) {
    Fault f = step(class_of(fd), "pwrite", size > 1);

    if (f == FAULT_FAIL)
        return fail();
    return done(f, REAL(pwrite)(fd, buf, f == FAULT_MIDDLE ? size / 2 : size, offset));
}

EXPORT ssize_t pwrite64(int fd, const void *buf, size_t size, off64_t offset) {
    return pwrite(fd, buf, size, offset);
}

/* Half of what the vector holds, for a call that ends in the middle. */
static int cut(struct iovec *to, const struct iovec *from, int n) {
    size_t left = 0;
    int i;

    for (i = 0; i < n; i++)
        left += from[i].iov_len;
    left /= 2;
    for (i = 0; i < n && i < IOV_COPY_MAX && left > 0; i++) {
        to[i] = from[i];
        if (to[i].iov_len > left)
            to[i].iov_len = left;
        left -= to[i].iov_len;
    }
    return i;
}

EXPORT ssize_t writev(int fd, const struct iovec *iov, int n) {
    Fault f = step(class_of(fd), "writev", true);
    struct iovec half[IOV_COPY_MAX];

    if (f == FAULT_FAIL)
        return fail();
    if (f != FAULT_MIDDLE)
        return done(f, REAL(writev)(fd, iov, n));
    return done(f, REAL(writev)(fd, half, cut(half, iov, n)));
}

EXPORT ssize_t send(int fd, const void *buf, size_t size, int flags) {
    Fault f = step(class_of(fd), "send", size > 1);

    if (f == FAULT_FAIL)
        return fail();
    return done(f, REAL(send)(fd, buf, f == FAULT_MIDDLE ? size / 2 : size, flags));
}

EXPORT ssize_t sendto(int fd, const void *buf, size_t size, int flags,
                      const struct sockaddr *address, socklen_t address_size) {
    Fault f = step(class_of(fd), "sendto", size > 1);

    if (f == FAULT_FAIL)
        return fail();
    return done(f, REAL(sendto)(fd, buf, f == FAULT_MIDDLE ? size / 2 : size, flags, address,
                                address_size));
}

EXPORT ssize_t sendmsg(int fd, const struct msghdr *m, int flags) {
    Fault f = step(class_of_message(fd, m), "sendmsg", true);
    struct iovec half[IOV_COPY_MAX];
    struct msghdr copy = *m;

    if (f == FAULT_FAIL)
        return fail();
    if (f == FAULT_MIDDLE) {
        copy.msg_iovlen = (size_t)cut(half, m->msg_iov, (int)m->msg_iovlen);
        copy.msg_iov = half;
    }
    return done(f, REAL(sendmsg)(fd, &copy, flags));
}

#define WRAP(name, class, parameters, arguments)                                                   \
    EXPORT int name parameters {                                                                   \
        Fault f = step(class, #name, false);                                                       \
        if (f == FAULT_FAIL)                                                                       \
            return (int)fail();                                                                    \
        return (int)done(f, REAL(name) arguments);                                                 \
    }

WRAP(fsync, class_of(fd), (int fd), (fd))
WRAP(fdatasync, class_of(fd), (int fd), (fd))
WRAP(ftruncate, class_of(fd), (int fd, off_t size), (fd, size))
WRAP(ftruncate64, class_of(fd), (int fd, off64_t size), (fd, size))
WRAP(fallocate, class_of(fd), (int fd, int mode, off_t offset, off_t size),
     (fd, mode, offset, size))
WRAP(fallocate64, class_of(fd), (int fd, int mode, off64_t offset, off64_t size),
     (fd, mode, offset, size))
WRAP(fchmod, class_of(fd), (int fd, mode_t mode), (fd, mode))
WRAP(mkdir, class_of_path(AT_FDCWD, path), (const char *path, mode_t mode), (path, mode))
WRAP(mkdirat, class_of_path(fd, path), (int fd, const char *path, mode_t mode), (fd, path, mode))
WRAP(unlink, class_of_path(AT_FDCWD, path), (const char *path), (path))
WRAP(unlinkat, class_of_path(fd, path), (int fd, const char *path, int flags), (fd, path, flags))
WRAP(rename, class_of_path(AT_FDCWD, to), (const char *from, const char *to), (from, to))
WRAP(renameat, class_of_path(to_fd, to), (int from_fd, const char *from, int to_fd, const char *to),
     (from_fd, from, to_fd, to))
WRAP(mkostemp, class_of_path(AT_FDCWD, path), (char *path, int flags), (path, flags))
WRAP(mkostemp64, class_of_path(AT_FDCWD, path), (char *path, int flags), (path, flags))

/* Opening is a step where it may create. */
#define WRAP_OPEN(name, dir_fd, parameters, ...)                                                   \
    EXPORT int name parameters {                                                                   \
        Fault f = FAULT_NONE;                                                                      \
        mode_t mode = 0;                                                                           \
        va_list ap;                                                                                \
        if (flags & O_CREAT) {                                                                     \
            va_start(ap, flags);                                                                   \
            mode = va_arg(ap, mode_t);                                                             \
            va_end(ap);                                                                            \
            f = step(class_of_path(dir_fd, path), #name, false);                                   \
        }                                                                                          \
        if (f == FAULT_FAIL)                                                                       \
            return (int)fail();                                                                    \
        return (int)done(f, REAL(name)(__VA_ARGS__, flags, mode));                                 \
    }

WRAP_OPEN(open, AT_FDCWD, (const char *path, int flags, ...), path)
WRAP_OPEN(open64, AT_FDCWD, (const char *path, int flags, ...), path)
WRAP_OPEN(openat, fd, (int fd, const char *path, int flags, ...), fd, path)
WRAP_OPEN(openat64, fd, (int fd, const char *path, int flags, ...), fd, path)

/* --- memory --------------------------------------------------------------------------------------
 */

/* of glibc; dlsym() itself allocates */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t size);

static bool memory_fails(const char *name) {
    if (step(CLASS_MEMORY, name, false) != FAULT_FAIL)
        return false;
    errno = ENOMEM;
    return true;
}

EXPORT void *malloc(size_t size) {
    return memory_fails("malloc") ? NULL : __libc_malloc(size);
}

EXPORT void *calloc(size_t n, size_t size) {
    return memory_fails("calloc") ? NULL : __libc_calloc(n, size);
}

EXPORT void *realloc(void *p, size_t size) {
    return memory_fails("realloc") ? NULL : __libc_realloc(p, size);
}
