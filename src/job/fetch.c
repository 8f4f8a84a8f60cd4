/* SPDX-License-Identifier: Apache-2.0 */
/*
 *   attempt() ── Fetch() of the executor ──▶ a line in the pipe ──▶ size, seal, checksum ──▶ done
 *      ▲                │ temporary failure       │ none
 *      └── after 0.1 to 60 s                       └──▶ done: the download was killed
 *
 * Each attempt has its own order, content and pipe. Closing the pipe cancels the attempt: dcm-fetch
 * exits at any stage, and also when this process has died. The content is checked after it has been
 * sealed. */
#include "job/fetch.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "basic/bounds.h"
#include "basic/fd-util.h"
#include "basic/fetch-order.h"
#include "basic/guid.h"
#include "basic/log-fields.h"
#include "basic/log.h"
#include "basic/memfd-util.h"
#include "basic/sha256.h"
#include "basic/timer.h"
#include "basic/utf8.h"
#include "job/executor.h"
#include "job/script-source.h"

/* longer than the executor's timeout for systemd */
#define START_TIMEOUT_USEC (UNIT_START_USEC_MAX + 10 * USEC_PER_SEC)
#define RETRY_MIN_USEC (100 * USEC_PER_MSEC)
#define RETRY_MAX_USEC (60 * USEC_PER_SEC)

struct Fetch {
    sd_bus *bus;
    const JobSpec *spec;
    Trouble *trouble; /* may be NULL */
    char *guid;
    FetchDone done;
    void *userdata;
    int content_fd;
    int status_fd; /* read end of the pipe */
    sd_event_source *status_source, *timer;
    sd_bus_slot *slot;
    uint64_t retry_usec;
    char line[ERROR_MESSAGE_MAX];
    size_t line_size;
};

static void give_up_attempt(Fetch *f) {
    f->slot = sd_bus_slot_unref(f->slot);
    f->status_source = sd_event_source_disable_unref(f->status_source);
    f->status_fd = safe_close(f->status_fd);
    f->content_fd = safe_close(f->content_fd);
    f->line_size = 0;
}

Fetch *fetch_free(Fetch *f) {
    if (!f)
        return NULL;
    trouble_end(f->trouble, f);
    give_up_attempt(f);
    sd_event_source_disable_unref(f->timer);
    sd_bus_unref(f->bus);
    free(f->guid);
    free(f);
    return NULL;
}
DEFINE_CLEANUP(Fetch *, fetch_free)

/* Must be the last action: the callback may free f. */
static void fail(Fetch *f, const char *problem) {
    give_up_attempt(f);
    f->done(-1, problem, f->userdata);
}

static void fail_download(Fetch *f, const char *why) {
    char text[ERROR_MESSAGE_MAX];

    (void)utf8_format(text, sizeof(text), "The download failed: %s", why);
    fail(f, text);
}

/* Retries after a temporary failure, with growing delay. */
static void retry(Fetch *f, const char *why) {
    uint64_t wait = MAX(f->retry_usec, (uint64_t)RETRY_MIN_USEC);

    (void)log_struct(LOG_WARNING, 0, LOG_FIELDS(LOG_REQUEST(f->guid)),
                     "The download cannot begin: %s; retrying in %g s", why,
                     (double)wait / (double)USEC_PER_SEC);
    give_up_attempt(f);
    f->retry_usec = MIN(wait * 2, RETRY_MAX_USEC);
    (void)timer_arm_in(f->timer, wait);
}

static void finish(Fetch *f) {
    int fd, r;

    r = script_source_verify(f->content_fd, f->spec->source.checksum);
    if (r < 0) {
        fail(f, script_source_strerror(r) ?: strerror(-r));
        return;
    }
    fd = TAKE_FD(f->content_fd);
    give_up_attempt(f);
    f->done(fd, NULL, f->userdata);
}

static void fail_cut_off(Fetch *f) {
    char unit[FETCH_UNIT_SIZE], text[FETCH_UNIT_SIZE + sizeof(" was cut off")];

    guid_to_fetch_unit_name(f->guid, unit);
    (void)utf8_format(text, sizeof(text), "%s was cut off", unit);
    fail_download(f, text);
}

/* Handles the line, or its absence. */
static void on_line(Fetch *f, bool whole) {
    f->line[f->line_size] = 0;
    if (!whole || strlen(f->line) != f->line_size)
        fail_cut_off(f);
    else if (streq(f->line, "ok"))
        finish(f);
    else
        fail_download(f, f->line);
}

static int on_status(sd_event_source *source, int fd, uint32_t events, void *userdata) {
    Fetch *f = userdata;
    char *newline;
    ssize_t n;

    n = read(fd, f->line + f->line_size, sizeof(f->line) - 1 - f->line_size);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    newline = n > 0 ? memchr(f->line + f->line_size, '\n', (size_t)n) : NULL;
    f->line_size = newline ? (size_t)(newline - f->line) : f->line_size + (size_t)MAX(n, 0);
    if (newline || n <= 0 || f->line_size == sizeof(f->line) - 1)
        on_line(f, newline);
    return 0;
}

