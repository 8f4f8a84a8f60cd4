/* SPDX-License-Identifier: Apache-2.0 */
/* dcm-agentctl jobs --follow. On a terminal the list is redrawn with each change, and every
 * REFRESH_USEC while there are jobs, because their usage changes without a signal. Otherwise a line
 * is printed for each job that appears, changes its state, or disappears. A restart of the agent
 * does not end it. */
#include "dcm-agentctl/follow.h"

#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "basic/bounds.h"
#include "basic/i18n.h"
#include "basic/timer.h"
#include "dcm-agentctl/job-list.h"

#define REFRESH_USEC (2 * USEC_PER_SEC)
#define OWNER_MATCH                                                                                \
    "type='signal',sender='org.freedesktop.DBus',interface='org.freedesktop.DBus',"                \
    "member='NameOwnerChanged',arg0='" AGENT_NAME "'"
#define HOME "\033[H"
#define CLEAR_LINE "\033[K\n"
#define CLEAR_BELOW "\033[J"
#define HEADER_LINES 3

typedef struct Follower {
    const Context *context;
    sd_event *event;
    sd_event_source *look;  /* in the next iteration of the loop */
    sd_event_source *timer; /* for the next redraw */
    JobList list;
    bool has_looked;
    bool on_terminal;
} Follower;

static void look_soon(Follower *f) {
    (void)sd_event_source_set_enabled(f->look, SD_EVENT_ONESHOT);
}

static unsigned count_screen_lines(void) {
    struct winsize size = {};

    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) >= 0 && size.ws_row > HEADER_LINES + 1
               ? size.ws_row
               : 24;
}

/* Draws as many as fit. */
static void draw(Follower *f, bool is_running) {
    _cleanup_json_ struct json_object *rows = json_object_new_array();
    _cleanup_(table_freep) Table *t = NULL;
    const JobList *l = &f->list;
    size_t room = count_screen_lines() - HEADER_LINES, shown = MIN(l->n, room);

    (void)printf(HOME);
    if (!is_running)
        (void)printf("%s" CLEAR_LINE, _("The agent is not running."));
    else if (l->n == 0)
        (void)printf("%s" CLEAR_LINE, _(job_listing.none));
    for (size_t i = 0; i < shown; i++) {
        job_row_measure(f->context, &l->rows[i]);
        (void)json_object_array_add(rows, job_row_to_json(&l->rows[i], NULL));
    }
    t = shown > 0 ? listing_make(&job_listing, rows) : NULL;
    if (t)
        table_print(t, stdout, screen_get_width(), true, CLEAR_LINE);
    if (l->n > shown) {
        (void)printf(_("and %zu more"), l->n - shown);
        (void)printf(CLEAR_LINE);
    }
    (void)printf(CLEAR_BELOW);
}

/* What is no table is read by programs and by eyes that follow: a line has the same words always.
 */
