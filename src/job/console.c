/* SPDX-License-Identifier: Apache-2.0 */
#include "job/console.h"

#include <stdarg.h>
#include <stdio.h>
#include <syslog.h>

#include "basic/bounds.h"
#include "basic/log.h"
#include "basic/utf8.h"
#include "proto/console-level.h"
#include "proto/message.h"

#define LINE_SIZE 1024

struct Console {
    Connection *connection;
    int level;
    struct json_object *lines[CONSOLE_LINES_MAX]; /* a ring; `first` is the oldest */
    unsigned first, n;
    unsigned n_dropped;
};

int console_set_level(Console *c, const char *level) {
    int found = console_level_find(strempty(level));

    c->level = found < 0 ? LOG_INFO : found;
    return MIN(found, 0);
}

int console_new(Connection *connection, const char *level, Console **ret) {
    Console *c = calloc(1, sizeof(*c));

    if (!c)
        return -ENOMEM;
    c->connection = connection;
    (void)console_set_level(c, level);
    *ret = c;
    return 0;
}

static struct json_object *take_oldest(Console *c) {
    struct json_object *line = TAKE_PTR(c->lines[c->first]);

    c->first = (c->first + 1) % CONSOLE_LINES_MAX;
    c->n--;
    return line;
}

Console *console_free(Console *c) {
    if (!c)
        return NULL;
    while (c->n > 0)
        (void)json_object_put(take_oldest(c));
    free(c);
    return NULL;
}

static void keep(Console *c, struct json_object *line) {
    if (c->n == CONSOLE_LINES_MAX) {
        (void)json_object_put(take_oldest(c));
        c->n_dropped++;
    }
    c->lines[(c->first + c->n++) % CONSOLE_LINES_MAX] = line;
}

/* Kept lines precede newer ones, even if a full send queue was the reason to keep them. */
static int send_kept(Console *c) {
    unsigned n_dropped;

    while (c->n > 0) {
        int r = connection_send(c->connection, c->lines[c->first]);

        if (r < 0)
            return r;
        (void)json_object_put(take_oldest(c));
    }
    n_dropped = c->n_dropped;
    c->n_dropped = 0;
    if (n_dropped > 0)
        console_log(c, LOG_WARNING, "%u older lines were discarded because they could not be sent.",
                    n_dropped);
    return 0;
}

bool console_takes(const Console *c, int level) {
    return level <= c->level;
}

static void send_line(Console *c, int level, const char *text) {
    _cleanup_json_ struct json_object *line = NULL;
    int r;

    r = message_new_log(console_level_name(level), text, &line);
    if (r >= 0)
        r = send_kept(c);
    if (r >= 0)
        r = connection_send(c->connection, line);
    if (r == -ENOTCONN || r == -ENOBUFS)
        keep(c, TAKE_PTR(line));
    else if (r < 0)
        (void)log_debug_errno(r, "A line for the console is lost: %m");
}

void console_log(Console *c, int level, const char *format, ...) {
    char text[LINE_SIZE];
    va_list ap;

    if (!console_takes(c, level))
        return;
    va_start(ap, format);
    (void)utf8_format_list(text, sizeof(text), format, ap);
    va_end(ap);
    send_line(c, level, text);
}

void console_log_job(Console *c, int level, const char *command, const char *guid,
                     const char *line) {
    _cleanup_free_ char *text = NULL;

    if (!console_takes(c, level))
        return;
    if (asprintf(&text, "The job %s with request_id %s: %s", command, guid, line) < 0)
        (void)log_oom();
    else
        send_line(c, level, text);
}

void console_flush(Console *c) {
    (void)send_kept(c);
}
