/* SPDX-License-Identifier: Apache-2.0 */
/* dcm-call-worker - the "script" of a command that a D-Bus worker executes: passes the request to
 * the worker and waits. So the worker's task has all properties of a job: it is called at most
 * once, has a time limit, can be cancelled, and outlives the agent.
 *
 *     dcm-call-worker BUS-NAME OBJECT-PATH REQUEST-ID COMMAND <arguments.json >reply.json */
#include <signal.h>
#include <stdio.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "basic/bounds.h"
#include "basic/file-util.h"
#include "basic/terminal.h"
#include "dcm-log/client.h"

#define INTERFACE "org.dcmagent.Worker1"
#define EXIT_USAGE 2

#define RETRY_USEC USEC_PER_SEC

typedef struct Call {
    sd_event *event;
    sd_bus *bus;
    const char *worker, *path, *request_id, *command;
    char *arguments;
} Call;

static void call_done(Call *c) {
    sd_bus_flush_close_unref(c->bus);
    sd_event_unref(c->event);
    free(c->arguments);
}

static int read_arguments(char **ret) {
    size_t size;

    TRY(read_fd(STDIN_FILENO, JOB_INPUT_MAX, ret, &size));
    return strlen(*ret) == size ? 0 : -EBADMSG;
}

static void put_error(const Call *c, const sd_bus_error *e) {
    _cleanup_free_ char *text = NULL;

    if (asprintf(&text, "The worker %s failed: %s (%s)\n", c->worker, strempty(e->message),
                 e->name) < 0)
        text = NULL;
    terminal_pass(stderr, strempty(text), strlen(strempty(text)));
}

static bool put_reply(const char *reply) {
    terminal_pass(stdout, reply, strlen(reply));
    return fflush(stdout) == 0;
}

static int call_run(Call *c);

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata) {
    return call_run(userdata);
}

/* dbus-daemon's error: the number of its pending replies is at the limit, and this call did not
 * reach the worker. */
static bool was_held_back(sd_bus_message *m, const sd_bus_error *e) {
    return sd_bus_error_has_name(e, SD_BUS_ERROR_LIMITS_EXCEEDED) &&
           streq_ptr(sd_bus_message_get_sender(m), "org.freedesktop.DBus");
}

static int on_answer(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    const sd_bus_error *e = sd_bus_message_get_error(m);
    const char *reply;
    Call *c = userdata;

    if (was_held_back(m, e))
        return sd_event_add_time_relative(c->event, NULL, CLOCK_MONOTONIC, RETRY_USEC, 0, on_retry,
                                          c);
    if (e) {
        put_error(c, e);
        return sd_event_exit(c->event, EXIT_FAILURE);
    }
    if (sd_bus_message_read(m, "s", &reply) < 0 || !put_reply(reply)) {
        (void)fprintf(stderr, "The worker %s did not reply\n", c->worker);
        return sd_event_exit(c->event, EXIT_FAILURE);
    }
    return sd_event_exit(c->event, EXIT_SUCCESS);
}

/* Ignores errors: progress is not essential. */
static int on_progress(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    static const SayOptions options = {.silent_usec = USEC_PER_SEC};
    const char *request_id, *text;
    Call *c = userdata;
    uint32_t percent;

    if (sd_bus_message_read(m, "sus", &request_id, &percent, &text) >= 0 &&
        streq(request_id, c->request_id))
        (void)say_progress(&options, MIN(percent, 100u), text);
    return 0;
}

/* Continues to wait: the worker's answer says what was done. */
static int on_signal(sd_event_source *source, const struct signalfd_siginfo *si, void *userdata) {
    Call *c = userdata;

    (void)sd_bus_call_method_async(c->bus, NULL, c->worker, c->path, INTERFACE, "Cancel", NULL,
                                   NULL, "s", c->request_id);
    return 0;
}

static int setup(Call *c) {
    sigset_t mask;

    (void)sigemptyset(&mask);
    (void)sigaddset(&mask, SIGTERM);
    (void)sigprocmask(SIG_BLOCK, &mask, NULL);
    TRY(sd_event_default(&c->event));
    TRY(sd_event_add_signal(c->event, NULL, SIGTERM, on_signal, c));
    TRY(sd_bus_open_system(&c->bus));
    TRY(sd_bus_attach_event(c->bus, c->event, SD_EVENT_PRIORITY_NORMAL));
    return sd_bus_match_signal(c->bus, NULL, c->worker, c->path, INTERFACE, "Progress", on_progress,
                               c);
}

static int call_run(Call *c) {
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
    int r;

    r = sd_bus_message_new_method_call(c->bus, &m, c->worker, c->path, INTERFACE, "Run");
    if (r >= 0)
        r = sd_bus_message_append(m, "sss", c->request_id, c->command, c->arguments);
    if (r >= 0) /* only the unit's time limit applies */
        r = sd_bus_call_async(c->bus, NULL, m, on_answer, c, UINT64_MAX);
    return r;
}

int main(int argc, char **argv) {
    _cleanup_(call_done) Call c = {};
    int r;

    if (argc != 5) {
        (void)fputs("usage: dcm-call-worker BUS-NAME OBJECT-PATH REQUEST-ID COMMAND\n", stderr);
        return EXIT_USAGE;
    }
    c.worker = argv[1];
    c.path = argv[2];
    c.request_id = argv[3];
    c.command = argv[4];
    r = read_arguments(&c.arguments);
    if (r >= 0)
        r = setup(&c);
    if (r >= 0)
        r = call_run(&c);
    if (r >= 0)
        r = sd_event_loop(c.event);
    if (r < 0)
        (void)fprintf(stderr, "The worker %s cannot be called: %s\n", c.worker, strerror(-r));
    return r < 0 ? EXIT_FAILURE : r;
}
