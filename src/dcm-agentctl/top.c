/* SPDX-License-Identifier: Apache-2.0 */
/* While top runs the agent samples each second, and each round of samples redraws the screen.
 * Without a terminal top prints one picture and exits. */
#include <langinfo.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "basic/bounds.h"
#include "basic/i18n.h"
#include "basic/timer.h"
#include "dcm-agentctl/top-model.h"
#include "dcm-agentctl/top-view.h"
#include "dcm-agentctl/verbs.h"

/* the samples of one second arrive one after the other, within this time */
#define ROUND_USEC (50 * USEC_PER_MSEC)
#define ABSENCE_USEC (2 * USEC_PER_SEC)

#define ENTER "\033[?1049h\033[?25l\033[?7l" /* alternate screen, no cursor, no wrapping */
#define LEAVE "\033[?7h\033[?25h\033[?1049l"
#define HOME "\033[H"
#define CLEAR_LINE "\033[K\r\n"
#define LINE "\033[%d;1H"
#define CLEAR_BELOW "\033[J"

typedef struct Top {
    const Context *context;
    sd_event *event;
    sd_event_source *timer;
    bool on_terminal;
    struct termios before;
    TopModel model;
    TopList list;
    int status; /* exit status */
} Top;

/* --- the screen --------------------------------------------------------------------------------
 */

static TopScreen find_screen(const Top *t) {
    struct winsize size = {};
    TopScreen s = {
        .columns = INT_MAX,
        .utf8 = streq(nl_langinfo(CODESET), "UTF-8"),
        .line_end = t->on_terminal ? CLEAR_LINE : "\n",
    };

    if (!t->on_terminal)
        return s;
    s.columns = 80;
    s.lines = 23;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) >= 0 && size.ws_col >= 20 && size.ws_row >= 5) {
        s.columns = size.ws_col;
        s.lines = size.ws_row - 1;
    }
    return s;
}

static int draw(Top *t) {
    const TopScreen s = find_screen(t);

    if (t->on_terminal)
        (void)fputs(HOME, stdout);
    if (top_list_update(&t->list, &t->model) < 0)
        return sd_event_exit(t->event, -ENOMEM);
    top_draw(&t->model, &t->list, &s);
    if (t->on_terminal) {
        (void)printf(CLEAR_BELOW LINE, s.lines + 1);
        top_draw_footer(NULL, &s);
    }
    if (fflush(stdout) == 0 && !ferror(stdout))
        return 0;
    t->status = EXIT_FAILURE;
    return sd_event_exit(t->event, 0);
}

static void restore(Top *t) {
    if (!t->on_terminal)
        return;
    (void)tcsetattr(STDIN_FILENO, TCSADRAIN, &t->before);
    (void)fputs(LEAVE, stdout);
    (void)fflush(stdout);
}

/* Reads single keys without echo. */
static void take_terminal(Top *t) {
    struct termios raw;

    if (tcgetattr(STDIN_FILENO, &t->before) < 0) {
        t->on_terminal = false;
        return;
    }
    raw = t->before;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    (void)tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
    (void)fputs(ENTER, stdout);
}

/* --- the loop ----------------------------------------------------------------------------------
 */

static void arm(Top *t, uint64_t usec) {
    (void)timer_arm_in(t->timer, usec);
}

static int subscribe(Top *t, sd_bus_error *error) {
    return sd_bus_call_method(t->context->bus, AGENT_NAME, AGENT_PATH, HEALTH_INTERFACE,
                              "Subscribe", error, NULL, NULL);
}

/* After a round of samples; or after a time without any, when the agent may have been restarted. */
static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
    _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
    Top *t = userdata;

    top_model_refresh(&t->model, t->context);
    if (t->on_terminal || t->model.cpu.n > 0)
        (void)draw(t);
    if (!t->on_terminal && t->model.cpu.n > 0)
        return sd_event_exit(t->event, 0);
    (void)subscribe(t, &error);
    arm(t, ABSENCE_USEC);
    return 0;
}

static int on_sampled(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    HealthSample s;
    Top *t = userdata;

    TRY(health_sample_read(m, &s));
    if (streq(s.type, "system-stats") || !timer_is_armed(t->timer)) /* the first of its round */
        arm(t, ROUND_USEC);
    top_model_take(&t->model, &s);
    return 0;
}

static int on_key(sd_event_source *source, int fd, uint32_t events, void *userdata) {
    char keys[16];
    ssize_t n = read(fd, keys, sizeof(keys));
    Top *t = userdata;

    if (n <= 0 || memchr(keys, 'q', (size_t)n) || memchr(keys, 'Q', (size_t)n))
        return sd_event_exit(t->event, 0);
    return draw(t);
}

/* For Ctrl-Z: the shell restores only the settings of the terminal. */
static void stop(Top *t) {
    restore(t);
    (void)raise(SIGSTOP);
    if (t->on_terminal)
        take_terminal(t);
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *si, void *userdata) {
    Top *t = userdata;

    switch (si->ssi_signo) {
    case SIGTSTP:
        stop(t);
        return t->on_terminal ? draw(t) : 0;
    case SIGWINCH:
        return draw(t);
    default:
        return sd_event_exit(t->event, 0);
    }
}

static int set_up(Top *t, sd_bus_error *error) {
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGTSTP, SIGWINCH, 0};
    sd_bus *bus = t->context->bus;
    int r;

    r = top_model_load(&t->model, t->context, error);
    if (r >= 0)
        r = health_subscribe(t->context, on_sampled, t, error);
    if (r >= 0)
        r = sd_event_new(&t->event);
    if (r >= 0)
        r = sd_event_add_time_relative(t->event, &t->timer, CLOCK_BOOTTIME, ABSENCE_USEC, 1,
                                       on_timer, t);
    if (r >= 0)
        r = ctl_watch_signals(t->event, signals, on_signal, t);
    if (r >= 0)
        r = sd_bus_attach_event(bus, t->event, SD_EVENT_PRIORITY_NORMAL);
    if (r >= 0)
        r = sd_bus_set_exit_on_disconnect(bus, true);
    if (r >= 0 && t->on_terminal)
        r = sd_event_add_io(t->event, NULL, STDIN_FILENO, EPOLLIN, on_key, t);
    return r;
}

static void tear_down(Top *t) {
    if (t->event)
        (void)sd_bus_detach_event(t->context->bus);
    sd_event_source_disable_unref(t->timer);
    sd_event_unref(t->event);
    top_list_done(&t->list);
    top_model_done(&t->model);
}

int verb_top(const Context *c, int argc, char *argv[]) {
    _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
    _cleanup_(tear_down) Top t = {
        .context = c,
        .on_terminal = isatty(STDOUT_FILENO) && isatty(STDIN_FILENO),
    };
    int r;

    r = set_up(&t, &error);
    if (r < 0)
        return ctl_report(&error, r);
    if (t.on_terminal)
        take_terminal(&t);
    if (t.on_terminal) { /* draw what is known before the first round */
        top_model_refresh(&t.model, c);
        (void)draw(&t);
    }
    r = sd_event_loop(t.event);
    restore(&t);
    return r != 0 ? r : t.status; /* the bus may have ended the loop */
}
