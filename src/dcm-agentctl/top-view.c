/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-agentctl/top-view.h"

#include <math.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "basic/bounds.h"
#include "basic/i18n.h"

#define LABEL_WIDTH 10
#define SPARK_WIDTH 30
#define ROWS_MAX 6 /* of disks, interfaces, file systems */
#define WARNING_SHARE 0.75
#define DANGER_SHARE 0.9

/* --- figures -----------------------------------------------------------------------------------
 */

static const char *colour_of(double share) {
    return share >= DANGER_SHARE ? RED : share >= WARNING_SHARE ? YELLOW : GREEN;
}

/* The newest values on the right, each as high as its share of `max`. */
static void put_sparkline(Line *l, const History *h, double max) {
    static const char *const blocks[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    static const char *const letters[] = {"_", ".", "-", "=", "+", "*", "%", "#"};
    size_t n = MIN(h->n, (size_t)SPARK_WIDTH);

    for (size_t i = n; i < SPARK_WIDTH; i++)
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

static double greatest(const History *h) {
    double max = 0;

    for (size_t i = h->n - MIN(h->n, (size_t)SPARK_WIDTH); i < h->n; i++)
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
    line_paint(l, BOLD);
    line_put_padded(l, label, LABEL_WIDTH);
    line_paint(l, PLAIN);
}

static void draw_share(Painter *p, const char *label, const History *h, Line *l) {
    char text[VALUE_SIZE];

    *l = line_begin(p);
    put_label(l, label);
    line_paint(l, colour_of(newest(h)));
    put_sparkline(l, h, 1);
    sample_format(newest(h), "share", text);
    line_put_right(l, text, 9);
    line_paint(l, PLAIN);
    line_put(l, "   ");
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
    line_putf(&l, _("%s of %s available"), available, total);
    if (get(m, "memory", "swap-total") > 0)
        line_putf(&l, _(", swap %s of %s used"), swap_used, swap);
    line_end(p, &l);
}

/* Rates have no maximum: the greatest visible one sets the scale. */
static void draw_rate(Painter *p, const char *label, const History *h, Line *l) {
    char text[VALUE_SIZE];

    *l = line_begin(p);
    put_label(l, label);
    line_paint(l, GREEN);
    put_sparkline(l, h, greatest(h));
    line_paint(l, PLAIN);
    sample_format(newest(h), "bytes/s", text);
    line_put_right(l, text, 9);
    line_put(l, "   ");
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
    static const char *const resources[] = {"cpu", "memory", "io"};
    const HealthSample *s = health_samples_find(&m->newest, "pressure");
    Line l = line_begin(p);

    if (!s || s->n == 0) /* the kernel does not report it */
        return;
    put_label(&l, _("Pressure"));
    for (size_t i = 0; i < ELEMENTSOF(resources); i++) {
        double percent = health_sample_get(s, resources[i], "some-avg10");

        if (isnan(percent))
            continue;
        line_putf(&l, "%s ", resources[i]);
        line_paint(&l, colour_of(percent / 100));
        put_value(&l, percent, "percent");
        line_paint(&l, PLAIN);
        line_put(&l, "   ");
    }
    line_put_painted(&l, DIM, _("of the last 10 s some task waited"));
    line_end(p, &l);
}

static void draw_units(Painter *p, const TopModel *m) {
    const HealthSample *s = health_samples_find(&m->newest, "units");
    double failed = get(m, "units", "failed");
    Line l = line_begin(p);

    if (isnan(failed))
        return;
    put_label(&l, _("Units"));
    line_paint(&l, failed > 0 ? RED : GREEN);
    if (failed > 0)
        line_putf(&l, _("%.0f failed:"), failed);
    else
        line_put(&l, _("none failed"));
    line_paint(&l, PLAIN);
    for (size_t i = 0; i < s->n; i++)
        if (!isempty(s->values[i].row))
            line_putf(&l, " %s", s->values[i].row);
    line_end(p, &l);
}

/* --- tables ------------------------------------------------------------------------------------
 */

static void draw_blank(Painter *p) {
    Line l = line_begin(p);

    line_end(p, &l);
}

static void draw_titles(Painter *p, const char *first, int first_width, const char *const *titles,
                        size_t n, int width) {
    Line l = line_begin(p);

    draw_blank(p);
    line_paint(&l, DIM);
    line_put_padded(&l, first, first_width);
    for (size_t i = 0; i < n; i++)
        line_put_right(&l, titles[i], width);
    line_paint(&l, PLAIN);
    line_end(p, &l);
}

static void draw_file_systems(Painter *p, const TopModel *m) {
    const HealthSample *s = health_samples_find(&m->newest, "filesystems");
    const char *titles[] = {_("SIZE"), _("USED"), _("AVAILABLE"), _("USE"), _("INODES")};
    size_t n = 0;

    if (!s || s->n == 0)
        return;
    draw_titles(p, _("FILE SYSTEM"), 28, titles, ELEMENTSOF(titles), 12);
    for (size_t i = 0; i < s->n && n < ROWS_MAX && !painter_is_full(p); i++) {
        const char *row = s->values[i].row;
        double used = health_sample_get(s, row, "used");
        double available = health_sample_get(s, row, "available");
        double share = used + available > 0 ? used / (used + available) : NAN;
        double files =
            health_sample_get(s, row, "inodes-used") / health_sample_get(s, row, "inodes");
        Line l = line_begin(p);
        char text[VALUE_SIZE];

        if (!streq(s->values[i].key, "size"))
            continue;
        line_put_padded(&l, row, 28);
        sample_format(s->values[i].value, "bytes", text);
        line_put_right(&l, text, 12);
        sample_format(used, "bytes", text);
        line_put_right(&l, text, 12);
        sample_format(available, "bytes", text);
        line_put_right(&l, text, 12);
        line_paint(&l, colour_of(share));
        sample_format(share, "share", text);
        line_put_right(&l, text, 12);
        line_paint(&l, isnan(files) ? PLAIN : colour_of(files));
        sample_format(files, "share", text);
        line_put_right(&l, text, 12);
        line_paint(&l, PLAIN);
        line_end(p, &l);
        n++;
    }
}

typedef struct TopColumn {
    const char *title, *key;
} TopColumn;

/* Shows idle rows only if there is room. */
static void draw_table(Painter *p, const TopModel *m, const char *type, const char *first,
                       const TopColumn *columns, size_t n_columns) {
    const HealthSample *s = health_samples_find(&m->newest, type);
    const char *titles[ROWS_MAX], *row = "";
    char text[VALUE_SIZE];
    size_t n = 0;

    if (!s || s->n == 0)
        return;
    for (size_t k = 0; k < n_columns; k++)
        titles[k] = _(columns[k].title);
    draw_titles(p, first, 28, titles, n_columns, 12);
    for (size_t i = 0; i < s->n && n < ROWS_MAX && !painter_is_full(p); i++) {
        Line l = line_begin(p);

        if (isempty(s->values[i].row) || streq(s->values[i].row, row))
            continue;
        row = s->values[i].row;
        line_put_padded(&l, row, 28);
        for (size_t k = 0; k < n_columns; k++) {
            sample_format(health_sample_get(s, row, columns[k].key),
                          sample_units_find(&m->units, type, columns[k].key, true), text);
            line_put_right(&l, text, 12);
        }
        line_end(p, &l);
        n++;
    }
}

/* Since the previous measurement, in processors. */
static double cpu_share(const TopModel *m, const JobRow *row) {
    const JobRow *before = job_list_find(&m->jobs_before, row->guid);
    double elapsed = (double)(m->jobs_usec - m->jobs_before_usec) * 1000;

    if (!before || before->cpu_nsec == UINT64_MAX || row->cpu_nsec == UINT64_MAX ||
        row->cpu_nsec < before->cpu_nsec || elapsed <= 0)
        return NAN;
    return (double)(row->cpu_nsec - before->cpu_nsec) / elapsed;
}

static void draw_jobs(Painter *p, const TopModel *m) {
    const char *titles[] = {_("STATE"), _("CPU"), _("MEMORY"), _("DONE")};
    char first[64], text[VALUE_SIZE];

    (void)snprintf(first, sizeof(first), _("JOBS: %zu"), m->jobs.n);
    draw_titles(p, first, 54, titles, ELEMENTSOF(titles), 12);
    for (size_t i = 0; i < m->jobs.n; i++) {
        const JobRow *row = &m->jobs.rows[i];
        Line l = line_begin(p);

        if (painter_is_full(p) && i + 1 < m->jobs.n) {
            line_putf(&l, _("and %zu more"), m->jobs.n - i);
            line_end(p, &l);
            return;
        }
        line_put_padded(&l, row->guid, 38);
        line_put_padded(&l, row->command, 16);
        line_put_right(&l, row->state, 12);
        sample_format(cpu_share(m, row), "share", text);
        line_put_right(&l, text, 12);
        sample_format(row->memory == UINT64_MAX ? NAN : (double)row->memory, "bytes", text);
        line_put_right(&l, text, 12);
        sample_format(row->percent < 0 ? NAN : (double)row->percent, "percent", text);
        line_put_right(&l, text, 12);
        if (!isempty(row->progress))
            line_putf(&l, "  %s", row->progress);
        line_end(p, &l);
    }
}

static const char *status_text(const TopModel *m, const char *key) {
    return strempty(json_object_get_string(json_object_object_get(m->status, key)));
}

static void draw_head(Painter *p, const TopModel *m) {
    bool connected = m->status && streq(status_text(m, "State"), "connected");
    time_t now = time(NULL);
    char name[65] = "", clock[16] = "";
    struct tm tm;
    Line l = line_begin(p);

    (void)gethostname(name, sizeof(name) - 1);
    if (localtime_r(&now, &tm))
        (void)strftime(clock, sizeof(clock), "%T", &tm);
    line_put_painted(&l, BOLD, name);
    line_putf(&l, "   dcm-agent %s   %s", status_text(m, "Version"), clock);
    line_end(p, &l);
    l = line_begin(p);
    line_put_painted(&l, connected ? GREEN : RED, p->screen->utf8 ? "●" : "*");
    line_putf(&l, " %s", m->status ? status_text(m, "StatusText") : _("The agent is not running."));
    if (m->status && !isempty(status_text(m, "Pause")))
        line_put_painted(&l, YELLOW, _("   paused: dcm-agentctl resume"));
    line_end(p, &l);
    draw_blank(p);
}

void top_draw(const TopModel *m, const TopScreen *s) {
    static const TopColumn disks[] = {
        {N_("READ"), "read-bytes"},     {N_("WRITTEN"), "write-bytes"},
        {N_("A READ"), "read-latency"}, {N_("A WRITE"), "write-latency"},
        {N_("BUSY"), "utilisation"},
    };
    static const TopColumn interfaces[] = {
        {N_("IN"), "bytes-in"},         {N_("OUT"), "bytes-out"},
        {N_("ERRORS IN"), "errors-in"}, {N_("ERRORS OUT"), "errors-out"},
        {N_("DROPPED"), "drops-in"},
    };
    Painter p = {.screen = s};

    draw_head(&p, m);
    draw_cpu(&p, m);
    draw_memory(&p, m);
    draw_disks(&p, m);
    draw_network(&p, m);
    draw_pressure(&p, m);
    draw_units(&p, m);
    draw_jobs(&p, m);
    draw_file_systems(&p, m);
    draw_table(&p, m, "disks", _("DISK"), disks, ELEMENTSOF(disks));
    draw_table(&p, m, "interfaces", _("INTERFACE"), interfaces, ELEMENTSOF(interfaces));
}
