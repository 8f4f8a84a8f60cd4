/* SPDX-License-Identifier: Apache-2.0 */
/* Proves that descriptors arrive under their names, whoever has closed what meanwhile; that
 * whatever else is in a socket costs no descriptor; and that too many under way are an error that
 * passes. */
#include <fcntl.h>
#include <glib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "basic/fd-util.h"
#include "basic/job-files.h"

#define NOBODY 65534

static int make_file(const char *text) {
    int fd = memfd_create("file", MFD_CLOEXEC);

    g_assert_cmpint(write_full(fd, text, strlen(text)), ==, 0);
    return fd;
}

static void assert_file(int fd, const char *text) {
    char buf[16] = "";

    g_assert_cmpint(pread(fd, buf, sizeof(buf) - 1, 0), ==, strlen(text));
    g_assert_cmpstr(buf, ==, text);
    g_assert_cmpint(fcntl(fd, F_GETFD) & FD_CLOEXEC, !=, 0);
}

static unsigned count_fds(void) {
    unsigned n = 0;

    for (int fd = 0; fd < 256; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

static void test_round_trip(void) {
    for (int with_input = 0; with_input <= 1; with_input++) {
        const unsigned before = count_fds();
        JobFiles sent = {make_file("record"), make_file("log"), make_file("pipe"),
                         with_input ? make_file("input") : -1};
        JobFiles f = JOB_FILES_INIT;
        int fd = job_files_send(&sent);

        g_assert_cmpint(fd, >=, 0);
        job_files_done(&sent);
        g_assert_cmpint(job_files_receive(fd, &f), ==, 0);
        assert_file(f.record_fd, "record");
        assert_file(f.log_fd, "log");
        assert_file(f.pipe_fd, "pipe");
        if (with_input)
            assert_file(f.input_fd, "input");
        else
            g_assert_cmpint(f.input_fd, ==, -1);
        g_assert_cmpint(job_files_receive(fd, &f), ==, -EBADMSG); /* only once */
        job_files_done(&f);
        safe_close(fd);
        g_assert_cmpuint(count_fds(), ==, before);
    }
}

static void send_raw(int fd, const char *letters, unsigned n_fds) {
    union {
        struct cmsghdr header;
        char data[CMSG_SPACE(8 * sizeof(int))];
    } control = {};
    struct iovec iov = {(void *)(uintptr_t)letters, strlen(letters)};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};

    if (n_fds > 0) {
        m.msg_control = &control;
        m.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
        control.header = (struct cmsghdr){.cmsg_level = SOL_SOCKET,
                                          .cmsg_type = SCM_RIGHTS,
                                          .cmsg_len = CMSG_LEN(n_fds * sizeof(int))};
        for (unsigned i = 0; i < n_fds; i++)
            memcpy(CMSG_DATA(&control.header) + i * sizeof(int), &(int){0}, sizeof(int));
    }
    g_assert_cmpint(sendmsg(fd, &m, 0), ==, strlen(letters));
}

static void test_other_messages(void) {
    static const struct {
        const char *letters;
        unsigned n_fds;
    } cases[] = {{"rlp", 0}, {"rl", 2},   {"rlp", 2},  {"rl", 3},    {"rlpr", 4},
                 {"rlx", 3}, {"xxxx", 4}, {"rlpi", 3}, {"rlpixx", 6}};
    const unsigned before = count_fds();
    JobFiles f = JOB_FILES_INIT;
    int fds[2];

    g_assert_cmpint(job_files_receive(0, &f), ==, -ENOTSOCK);
    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        g_assert_cmpint(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), ==, 0);
        send_raw(fds[0], cases[i].letters, cases[i].n_fds);
        safe_close(fds[0]);
        g_assert_cmpint(job_files_receive(fds[1], &f), ==, -EBADMSG);
        safe_close(fds[1]);
    }
    g_assert_cmpint(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), ==, 0);
    g_assert_cmpint(job_files_receive(fds[1], &f), ==, -EBADMSG); /* nothing; and no waiting */
    safe_close(fds[0]);
    safe_close(fds[1]);
    g_assert_cmpuint(count_fds(), ==, before);
    g_assert_cmpint(f.record_fd, ==, -1);
}

/* The kernel counts them by user, against the sender's limit; whoever receives makes room. */
static void send_too_many(void) {
    const struct rlimit limit = {48, 48};
    const JobFiles files = {0, 1, 2, 0};
    JobFiles f = JOB_FILES_INIT;
    int fds[48], n = 0, r = 0;

    if (geteuid() == 0 && (setgid(NOBODY) < 0 || setuid(NOBODY) < 0))
        _exit(2);
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
        _exit(3);
    while ((r = job_files_send(&files)) >= 0)
        fds[n++] = r;
    if (r != -ETOOMANYREFS || n == 0)
        _exit(4);
    if (job_files_receive(fds[0], &f) < 0)
        _exit(5);
    job_files_done(&f);
    if (job_files_receive(fds[1], &f) < 0)
        _exit(6);
    job_files_done(&f);
    _exit(job_files_send(&files) >= 0 ? 0 : 7);
}

static void test_too_many(void) {
    pid_t pid = fork();
    int status;

    g_assert_cmpint(pid, >=, 0);
    if (pid == 0)
        send_too_many();
    g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
    g_assert_cmpint(status, ==, 0);
}

int main(int argc, char *argv[]) {
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

    (void)dup2(fd, STDIN_FILENO);
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/job-files/round-trip", test_round_trip);
    g_test_add_func("/job-files/other-messages", test_other_messages);
    g_test_add_func("/job-files/too-many", test_too_many);
    return g_test_run();
}
