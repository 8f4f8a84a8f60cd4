/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-agentctl/top-tables.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>

#include "basic/i18n.h"
#include "basic/time-util.h"
#include "cli/format.h"
#include "cli/table.h"
#include "dcm-agentctl/top-figures.h"

#define ROWS_MAX 64 /* where the screen has no end */
#define FRAME 2     /* lines of a table beside its rows: one empty, one of titles */

/* --- tables of the machine ---------------------------------------------------------------------
 */

typedef struct MetricColumn {
    const char *title; /* N_() */
    const char *key;
    double (*get_share)(const HealthSample *s, const char *row); /* instead of the key's value */
    ColumnFlags flags;
} MetricColumn;

typedef struct MetricTable {
    const char *type;
    const char *name;  /* N_(): of all its rows */
    const char *title; /* N_(): of the first column */
    const MetricColumn *columns;
    size_t n_columns;
} MetricTable;

static double share_of_space(const HealthSample *s, const char *row) {
    double used = health_sample_get(s, row, "used");
    double available = health_sample_get(s, row, "available");

    return used + available > 0 ? used / (used + available) : NAN;
}

static double share_of_inodes(const HealthSample *s, const char *row) {
    return health_sample_get(s, row, "inodes-used") / health_sample_get(s, row, "inodes");
}

static const MetricColumn file_systems[] = {
    {N_("FULL"), .get_share = share_of_space},
    {N_("USED"), "used"},
    {N_("AVAILABLE"), "available"},
    {N_("SIZE"), "size", .flags = COLUMN_OPTIONAL},
    {N_("INODES USED"), .get_share = share_of_inodes, .flags = COLUMN_OPTIONAL},
};
static const MetricColumn disks[] = {
    {N_("BUSY"), "utilisation"},
    {N_("READ"), "read-bytes"},
    {N_("WRITTEN"), "write-bytes"},
    {N_("TIME OF A READ"), "read-latency", .flags = COLUMN_OPTIONAL},
    {N_("TIME OF A WRITE"), "write-latency", .flags = COLUMN_OPTIONAL},
};
static const MetricColumn interfaces[] = {
    {N_("RECEIVED"), "bytes-in"},
    {N_("SENT"), "bytes-out"},
    {N_("DROPPED"), "drops-in", .flags = COLUMN_OPTIONAL},
    {N_("RECEIVE ERRORS"), "errors-in", .flags = COLUMN_OPTIONAL},
    {N_("SEND ERRORS"), "errors-out", .flags = COLUMN_OPTIONAL},
};
static const MetricTable metric_tables[] = {
    {"filesystems", N_("file systems"), N_("FILE SYSTEM"), file_systems, ELEMENTSOF(file_systems)},
    {"disks", N_("disks"), N_("DISK"), disks, ELEMENTSOF(disks)},
    {"interfaces", N_("interfaces"), N_("INTERFACE"), interfaces, ELEMENTSOF(interfaces)},
};

/* The rows' values are one after the other. Returns the next index, which begins a row, or n. */
static size_t next_row(const HealthSample *s, size_t i, const char *row) {
    while (i < s->n && (isempty(s->values[i].row) || streq(s->values[i].row, row)))
        i++;
    return i;
}

static size_t count_rows(const TopModel *m, const MetricTable *t) {
    const HealthSample *s = health_samples_find(&m->newest, t->type);
    size_t n = 0;

    for (size_t i = s ? next_row(s, 0, "") : 0; s && i < s->n; i = next_row(s, i, s->values[i].row))
        n++;
    return n;
}

static int add_metrics(Table *table, const TopModel *m, const MetricTable *t, const char *row) {
    const HealthSample *s = health_samples_find(&m->newest, t->type);
    char texts[TABLE_COLUMNS_MAX][VALUE_SIZE];
    const char *cells[TABLE_COLUMNS_MAX] = {row};
    double shares[TABLE_COLUMNS_MAX] = {};

    for (size_t i = 0; i < t->n_columns; i++) {
        const MetricColumn *c = &t->columns[i];

        shares[i] = c->get_share ? c->get_share(s, row) : NAN;
        if (c->get_share)
            sample_format(shares[i], "share", texts[i]);
        else
            sample_format(health_sample_get(s, row, c->key),
                          sample_units_find(&m->units, t->type, c->key, true), texts[i]);
        cells[i + 1] = texts[i];
    }
    TRY(table_add(table, cells));
    for (size_t i = 0; i < t->n_columns; i++)
        if (!isnan(shares[i]))
            table_set_colour(table, i + 1, top_get_colour(shares[i]));
    return 0;
}

