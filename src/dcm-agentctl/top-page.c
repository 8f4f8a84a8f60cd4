/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-agentctl/top-page.h"

#include <stdio.h>

#include "basic/i18n.h"
#include "basic/terminal.h"

void top_page_open(TopPage *page, char *text) {
    const size_t first = page->text ? page->first : 0; /* a newer text of the same page */

    free(page->text);
    *page = (TopPage){.text = text, .first = first};
}

void top_page_close(TopPage *page) {
    free(page->text);
    *page = (TopPage){};
}

void top_page_move(TopPage *page, long by) {
    const size_t far = (size_t)labs(by), last = page->n - MIN(page->n, page->height);

    page->first = by < 0 ? page->first - MIN(far, page->first) : MIN(page->first + far, last);
}

static void put_piece(TopPage *page, Painter *p, const char *text, size_t size) {
    Line l = line_begin(p);

    if (page->n++ < page->first || painter_get_room(p) == 0)
        return;
    line_putf(&l, "%.*s", (int)MIN(size, (size_t)LINE_SIZE - 1), text);
    line_end(p, &l);
}

/* Where a line of at most n bytes ends: behind the last blank in its second half, if there is one.
 */
static size_t break_at(const char *line, size_t n) {
    for (size_t i = n; i > n / 2; i--)
        if (line[i] == ' ')
            return i + 1;
    return n;
}

/* At least one character goes on a line. */
static void put_broken(TopPage *page, Painter *p, const char *line, size_t size) {
    int width;

    do {
        size_t n = terminal_fit(line, p->screen->columns, size, &width);

        n = n > 0 ? n : size;
        if (n < size)
            n = break_at(line, n);
        put_piece(page, p, line, n > 0 && line[n - 1] == ' ' ? n - 1 : n);
        line += n;
        size -= n;
    } while (size > 0);
}

static void put_text(TopPage *page, const TopScreen *s, const char *text) {
    Painter p = {.screen = s};

    page->n = 0;
    while (*text) {
        const size_t size = strcspn(text, "\n");

        put_broken(page, &p, text, size);
        text += size + (text[size] == '\n');
    }
}

void top_page_draw(TopPage *page, const TopScreen *s) {
    _cleanup_free_ char *clean = terminal_clean(page->text, strlen(page->text),
                                                (s->utf8 ? 0 : TERMINAL_ASCII) | TERMINAL_LINES);
    const size_t first = page->first;

    page->height = (size_t)s->lines;
    page->first = SIZE_MAX; /* counts the lines */
    put_text(page, s, strempty(clean));
    page->first = MIN(first, page->n - MIN(page->n, page->height));
    put_text(page, s, strempty(clean));
}

char *top_make_help(void) {
    return strdup(_("Keys\n"
                    "  Up, Down, k, j   select another job\n"
                    "  PgUp, PgDn       a page further\n"
                    "  Home, End        the first, the last job\n"
                    "  Enter            show the selected request\n"
                    "  m                all file systems, disks and interfaces\n"
                    "  s                sort by age, CPU, memory, state\n"
                    "  c                cancel the selected job (asks first)\n"
                    "  p                pause, or resume: start no new jobs (asks first)\n"
                    "  h, ?             this help\n"
                    "  q, Escape        back; in the list q leaves\n"
                    "\n"
                    "Words\n"
                    "  load             tasks that run or wait, mean of 1, 5, 15 minutes\n"
                    "  tasks can run    they use a processor or wait for one\n"
                    "  Pressure         how long tasks had to wait, in the last 10 seconds\n"
                    "  CPU of a job     100 % is one processor\n"
                    "  DONE             how far the job says it is\n"
                    "  INODES USED      of the files that the file system can have\n"
                    "  BUSY             share of the time in which the disk worked\n"));
}