static void print_change(const Follower *f, JobRow *row, const char *state) {
    _cleanup_json_ struct json_object *o = NULL;

    if (!state)
        job_row_measure(f->context, row);
    o = job_row_to_json(row, state);
    if (f->context->output.json)
        terminal_put_json(stdout, json_object_to_json_string_ext(
                                      o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
    else
        terminal_printf(stdout, "%s %s %s %s", row->guid, row->command, row->kind,
                        state ?: row->state);
    (void)putchar('\n');
}

static void print_changes(const Follower *f, JobList *fresh) {
    for (size_t i = 0; i < f->list.n; i++)
        if (!job_list_find(fresh, f->list.rows[i].guid))
            print_change(f, &f->list.rows[i], "ended");
    for (size_t i = 0; i < fresh->n; i++) {
        const JobRow *before = job_list_find(&f->list, fresh->rows[i].guid);

        if (!before || !streq(before->state, fresh->rows[i].state))
            print_change(f, &fresh->rows[i], NULL);
    }
}

static void take_list(Follower *f, JobList *fresh) {
    job_list_done(&f->list);
    f->list = *fresh;
    *fresh = (JobList){};
}

static bool is_absence(const sd_bus_error *e) {
    return sd_bus_error_has_name(e, SD_BUS_ERROR_SERVICE_UNKNOWN) ||
           sd_bus_error_has_name(e, SD_BUS_ERROR_NAME_HAS_NO_OWNER) ||
           sd_bus_error_has_name(e, SD_BUS_ERROR_NO_REPLY);
}

/* Jobs outlive the agent: after its return the new list is compared with the last one. */
static int look(Follower *f) {
    _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
    _cleanup_(job_list_done) JobList fresh = {};
    bool is_running;
    int r;

    r = job_list_load(f->context, &error, &fresh);
    is_running = r >= 0;
    if (r < 0 && (!f->has_looked || !is_absence(&error)))
        return ctl_report(f->context, &error, r);
    f->has_looked = true;
    if (is_running && !f->on_terminal)
        print_changes(f, &fresh);
    if (is_running || f->on_terminal)
        take_list(f, &fresh);
    if (f->on_terminal)
        draw(f, is_running);
    return 0;
}

static int on_look(sd_event_source *source, void *userdata) {
    Follower *f = userdata;
    int r;

    r = look(f);
    if (r < 0)
        return sd_event_exit(f->event, ctl_exit_status(r));
    if (fflush(stdout) != 0 || ferror(stdout)) /* nobody reads any more, or main() reports it */
        return sd_event_exit(f->event, EXIT_SUCCESS);
    if (f->on_terminal && f->list.n > 0)
        (void)timer_arm_in(f->timer, REFRESH_USEC);
    return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
    look_soon(userdata);
    return 0;
}

static int on_changed(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    look_soon(userdata);
    return 0;
}

static int on_interrupt(sd_event_source *source, const struct signalfd_siginfo *si,
                        void *userdata) {
    return sd_event_exit(sd_event_source_get_event(source), EXIT_SUCCESS);
}

static int on_closed(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
    return sd_event_exit(sd_event_source_get_event(source), EXIT_SUCCESS);
}

/* A pipe reports when its reader has gone; a file cannot be watched. */
static int watch_output(Follower *f) {
    int r = sd_event_add_io(f->event, NULL, STDOUT_FILENO, 0, on_closed, f);

    return r == -EPERM ? 0 : r;
}

static int watch_bus(Follower *f) {
    sd_bus *bus = f->context->bus;

    TRY(sd_bus_attach_event(bus, f->event, SD_EVENT_PRIORITY_NORMAL));
    TRY(sd_bus_set_exit_on_disconnect(bus, true));
    TRY(sd_bus_match_signal(bus, NULL, AGENT_NAME, AGENT_PATH, AGENT_INTERFACE, "JobsChanged",
                            on_changed, f));
    return sd_bus_add_match(bus, NULL, OWNER_MATCH, on_changed, f);
}

static int set_up(Follower *f) {
    static const int signals[] = {SIGINT, SIGTERM, 0};

    TRY(sd_event_new(&f->event));
    TRY(sd_event_add_defer(f->event, &f->look, on_look, f));
    TRY(timer_new(f->event, 0, on_timer, f, &f->timer));
    TRY(ctl_watch_signals(f->event, signals, on_interrupt, f));
    TRY(watch_output(f));
    return watch_bus(f);
}

static void tear_down(Follower *f) {
    sd_event_source_disable_unref(f->look);
    sd_event_source_disable_unref(f->timer);
    if (f->event)
        (void)sd_bus_detach_event(f->context->bus);
    sd_event_unref(f->event);
    job_list_done(&f->list);
}

int jobs_follow(const Context *c) {
    _cleanup_(tear_down) Follower f = {.context = c, .on_terminal = isatty(STDOUT_FILENO)};
    int r;

    if (c->output.json)
        f.on_terminal = false;
    r = set_up(&f);
    if (r < 0) {
        (void)fprintf(stderr, _("The jobs cannot be followed: %s\n"), strerror(-r));
        return r;
    }
    if (f.on_terminal)
        (void)printf(HOME CLEAR_BELOW);
    return sd_event_loop(f.event);
}