static void note_trouble(Fetch *f, sd_bus_message *answer) {
    char why[ERROR_MESSAGE_MAX];

    executor_explain(answer, why, sizeof(why));
    trouble_note(f->trouble, f, why);
    retry(f, why);
}

static int on_answer(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    const sd_bus_error *e = sd_bus_message_get_error(m);
    Fetch *f = userdata;

    f->slot = sd_bus_slot_unref(f->slot);
    if (!e) {
        trouble_end(f->trouble, NULL);
        (void)sd_event_source_set_enabled(f->status_source, SD_EVENT_ON);
    } else if (executor_refuses(m))
        fail(f, strempty(e->message));
    else
        note_trouble(f, m);
    return 0;
}

static int make_order(const FetchSource *source, int *ret_fd) {
    FetchOrder order = {.url = (char *)(uintptr_t)source->url,
                        .patience_usec = source->patience_usec,
                        .certificate = (char *)(uintptr_t)source->certificate};
    char *text = NULL;
    int r;

    TRY(fetch_order_render(&order, &text));
    r = memfd_new_sealed("order", text, strlen(text), ret_fd);
    explicit_bzero(text, strlen(text));
    free(text);
    return r;
}

static int call_executor(Fetch *f, int order_fd, int write_fd) {
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;

    TRY(sd_bus_message_new_method_call(f->bus, &m, EXECUTOR_NAME, EXECUTOR_PATH, EXECUTOR_INTERFACE,
                                       "Fetch"));
    TRY(sd_bus_message_append(m, "sshhha{sv}", f->guid, f->spec->command, order_fd, f->content_fd,
                              write_fd, 2, "as-root", "b", f->spec->as_root, "network", "b",
                              fetch_url_is_remote(f->spec->source.url)));
    return sd_bus_call_async(f->bus, &f->slot, m, on_answer, f, START_TIMEOUT_USEC);
}

static int try_attempt(Fetch *f) {
    _cleanup_close_ int order_fd = -1, write_fd = -1;
    int fds[2], r;

    TRY(memfd_new("script", &f->content_fd));
    if (pipe2(fds, O_CLOEXEC) < 0)
        return -errno;
    f->status_fd = fds[0];
    write_fd = fds[1];
    if (fcntl(f->status_fd, F_SETFL, O_NONBLOCK) < 0)
        return -errno;
    r = sd_event_add_io(sd_bus_get_event(f->bus), &f->status_source, f->status_fd, EPOLLIN,
                        on_status, f);
    /* before the executor takes the write end, and after it refuses, the pipe has no writer
     * either */
    if (r >= 0)
        r = sd_event_source_set_enabled(f->status_source, SD_EVENT_OFF);
    if (r >= 0)
        r = make_order(&f->spec->source, &order_fd);
    return r < 0 ? r : call_executor(f, order_fd, write_fd);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
    Fetch *f = userdata;
    int r;

    r = try_attempt(f);
    if (r < 0)
        retry(f, strerror(-r));
    return 0;
}

void fetch_set_trouble(Fetch *f, Trouble *trouble) {
    f->trouble = trouble;
}

int fetch_new(sd_bus *bus, const char *guid, const JobSpec *spec, FetchDone done, void *userdata,
              Fetch **ret) {
    _cleanup_(fetch_freep) Fetch *f = calloc(1, sizeof(*f));

    if (!f)
        return -ENOMEM;
    f->content_fd = f->status_fd = -1;
    f->bus = sd_bus_ref(bus);
    f->spec = spec;
    f->done = done;
    f->userdata = userdata;
    f->guid = strdup(guid);
    if (!f->guid)
        return -ENOMEM;
    /* the loop also makes the first attempt */
    TRY(sd_event_add_time_relative(sd_bus_get_event(bus), &f->timer, CLOCK_BOOTTIME, 0, 0, on_timer,
                                   f));
    *ret = TAKE_PTR(f);
    return 0;
}

static int wrong(char **ret_error, const char *text) {
    *ret_error = strdup(text);
    return *ret_error ? -EINVAL : -ENOMEM;
}

static bool is_sha256(const char *s) {
    return strlen(s) == SHA256_HEX_SIZE - 1 &&
           strspn(s, "0123456789abcdefABCDEF") == SHA256_HEX_SIZE - 1;
}

int fetch_source_check(const FetchSource *source, char **ret_error) {
    if (!fetch_url_is_valid(source->url))
        return wrong(ret_error, "The argument 'url' is not an http, https or file URL");
    if (isempty(source->checksum) && fetch_url_is_remote(source->url) &&
        !(source->tls_is_enough && fetch_url_is_tls(source->url)))
        return wrong(ret_error,
                     "The argument 'checksum' is missing; http and https URLs must have one");
    if (!isempty(source->checksum) && !is_sha256(source->checksum))
        return wrong(ret_error, "The argument 'checksum' is not a SHA-256 in hex");
    if (source->certificate && !fetch_certificate_is_valid(source->certificate))
        return wrong(ret_error, "The argument 'ssl_cert' is not a certificate in PEM");
    return 0;
}
