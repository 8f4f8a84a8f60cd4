/* SPDX-License-Identifier: Apache-2.0 */
/* dcm-object-run - the main process of the unit in which rclone runs, without privileges. Standard
 * input is the channel to dcm-object (dcm-object/channel.h). It starts rclone as often as it is
 * told to, one at a time, and ends when dcm-object is gone.
 *
 * It holds the write end of rclone's standard input, too. If dcm-object is killed in the middle of
 * an upload, rclone therefore does not see the end of its input, which it would take for the end of
 * the object, but is killed. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "basic/fd-util.h"
#include "basic/log.h"
#include "dcm-object/channel.h"
#include "dcm-object/rclone-config.h"

#define RCLONE "/usr/bin/rclone"
#define EXIT_CANNOT_RUN 127

typedef struct Runner {
    int socket;
    ChannelMessage environment;
    char **env;  /* strings of `environment` */
    pid_t child; /* 0: none */
    int child_fd;
    int input_fd; /* write end of the child's standard input */
} Runner;

static void end_child(Runner *r) {
    if (r->child > 0) {
        (void)kill(r->child, SIGKILL);
        (void)waitpid(r->child, NULL, 0);
    }
    r->child = 0;
    r->child_fd = safe_close(r->child_fd);
    r->input_fd = safe_close(r->input_fd);
}

static void runner_done(Runner *r) {
    end_child(r);
    channel_message_done(&r->environment);
    free(r->env);
}

/* In the child: rclone has the three streams, and what it trusts. */
static void become_rclone(const Runner *r, const ChannelMessage *m, char **argv, pid_t parent) {
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(EXIT_CANNOT_RUN);
    for (int i = 0; i < 3; i++)
        if (dup2(m->fds[i], i) < 0)
            _exit(EXIT_CANNOT_RUN);
    if (r->environment.n_fds > 0 && r->environment.fds[0] != RCLONE_TRUST_FD &&
        dup2(r->environment.fds[0], RCLONE_TRUST_FD) < 0)
        _exit(EXIT_CANNOT_RUN);
    if (r->environment.n_fds > 0 && fcntl(RCLONE_TRUST_FD, F_SETFD, 0) < 0)
        _exit(EXIT_CANNOT_RUN);
    (void)execve(RCLONE, argv, r->env);
    _exit(EXIT_CANNOT_RUN);
}

static int start(Runner *r, ChannelMessage *m) {
    _cleanup_free_ char **argv = NULL;
    const pid_t self = getpid();

    if (r->child > 0 || !r->env || m->n_fds < 3)
        return -EBADMSG;
    TRY(channel_strings(m, &argv));
    if (!argv[0])
        return -EBADMSG;
    r->child = fork();
    if (r->child == 0)
        become_rclone(r, m, argv, self);
    if (r->child < 0) {
        r->child = 0;
        return -errno;
    }
    r->child_fd = (int)syscall(SYS_pidfd_open, r->child, 0);
    if (r->child_fd < 0)
        return -errno;
    if (m->n_fds > 3) {
        r->input_fd = m->fds[3];
        m->n_fds = 3;
    }
    return 0;
}

static int set_environment(Runner *r, ChannelMessage *m) {
    if (r->env)
        return -EBADMSG;
    TRY(channel_strings(m, &r->env));
    r->environment = *m;
    *m = (ChannelMessage){};
    return 0;
}

static int on_message(Runner *r) {
    _cleanup_(channel_message_done) ChannelMessage m = {};
    int k;

    k = channel_receive(r->socket, &m);
    if (k <= 0)
        return k < 0 ? k : -ECONNRESET;
    switch (m.type) {
    case CHANNEL_ENVIRONMENT:
        return set_environment(r, &m);
    case CHANNEL_RUN:
        return start(r, &m);
    case CHANNEL_COMPLETE:
        r->input_fd = safe_close(r->input_fd);
        return 0;
    default:
        return -EBADMSG;
    }
}

static int on_end(Runner *r) {
    int status = 0;

    if (waitpid(r->child, &status, 0) < 0)
        return -errno;
    r->child = 0;
    end_child(r);
    return channel_send(r->socket, CHANNEL_STATUS, (char *)&status, sizeof(status), NULL, 0);
}

static int serve(Runner *r) {
    for (;;) {
        struct pollfd p[] = {{.fd = r->socket, .events = POLLIN},
                             {.fd = r->child_fd, .events = POLLIN}};

        if (poll(p, ELEMENTSOF(p), -1) < 0 && errno != EINTR)
            return -errno;
        if (p[0].revents)
            TRY(on_message(r));
        if (p[1].revents && r->child > 0)
            TRY(on_end(r));
    }
}

int main(int argc, char **argv) {
    _cleanup_(runner_done) Runner r = {.child_fd = -1, .input_fd = -1};
    int k;

    (void)argv;
    log_set_identifier("dcm-object-run");
    if (argc != 1) {
        log_error("This program takes no arguments, see dcm-object(8)");
        return 2;
    }
    r.socket = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, RCLONE_TRUST_FD + 1);
    if (r.socket < 0)
        return EXIT_FAILURE;
    (void)prctl(PR_SET_DUMPABLE, 0); /* no other process of this user looks at the secrets */
    k = serve(&r);
    if (k == -ECONNRESET || k == -EPIPE)
        return EXIT_SUCCESS;
    (void)log_error_errno(k, "The transfer was ended: %m");
    return EXIT_FAILURE;
}
