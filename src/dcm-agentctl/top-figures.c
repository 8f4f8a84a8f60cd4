/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-agentctl/top-figures.h"

#include <math.h>
#include <stdio.h>

#include "basic/i18n.h"

#define LABEL_WIDTH 10
#define VALUE_WIDTH 9   /* "1023.9K/s" */
#define DETAIL_WIDTH 50 /* of the text on the right, with its gap */
#define SPARK_MIN 8
#define WARNING_SHARE 0.75
#define DANGER_SHARE 0.9

Colour top_get_colour(double share) {
    return share >= DANGER_SHARE    ? COLOUR_RED
           : share >= WARNING_SHARE ? COLOUR_YELLOW
                                    : COLOUR_GREEN;
}

/* What a line has beside the sparkline goes first; a short one says nothing. 0: none. */
static size_t spark_width(const TopScreen *s) {
    const int rest = MIN(s->columns, 1000) - LABEL_WIDTH - VALUE_WIDTH - DETAIL_WIDTH;

    return rest < SPARK_MIN ? 0 : (size_t)MIN(rest, HISTORY_MAX);
}

/* The newest values on the right, each as high as its share of `max`. */
static void put_sparkline(Line *l, const History *h, double max) {
    static const char *const blocks[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    static const char *const letters[] = {"_", ".", "-", "=", "+", "*", "%", "#"};
    const size_t width = spark_width(l->screen), n = MIN(h->n, width);

    for (size_t i = n; i < width; i++)
        line_put(l, " ");
    for (size_t i = h->n - n; i < h->n; i++) {
        double share = max > 0 ? h->values[i] / max : 0;
        size_t level = (size_t)(MAX(MIN(share, 1.0), 0.0) * 7.0 + 0.5);

        line_put(l, l->screen->utf8 ? blocks[level] : letters[level]);
    }
}

static double newest(const History *h) {
    return h->n > 0 ? h->values[h->n - 1] : NAN;
}

/* Of the newest n values. */
static double greatest(const History *h, size_t n) {
    double max = 0;

    for (size_t i = h->n - MIN(h->n, n); i < h->n; i++)
        max = MAX(max, h->values[i]);
    return max;
}

static double get(const TopModel *m, const char *type, const char *key) {
    return health_sample_get(health_samples_find(&m->newest, type), "", key);
}

static void put_value(Line *l, double value, const char *unit) {
    char text[VALUE_SIZE];

    sample_format(value, unit, text);
    line_put(l, text);
}

static void put_label(Line *l, const char *label) {
    line_paint(l, COLOUR_BOLD);
    line_put_padded(l, label, LABEL_WIDTH);
    line_paint(l, COLOUR_END);
}

static void put_figure(Line *l, const char *text) {
    line_put_right(l, text, spark_width(l->screen) > 0 ? VALUE_WIDTH + 1 : VALUE_WIDTH);
}

static void draw_share(Painter *p, const char *label, const History *h, Line *l) {
    char text[VALUE_SIZE];

    *l = line_begin(p);
    put_label(l, label);
    line_paint(l, top_get_colour(newest(h)));
    put_sparkline(l, h, 1);
    sample_format(newest(h), "share", text);
    put_figure(l, text);
    line_paint(l, COLOUR_END);
    line_put(l, "  ");
}

static void draw_cpu(Painter *p, const TopModel *m) {
    Line l;

    draw_share(p, _("CPU"), &m->cpu, &l);
    line_putf(&l, _("load %.2f %.2f %.2f, %.0f of %.0f tasks can run"), get(m, "load", "load-1"),
              get(m, "load", "load-5"), get(m, "load", "load-15"), get(m, "load", "runnable"),
              get(m, "load", "tasks"));
    line_end(p, &l);
}

static void draw_memory(Painter *p, const TopModel *m) {
    char total[VALUE_SIZE], available[VALUE_SIZE], swap[VALUE_SIZE], swap_used[VALUE_SIZE];
    Line l;

    sample_format(get(m, "memory", "total"), "bytes", total);
    sample_format(get(m, "memory", "available"), "bytes", available);
    sample_format(get(m, "memory", "swap-total"), "bytes", swap);
    sample_format(get(m, "memory", "swap-used"), "bytes", swap_used);
    draw_share(p, _("Memory"), &m->memory, &l);
    line_putf(&l, _("%s available of %s"), available, total);
    if (get(m, "memory", "swap-total") > 0)
        line_putf(&l, _(", swap %s of %s used"), swap_used, swap);
    line_end(p, &l);
}

/* Rates have no maximum: the greatest visible one sets the scale. */
static void draw_rate(Painter *p, const char *label, const History *h, Line *l) {
    char text[VALUE_SIZE];

    *l = line_begin(p);
    put_label(l, label);
    line_paint(l, COLOUR_GREEN);
    put_sparkline(l, h, greatest(h, spark_width(l->screen)));
    line_paint(l, COLOUR_END);
    sample_format(newest(h), "bytes/s", text);
    put_figure(l, text);
    line_put(l, "  ");
}

/* Sums all rows except the loopback interface. */
static double sum(const TopModel *m, const char *type, const char *key) {
    const HealthSample *s = health_samples_find(&m->newest, type);
    double total = s ? 0 : NAN;

    for (size_t i = 0; s && i < s->n; i++)
        if (streq(s->values[i].key, key) && !isempty(s->values[i].row) &&
            !streq(s->values[i].row, "lo"))
            total += s->values[i].value;
    return total;
}

static void draw_disks(Painter *p, const TopModel *m) {
    Line l;

    draw_rate(p, _("Disks"), &m->disk, &l);
    line_put(&l, _("read "));
    put_value(&l, sum(m, "disks", "read-bytes"), "bytes/s");
    line_put(&l, _(", written "));
    put_value(&l, sum(m, "disks", "write-bytes"), "bytes/s");
    line_end(p, &l);
}

static void draw_network(Painter *p, const TopModel *m) {
    Line l;

    draw_rate(p, _("Network"), &m->network, &l);
    line_put(&l, _("in "));
    put_value(&l, sum(m, "interfaces", "bytes-in"), "bytes/s");
    line_put(&l, _(", out "));
    put_value(&l, sum(m, "interfaces", "bytes-out"), "bytes/s");
    line_end(p, &l);
}

static void draw_pressure(Painter *p, const TopModel *m) {
    static const struct {
        const char *row, *name;
    } resources[] = {{"cpu", N_("CPU")}, {"memory", N_("memory")}, {"io", N_("disks")}};
    const HealthSample *s = health_samples_find(&m->newest, "pressure");
    Line l = line_begin(p);
    bool first = true;

    if (!s || s->n == 0) /* the kernel does not report it */
        return;
    put_label(&l, _("Pressure"));
    for (size_t i = 0; i < ELEMENTSOF(resources); i++) {
        double percent = health_sample_get(s, resources[i].row, "some-avg10");

        if (isnan(percent))
            continue;
        line_putf(&l, "%s%s ", first ? "" : ", ", _(resources[i].name));
        line_paint(&l, top_get_colour(percent / 100));
        put_value(&l, percent, "percent");
        line_paint(&l, COLOUR_END);
        first = false;
    }
    line_put_coloured(&l, COLOUR_GREY, _(" of the last 10 s tasks waited"));
    line_end(p, &l);
}

static void draw_units(Painter *p, const TopModel *m) {
    const HealthSample *s = health_samples_find(&m->newest, "units");
    double failed = get(m, "units", "failed");
    Line l = line_begin(p);

    if (isnan(failed))
        return;
    put_label(&l, _("Units"));
    line_paint(&l, failed > 0 ? COLOUR_RED : COLOUR_GREEN);
    if (failed > 0)
        line_putf(&l, _("%.0f failed:"), failed);
    else
        line_put(&l, _("none failed"));
    line_paint(&l, COLOUR_END);
    for (size_t i = 0; i < s->n; i++)
        if (!isempty(s->values[i].row))
            line_putf(&l, " %s", s->values[i].row);
    line_end(p, &l);
}

void top_draw_figures(Painter *p, const TopModel *m) {
    draw_cpu(p, m);
    draw_memory(p, m);
    draw_disks(p, m);
    draw_network(p, m);
    draw_pressure(p, m);
    draw_units(p, m);
}
