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
#include "basic/utf8.h"
#include "dcm-agentctl/requests.h"
#include "dcm-agentctl/top-keys.h"
#include "dcm-agentctl/top-model.h"
#include "dcm-agentctl/top-page.h"
#include "dcm-agentctl/top-tables.h"
#include "dcm-agentctl/top-view.h"
#include "dcm-agentctl/verbs.h"

/* the samples of one second arrive one after the other, within this time */
#define ROUND_USEC (50 * USEC_PER_MSEC)
#define ONLY_ROUND_USEC (500 * USEC_PER_MSEC) /* of the one picture: nothing comes after it */
#define ABSENCE_USEC (2 * USEC_PER_SEC)

#define ENTER "\033[?1049h\033[?25l\033[?7l" /* alternate screen, no cursor, no wrapping */
#define LEAVE "\033[?7h\033[?25h\033[?1049l"
#define HOME "\033[H"
#define CLEAR_LINE "\033[K\r\n"
#define LINE "\033[%d;1H"
#define CLEAR_BELOW "\033[J"

#define KEY_USEC (100 * USEC_PER_MSEC) /* between the bytes of one key */

typedef enum TopQuestion {
    QUESTION_NONE,
    QUESTION_CANCEL,
    QUESTION_PAUSE,
    QUESTION_RESUME,
} TopQuestion;