static Table *make_metrics(const TopModel *m, const MetricTable *t, size_t n_rows) {
    const HealthSample *s = health_samples_find(&m->newest, t->type);
    TableColumn columns[TABLE_COLUMNS_MAX] = {{_(t->title), COLUMN_SHRINKS, 12}};
    _cleanup_(table_freep) Table *table = NULL;
    size_t i = next_row(s, 0, "");

    for (size_t k = 0; k < t->n_columns; k++)
        columns[k + 1] =
            (TableColumn){_(t->columns[k].title), t->columns[k].flags | COLUMN_RIGHT, 0};
    table = table_new(columns, t->n_columns + 1);
    for (size_t k = 0; table && k < n_rows; k++, i = next_row(s, i, s->values[i].row))
        if (add_metrics(table, m, t, s->values[i].row) < 0)
            return NULL;
    return TAKE_PTR(table);
}

static void put_blank(Painter *p) {
    Line l = line_begin(p);

    line_end(p, &l);
}

static void put_table(Painter *p, const Table *t, size_t first, size_t n, size_t marked) {
    if (!t)
        return;
    table_print_window(t, stdout, p->screen->columns, first, n, marked, p->screen->line_end);
    p->lines += (int)n + 1;
}

static void put_more(Painter *p, size_t n) {
    Line l = line_begin(p);

    line_paint(&l, COLOUR_GREY);
    line_putf(&l, _("and %zu more (m: show)"), n);
    line_paint(&l, COLOUR_END);
    line_end(p, &l);
}

/* Of n rows as many as have room, which is more than FRAME. */
static size_t rows_for(size_t n, int room) {
    const size_t lines = (size_t)MIN(room - FRAME, ROWS_MAX);

    return n <= lines ? n : lines - 1;
}

static void draw_metrics(Painter *p, const TopModel *m, const MetricTable *t, size_t n) {
    const size_t shown = rows_for(n, painter_get_room(p));
    _cleanup_(table_freep) Table *table = make_metrics(m, t, shown);

    put_blank(p);
    put_table(p, table, 0, shown, SIZE_MAX);
    if (shown < n)
        put_more(p, n - shown);
}

/* One line stays for those that have no room. */
static void draw_all_metrics(Painter *p, const TopModel *m) {
    Line missing = line_begin(p);

    for (size_t i = 0; i < ELEMENTSOF(metric_tables); i++) {
        const size_t n = count_rows(m, &metric_tables[i]);
        const bool is_last = i + 1 == ELEMENTSOF(metric_tables) && missing.size == 0;

        if (n == 0)
            continue;
        if (painter_get_room(p) > FRAME + (n > 1) + !is_last && missing.size == 0)
            draw_metrics(p, m, &metric_tables[i], n);
        else if (missing.size == 0)
            line_putf(&missing, _("m: show %s"), _(metric_tables[i].name));
        else
            line_putf(&missing, ", %s", _(metric_tables[i].name));
    }
    if (missing.size > 0)
        line_end(p, &missing);
}

char *top_make_machine(const TopModel *m, int columns) {
    size_t size;
    char *text = NULL;
    FILE *f = open_memstream(&text, &size);

    if (!f)
        return NULL;
    for (size_t i = 0; i < ELEMENTSOF(metric_tables); i++) {
        const size_t n = count_rows(m, &metric_tables[i]);
        _cleanup_(table_freep) Table *table = n > 0 ? make_metrics(m, &metric_tables[i], n) : NULL;

        if (!table)
            continue;
        (void)fputs(ftell(f) > 0 ? "\n" : "", f);
        table_print(table, f, columns, true, "\n");
    }
    if (ftell(f) == 0)
        (void)fputs(_("No figures yet.\n"), f);
    if (fclose(f) == 0)
        return text;
    free(text);
    return NULL;
}

/* --- jobs --------------------------------------------------------------------------------------
 */

static Colour colour_of_state(const char *state) {
    return streq(state, "running") ? COLOUR_GREEN : COLOUR_NONE;
}

