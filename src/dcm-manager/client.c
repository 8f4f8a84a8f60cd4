/* SPDX-License-Identifier: Apache-2.0 */
/* Uses blocking I/O: the command line has nothing else to do. */
#include "dcm-manager/client.h"

#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "basic/fd-util.h"
#include "basic/i18n.h"
#include "basic/terminal.h"
#include "basic/time-util.h"
#include "dcm-manager/limits.h"

#define CHUNK ((size_t)64 * 1024)

struct Client {
    int fd;
    uint64_t deadline_usec; /* CLOCK_BOOTTIME */
    char *data;
    size_t size;
    bool lost, expects_loss;
};

static int explain_connect(const char *path, int error) {
    if (error == EACCES || error == EPERM)
        (void)fprintf(stderr, _("dcm-manager: %s is for root alone; try sudo\n"), path);
    else
        (void)fprintf(stderr,
                      _("dcm-manager is not running: cannot connect to %s: %s; start it with "
                        "'systemctl start dcm-manager' or 'dcm-manager serve'\n"),
                      path, strerror(error));
    return EXIT_NOT_RUNNING;
}

static int out_of_memory(void) {
    (void)fprintf(stderr, _("dcm-manager: out of memory\n"));
    return EXIT_OTHER;
}

int client_new(const char *path, double timeout_sec, Client **ret) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    _cleanup_(client_freep) Client *c = calloc(1, sizeof(*c));

    if (!c)
        return out_of_memory();
    c->fd = -1;
    c->deadline_usec =
        timeout_sec > 0 ? now_usec(CLOCK_BOOTTIME) + (uint64_t)(timeout_sec * (double)USEC_PER_SEC)
                        : UINT64_MAX;
    if (strlen(path) >= sizeof(address.sun_path))
        return explain_connect(path, ENAMETOOLONG);
    memcpy(address.sun_path, path, strlen(path) + 1);
    c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        return explain_connect(path, errno);
    *ret = TAKE_PTR(c);
    return 0;
}

Client *client_free(Client *c) {
    if (!c)
        return NULL;
    safe_close(c->fd);
    free(c->data);
    free(c);
    return NULL;
}

void client_expect_loss(Client *c) {
    c->expects_loss = true;
}

bool client_is_lost(const Client *c) {
    return c->lost;
}

struct json_object *client_request(const char *method) {
    struct json_object *o = json_object_new_object();

    if (o && json_add_string(o, "method", method) < 0) {
        (void)json_object_put(o);
        o = NULL;
    }
    if (!o)
        (void)out_of_memory();
    return o;
}

static int lost(Client *c) {
    c->lost = true;
    if (!c->expects_loss)
        (void)fprintf(stderr, _("dcm-manager: the manager has closed the control connection\n"));
    return EXIT_NOT_RUNNING;
}

static int wait_readable(Client *c) {
    struct pollfd p = {.fd = c->fd, .events = POLLIN};

    for (;;) {
        uint64_t now = now_usec(CLOCK_BOOTTIME);
        int timeout_msec = -1, r;

        if (c->deadline_usec != UINT64_MAX)
            timeout_msec =
                (int)((c->deadline_usec > now ? c->deadline_usec - now : 0) / USEC_PER_MSEC + 1);
        r = poll(&p, 1, timeout_msec);
        if (r > 0)
            return 0;
        if (r == 0 || errno != EINTR)
            break;
    }
    (void)fprintf(stderr, _("dcm-manager: timed out\n"));
    return EXIT_TIMED_OUT;
}

int client_sleep(Client *c, uint64_t usec) {
    const uint64_t now = now_usec(CLOCK_BOOTTIME);
    const bool has_time = c->deadline_usec == UINT64_MAX || now + usec < c->deadline_usec;

    if (!has_time)
        usec = c->deadline_usec > now ? c->deadline_usec - now : 0;
    (void)usleep((useconds_t)usec);
    if (has_time)
        return 0;
    (void)fprintf(stderr, _("dcm-manager: timed out\n"));
    return EXIT_TIMED_OUT;
}

static int receive_more(Client *c) {
    char *grown;
    ssize_t n;
    int r;

    r = wait_readable(c);
    if (r > 0)
        return r;
    if (c->size > CONTROL_OUTPUT_MAX)
        return lost(c);
    grown = realloc(c->data, c->size + CHUNK);
    if (!grown)
        return out_of_memory();
    c->data = grown;
    n = recv(c->fd, c->data + c->size, CHUNK, 0);
    if (n < 0 && errno == EINTR)
        return 0;
    if (n <= 0)
        return lost(c);
    c->size += (size_t)n;
    return 0;
}

/* Data of agents are nested deeper here than in their messages. */
static struct json_object *parse_line(const char *line, size_t size) {
    struct json_object *o = NULL;

    (void)json_parse_stored(line, size, &o);
    return o;
}

static int take_line(Client *c, size_t size, struct json_object **ret) {
    _cleanup_json_ struct json_object *o = parse_line(c->data, size);
    const char *error;

    c->size -= size + 1;
    memmove(c->data, c->data + size + 1, c->size);
    if (json_object_get_boolean(json_get(o, "ok"))) {
        *ret = TAKE_PTR(o);
        return 0;
    }
    error = strempty(json_get_string(o, "error"));
    terminal_printf(stderr, "dcm-manager: %s\n",
                    json_get_string(o, "message") ?: _("the manager's answer cannot be parsed"));
    return streq(error, "not-found") ? EXIT_NOT_FOUND : EXIT_OTHER;
}

int client_receive(Client *c, struct json_object **ret) {
    size_t searched = 0;
    int r = 0;

    while (r == 0) {
        char *end =
            c->size > searched ? memchr(c->data + searched, '\n', c->size - searched) : NULL;

        if (end)
            return take_line(c, (size_t)(end - c->data), ret);
        searched = c->size;
        r = receive_more(c);
    }
    return r;
}

static int send_all(int fd, const char *data, size_t size) {
    while (size > 0) {
        ssize_t n = send(fd, data, size, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        data += n;
        size -= (size_t)n;
    }
    return 0;
}

int client_call(Client *c, struct json_object *request, struct json_object **ret) {
    _cleanup_json_ struct json_object *o = request;
    _cleanup_free_ char *text = NULL;
    size_t size = 0;

    if (!o)
        return EXIT_OTHER;
    if (json_encode(o, &text, &size) < 0)
        return out_of_memory();
    if (size >= CONTROL_LINE_MAX) {
        (void)fprintf(stderr, _("dcm-manager: the request is too large\n"));
        return EXIT_OTHER;
    }
    text[size] = '\n';
    if (send_all(c->fd, text, size + 1) < 0)
        return lost(c);
    return client_receive(c, ret);
}
