/* SPDX-License-Identifier: Apache-2.0 */
/* No line is lost while the agent restarts. While its socket exists the call waits in it; a line
 * without answer, because the agent exited, is sent again; while there is no socket the connection
 * is retried. */
#include "dcm-log/client.h"

#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "basic/bounds.h"
#include "basic/fd-util.h"
#include "basic/time-util.h"
#include "proto/varlink.h"

#define RETRY_MSEC 50
#define ERROR_NOT_NOW "org.dcmagent.Job.NotNow"

static int connect_to(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    _cleanup_close_ int fd = -1;

    if (strlen(path) >= sizeof(address.sun_path))
        return -ENAMETOOLONG;
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        return -errno;
    return TAKE_FD(fd);
}

static int send_all(int fd, const char *text, size_t size) {
    while (size > 0) {
        ssize_t n = send(fd, text, size, MSG_NOSIGNAL);

        if (n < 0 && errno != EINTR)
            return -errno;
        text += MAX(n, 0);
        size -= (size_t)MAX(n, 0);
    }
    return 0;
}

static int receive_answer(int fd, uint64_t silent_usec) {
    char text[VARLINK_ANSWER_MAX];
    _cleanup_free_ char *error = NULL;
    size_t size = 0;
    int r;

    while (size < sizeof(text) && (size == 0 || text[size - 1] != 0)) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        ssize_t n;

        if (poll(&p, 1, (int)(silent_usec / USEC_PER_MSEC)) == 0)
            return -ETIMEDOUT;
        n = recv(fd, text + size, sizeof(text) - size, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -ECONNRESET;
        size += (size_t)n;
    }
    if (text[size - 1] != 0)
        return -EMSGSIZE;
    r = varlink_answer_parse(text, size - 1, &error);
    return r == -EREMOTEIO && streq(error, ERROR_NOT_NOW) ? -EAGAIN : r;
}

static int call_once(const SayOptions *o, const char *text, size_t size) {
    _cleanup_close_ int fd = connect_to(o->socket ?: SAY_SOCKET);

    TRY(fd < 0 ? fd : send_all(fd, text, size));
    return receive_answer(fd, o->silent_usec);
}

static bool is_passing(int error) {
    return error == -ENOENT || error == -ECONNREFUSED || error == -ECONNRESET || error == -EPIPE ||
           error == -EAGAIN;
}

static int call(const SayOptions *o, const char *method, struct json_object *parameters) {
    uint64_t end = now_usec(CLOCK_BOOTTIME) + o->absent_usec;
    _cleanup_free_ char *text = NULL;
    size_t size;
    int r;

    r = varlink_call_encode(method, parameters, &text, &size);
    if (r < 0)
        return r;
    for (;;) {
        r = call_once(o, text, size);
        if (!is_passing(r) || now_usec(CLOCK_BOOTTIME) >= end)
            return r;
        (void)poll(NULL, 0, RETRY_MSEC);
    }
}

int say_log(const SayOptions *o, const char *level, const char *line) {
    _cleanup_json_ struct json_object *p = json_object_new_object();

    if (!p)
        return -ENOMEM;
    TRY(json_add_string(p, "level", level));
    TRY(json_add_string(p, "line", line));
    return call(o, "org.dcmagent.Job.Log", TAKE_PTR(p));
}

int say_progress(const SayOptions *o, unsigned percent, const char *text) {
    _cleanup_json_ struct json_object *p = json_object_new_object();

    if (!p)
        return -ENOMEM;
    TRY(json_add_int(p, "percent", percent));
    TRY(json_add_string(p, "text", strempty(text)));
    return call(o, "org.dcmagent.Job.Progress", TAKE_PTR(p));
}
