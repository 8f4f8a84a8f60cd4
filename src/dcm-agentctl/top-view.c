/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-agentctl/top-view.h"

#include <limits.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "basic/i18n.h"
#include "dcm-agentctl/top-figures.h"
#include "dcm-agentctl/top-tables.h"

#define LINES_WITH_BLANKS 16

static const char *status_text(const TopModel *m, const char *key) {
    return strempty(json_object_get_string(json_object_object_get(m->status, key)));
}

static void draw_name(Painter *p, const TopModel *m) {
    time_t now = time(NULL);
    char name[65] = "", clock[16] = "";
    struct tm tm;
    Line l = line_begin(p);

    (void)gethostname(name, sizeof(name) - 1);
    if (localtime_r(&now, &tm))
        (void)strftime(clock, sizeof(clock), "%T", &tm);
    line_put_coloured(&l, COLOUR_BOLD, name);
    line_putf(&l, "  %s  dcm-agent %s", clock, status_text(m, "Version"));
    line_end(p, &l);
}

static void draw_connection(Painter *p, const TopModel *m) {
    const bool connected = m->status && streq(status_text(m, "State"), "connected");
    Line l = line_begin(p);

    line_put_coloured(&l, connected ? COLOUR_GREEN : COLOUR_RED, p->screen->utf8 ? "●" : "*");
    line_putf(&l, " %s", m->status ? status_text(m, "StatusText") : _("The agent is not running."));
    line_end(p, &l);
}

static void draw_pause(Painter *p, const TopModel *m) {
    const char *pause = status_text(m, "PauseMode");
    Line l = line_begin(p);

    if (isempty(pause))
        return;
    line_put_coloured(&l, COLOUR_YELLOW,
                      streq(pause, "waiting") ? _("Paused: new jobs wait; dcm-agentctl resume")
                                              : _("Paused: new jobs are refused; dcm-agentctl "
                                                  "resume"));
    line_end(p, &l);
}

/* The status line has it, too, at its end, which may have no room. */
static void draw_job_problem(Painter *p, const TopModel *m) {
    const char *problem = status_text(m, "JobProblem");
    Line l = line_begin(p);

    if (isempty(problem))
        return;
    line_paint(&l, COLOUR_YELLOW);
    line_putf(&l, _("Jobs do not start: %s"), problem);
    line_paint(&l, COLOUR_END);
    line_end(p, &l);
}

void top_draw(const TopModel *m, TopList *l, const TopScreen *s) {
    Painter p = {.screen = s};
    Line blank = line_begin(&p);

    draw_name(&p, m);
    draw_connection(&p, m);
    draw_pause(&p, m);
    draw_job_problem(&p, m);
    if (painter_get_room(&p) >= LINES_WITH_BLANKS)
        line_end(&p, &blank);
    top_draw_figures(&p, m);
    if (painter_get_room(&p) > 0)
        top_draw_tables(&p, m, l);
}

void top_draw_footer(const char *message, const TopScreen *s) {
    static const char *const keys[] = {N_("q: leave"),    N_("?: help"),       N_("c: cancel"),
                                       N_("s: sort"),     N_("m: machine"),    N_("p: pause"),
                                       N_("Enter: show"), N_("arrows: select")};
    const Painter p = {.screen = s};
    Line l = line_begin(&p);

    if (!isempty(message))
        line_put_coloured(&l, COLOUR_BOLD, message);
    for (size_t i = 0; isempty(message) && i < ELEMENTSOF(keys); i++) {
        const char *text = _(keys[i]);

        if (i > 0 && !line_has_room(&l, text))
            break;
        line_put(&l, i > 0 ? "  " : "");
        line_put(&l, text);
    }
    (void)fputs(l.text, stdout);
}
