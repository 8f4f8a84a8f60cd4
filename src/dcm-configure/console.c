/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-configure/console.h"

#include <stdio.h>

#include "basic/bounds.h"
#include "basic/terminal.h"
#include "dcm-log/client.h"
#include "proto/text.h"

#define SILENT_USEC (10 * USEC_PER_SEC) /* a line counts less than the work */

static void tell(Console *c, bool is_error, const char *line) {
    const SayOptions options = {.silent_usec = SILENT_USEC, .absent_usec = SILENT_USEC};

    if (isempty(getenv("DCM_LOG_FILE"))) /* no job: somebody is watching */
        terminal_printf(stderr, "%s\n", line);
    else if (!c->is_gone)
        c->is_gone = say_log(&options, is_error ? "warning" : "info", line) < 0;
}

static void end_line(Console *c, bool is_error) {
    _cleanup_free_ char *line = NULL;

    if (c->line[is_error].size > 0 &&
        utf8_replace_invalid(c->line[is_error].text, c->line[is_error].size, &line) >= 0)
        tell(c, is_error, line);
    c->line[is_error].size = 0;
}

void console_take(bool is_error, const char *piece, size_t size, void *userdata) {
    Console *c = userdata;

    for (size_t i = 0; i < size; i++) {
        if (piece[i] == '\n' || c->line[is_error].size == CONSOLE_LINE_MAX)
            end_line(c, is_error);
        if (piece[i] != '\n' && piece[i] != '\r' && piece[i] != 0)
            c->line[is_error].text[c->line[is_error].size++] = piece[i];
    }
}

void console_end(Console *c) {
    end_line(c, false);
    end_line(c, true);
}
