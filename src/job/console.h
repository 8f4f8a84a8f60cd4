/* SPDX-License-Identifier: Apache-2.0 */
/* Lines for the manager's console (LOG messages). Keeps the newest lines while there is no
 * connection, and sends them after the next handshake. */
#pragma once

#include "net/connection.h"

typedef struct Console Console;

/* `level` is the lowest that is sent: "DEBUG" ... "CRITICAL". */
int console_new(Connection *connection, const char *level, Console **ret);
Console *console_free(Console *c);
/* -EINVAL for an unknown level, which sets INFO. */
int console_set_level(Console *c, const char *level);

/* Whether a line of that level is sent. */
bool console_takes(const Console *c, int level) _pure_;
/* `level` as in syslog(3): LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERR, LOG_CRIT. */
void console_log(Console *c, int level, const char *format, ...) _printf_(3, 4);
/* Sends a line of a job, of at most LOG_MESSAGE_MAX bytes. */
void console_log_job(Console *c, int level, const char *command, const char *guid,
                     const char *line);
/* Call it when the connection is open: sends the kept lines, and reports how many were dropped. */
void console_flush(Console *c);