typedef struct Top {
    const Context *context;
    sd_event *event;
    sd_event_source *timer;
    bool on_terminal;
    struct termios before;
    TopModel model;
    TopList list;
    KeyReader keys;
    sd_event_source *key_timer; /* of a sequence that has begun */
    TopPage page;
    char *shown;     /* GUID of the request on the page */
    bool is_machine; /* the page is of the machine; else, without a GUID, it is the help */
    char *asked;     /* GUID of the job to be cancelled */
    TopQuestion question;
    char message[CTL_TEXT_SIZE]; /* until the next key */
    int status;                  /* exit status */
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

static void explain(Top *t, const sd_bus_error *error, int r) {
    (void)ctl_explain(t->context, error, r, t->message);
    t->message[strcspn(t->message, "\n")] = 0;
}

static void close_page(Top *t) {
    top_page_close(&t->page);
    free(TAKE_PTR(t->shown));
    t->is_machine = false;
}

/* Again with each round: the request goes on. */
static void load_shown(Top *t) {
    _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
    _cleanup_json_ struct json_object *o = NULL;
    char *text = NULL;
    size_t size;
    FILE *f;
    int r = request_load(t->context, t->shown, &error, &o);

    if (r < 0) {
        explain(t, &error, r);
        return;
    }
    f = open_memstream(&text, &size);
    if (!f)
        return explain(t, &error, -errno);
    request_print(f, o);
    if (fclose(f) == 0)
        top_page_open(&t->page, text);
    else
        free(text);
}

/* Again with each picture: figures and the size of the screen change. */
static void load_machine(Top *t) {
    char *text = top_make_machine(&t->model, find_screen(t).columns);

    if (text)
        top_page_open(&t->page, text);
}

static int draw(Top *t) {
    const TopScreen s = find_screen(t);

    if (t->is_machine)
        load_machine(t);

    if (t->on_terminal)
        (void)fputs(HOME, stdout);
    if (top_list_update(&t->list, &t->model) < 0)
        return sd_event_exit(t->event, -ENOMEM);
    if (t->page.text)
        top_page_draw(&t->page, &s);
    else
        top_draw(&t->model, &t->list, &s);
    if (t->on_terminal) {
        (void)printf(CLEAR_BELOW LINE, s.lines + 1);
        top_draw_footer(*t->message    ? t->message
                        : t->page.text ? _("q, Escape: back  arrows: scroll")
                                       : NULL,
                        &s);
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
    if (t->shown)
        load_shown(t);
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
        arm(t, t->on_terminal ? ROUND_USEC : ONLY_ROUND_USEC);
    top_model_take(&t->model, &s);
    return 0;
}

/* --- keys --------------------------------------------------------------------------------------
 */

static void show(Top *t) {
    const JobRow *job = top_list_get_selected(&t->list);

    t->shown = job ? strdup(job->guid) : NULL;
    if (t->shown)
        load_shown(t);
    if (!t->page.text)
        close_page(t);
}

static void ask_cancel(Top *t) {
    const JobRow *job = top_list_get_selected(&t->list);

    free(t->asked);
    t->asked = job ? strdup(job->guid) : NULL;
    if (!t->asked)
        return;
    t->question = QUESTION_CANCEL;
    (void)utf8_format(t->message, sizeof(t->message), _("Cancel? y/n  (%s %.8s)"), job->command,
                      job->guid);
}

static void ask_pause(Top *t) {
    const char *pause = json_get_string(t->model.status, "PauseMode");

    t->question = isempty(pause) ? QUESTION_PAUSE : QUESTION_RESUME;
    (void)utf8_format(t->message, sizeof(t->message), "%s",
                      isempty(pause) ? _("Pause? y/n  (new jobs wait)")
                                     : _("Resume? y/n  (jobs start again)"));
}

static void answer(Top *t, int key) {
    _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
    const TopQuestion question = t->question;
    sd_bus *bus = t->context->bus;
    int r = 0;

    t->question = QUESTION_NONE;
    if (key != 'y' && key != 'Y')
        return;
    if (question == QUESTION_CANCEL)
        r = sd_bus_call_method(bus, AGENT_NAME, AGENT_PATH, AGENT_INTERFACE, "Cancel", &error, NULL,
                               "s", t->asked);
    else if (question == QUESTION_PAUSE)
        r = sd_bus_call_method(bus, AGENT_NAME, AGENT_PATH, AGENT_INTERFACE, "Pause", &error, NULL,
                               "b", false);
    else
        r = sd_bus_call_method(bus, AGENT_NAME, AGENT_PATH, AGENT_INTERFACE, "Resume", &error, NULL,
                               NULL);
    if (r < 0)
        explain(t, &error, r);
    else
        top_model_refresh(&t->model, t->context);
}

/* How far a key goes, in rows; 0: it is none of these. */
static long movement(int key, size_t page) {
    const long far = (long)MAX(page, (size_t)1);

    switch (key) {
    case KEY_UP:
    case 'k':
        return -1;
    case KEY_DOWN:
    case 'j':
        return 1;
    case KEY_PAGE_UP:
        return -far;
    case KEY_PAGE_DOWN:
        return far;
    case KEY_HOME:
        return -INT_MAX;
    case KEY_END:
        return INT_MAX;
    default:
        return 0;
    }
}

static void take_page_key(Top *t, int key) {
    if (key == 'q' || key == 'Q' || key == KEY_ESCAPE)
        close_page(t);
    else
        top_page_move(&t->page, movement(key, t->page.height));
}

static int take_list_key(Top *t, int key) {
    switch (key) {
    case 'q':
    case 'Q':
        return sd_event_exit(t->event, 0);
    case 'h':
    case '?':
        top_page_open(&t->page, top_make_help());
        return 0;
    case 'm':
        t->is_machine = true;
        load_machine(t);
        return 0;
    case 's':
        return top_list_sort_next(&t->list, &t->model);
    case 'c':
        ask_cancel(t);
        return 0;
    case 'p':
        ask_pause(t);
        return 0;
    case '\r':
    case '\n':
        show(t);
        return 0;
    default:
        return top_list_move(&t->list, movement(key, t->list.page));
    }
}

static int take_key(Top *t, int key) {
    *t->message = 0;
    if (t->question != QUESTION_NONE)
        answer(t, key);
    else if (t->page.text)
        take_page_key(t, key);
    else
        return take_list_key(t, key);
    return 0;
}

static int on_key_timer(sd_event_source *source, uint64_t usec, void *userdata) {
    Top *t = userdata;
    int key = key_reader_flush(&t->keys);

    if (key != KEY_NONE)
        TRY(take_key(t, key));
    return draw(t);
}

static int on_key(sd_event_source *source, int fd, uint32_t events, void *userdata) {
    char bytes[16];
    ssize_t n = read(fd, bytes, sizeof(bytes));
    Top *t = userdata;

    if (n <= 0)
        return sd_event_exit(t->event, 0);
    for (ssize_t i = 0; i < n; i++) {
        int key = key_reader_take(&t->keys, bytes[i]);

        if (key != KEY_NONE)
            TRY(take_key(t, key));
        TRY(top_list_update(&t->list, &t->model)); /* a key may have changed the jobs */
    }
    if (t->keys.n > 0) {
        TRY(sd_event_source_set_time_relative(t->key_timer, KEY_USEC));
        TRY(sd_event_source_set_enabled(t->key_timer, SD_EVENT_ONESHOT));
        return 0;
    }
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
    if (r >= 0)
        r = sd_event_add_time_relative(t->event, &t->key_timer, CLOCK_MONOTONIC, 0, 1, on_key_timer,
                                       t);
    if (r >= 0)
        r = sd_event_source_set_enabled(t->key_timer, SD_EVENT_OFF);
    if (r >= 0 && t->on_terminal)
        r = sd_event_add_io(t->event, NULL, STDIN_FILENO, EPOLLIN, on_key, t);
    return r;
}

static void tear_down(Top *t) {
    if (t->event)
        (void)sd_bus_detach_event(t->context->bus);
    sd_event_source_disable_unref(t->timer);
    sd_event_unref(t->event);
    sd_event_source_disable_unref(t->key_timer);
    close_page(t);
    free(t->asked);
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
        return ctl_report(c, &error, r);
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