/* "> ": where there are no colours to mark the selected row. */
static int add_job(Table *t, const TopListRow *row, bool is_marked) {
    const JobRow *job = row->job;
    const uint64_t now = now_usec(CLOCK_REALTIME);
    const uint64_t age = now > job->accepted_usec ? now - job->accepted_usec : 0;
    char cpu[VALUE_SIZE], memory[VALUE_SIZE], done[VALUE_SIZE], span[FORMAT_SIZE];
    _cleanup_free_ char *guid = NULL;

    if (asprintf(&guid, "%s%s", is_marked ? "> " : "", job->guid) < 0)
        return -ENOMEM;
    sample_format(row->cpu, "share", cpu);
    sample_format(job->memory == UINT64_MAX ? NAN : (double)job->memory, "bytes", memory);
    sample_format(job->percent < 0 ? NAN : (double)job->percent, "percent", done);
    TRY(table_add(t, (const char *const[]){guid, job->command, job->state, cpu, memory,
                                           format_span(age / USEC_PER_SEC * USEC_PER_SEC, span),
                                           done, job->progress}));
    table_set_colour(t, 2, colour_of_state(job->state));
    return 0;
}

static Table *make_jobs(const TopList *l, bool with_marks) {
    const TableColumn columns[] = {
        {_("REQUEST"), COLUMN_SHRINKS, 9},
        {_("COMMAND"), COLUMN_SHRINKS, 10},
        {_("STATE"), 0, 0},
        {_("CPU"), COLUMN_RIGHT, 0},
        {_("MEMORY"), COLUMN_RIGHT | COLUMN_OPTIONAL, 0},
        {_("AGE"), COLUMN_RIGHT | COLUMN_OPTIONAL, 0},
        {_("DONE"), COLUMN_RIGHT | COLUMN_OPTIONAL, 0},
        {_("PROGRESS"), COLUMN_SHRINKS | COLUMN_OPTIONAL, 16},
    };
    _cleanup_(table_freep) Table *t = table_new(columns, ELEMENTSOF(columns));

    for (size_t i = 0; t && i < l->n; i++)
        if (add_job(t, &l->rows[i], with_marks && i == l->selected) < 0)
            return NULL;
    return TAKE_PTR(t);
}

static void put_heading(Painter *p, const TopList *l, size_t shown) {
    Line line = line_begin(p);

    line_paint(&line, COLOUR_BOLD);
    line_putf(&line, _("Jobs: %zu"), l->n);
    line_paint(&line, COLOUR_END);
    if (l->n > 1)
        line_putf(&line, _(", by %s"), top_sort_get_name(l->sort));
    if (shown < l->n)
        line_putf(&line, _(", %zu to %zu shown"), l->first + 1, l->first + shown);
    line_end(p, &line);
}

static void draw_jobs(Painter *p, TopList *l, int room) {
    const bool on_terminal = p->screen->lines > 0;
    const bool with_marks = on_terminal && !screen_has_colours();
    _cleanup_(table_freep) Table *t = make_jobs(l, with_marks);
    const size_t shown = MIN(l->n, (size_t)MAX(room - FRAME, 0));

    top_list_scroll(l, shown);
    put_heading(p, l, shown);
    if (shown > 0)
        put_table(p, t, l->first, shown, on_terminal ? l->selected : SIZE_MAX);
}

/* Two thirds of the lines at least, if there are that many jobs. */
static int room_for_jobs(const Painter *p, const TopModel *m, const TopList *l) {
    const int room = painter_get_room(p);
    size_t others = 0;

    if (room == INT_MAX)
        return INT_MAX;
    for (size_t i = 0; i < ELEMENTSOF(metric_tables); i++) {
        const size_t n = count_rows(m, &metric_tables[i]);

        others += n > 0 ? n + FRAME : 0;
    }
    return MIN(room, MAX(MAX(room * 2 / 3, FRAME + 3), room - (int)MIN(others, (size_t)room)));
}

void top_draw_tables(Painter *p, const TopModel *m, TopList *l) {
    if (painter_get_room(p) > FRAME + 12)
        put_blank(p);
    draw_jobs(p, l, room_for_jobs(p, m, l));
    draw_all_metrics(p, m);
}
