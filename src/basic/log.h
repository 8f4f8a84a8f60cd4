/* SPDX-License-Identifier: Apache-2.0 */
/* Logging with typed journal fields. Writes to the journal if standard error is connected to it,
 * otherwise text to standard error; no call blocks (basic/log-sink.h). All field names and message
 * ids are in basic/log-fields.h.
 * Lower layers return errors and log at debug level only; the function that handles an error logs
 * it. */
#pragma once

#include <syslog.h>

#include "basic/macro.h"

typedef struct LogField {
    const char *name;
    const char *value;
} LogField;

/* The fields of one entry: LOG_FIELDS(LOG_REQUEST(guid), LOG_COMMAND(command)). Fields whose value
 * is NULL are omitted. */
#define LOG_FIELDS(...) ((const LogField[]){__VA_ARGS__, {}})

void log_set_identifier(const char *identifier);
void log_set_level(int level);
/* Sets the path of journald's socket, for tests. Not copied. */
void log_set_journal(const char *path);
int log_get_level(void);
/* The last entry of level err or worse; "": there was none. */
const char *log_get_last_error(void);
/* "debug", "info", ... as in syslog.conf(5); otherwise -EINVAL. */
int log_level_from_string(const char *s);
const char *log_level_to_string(int level);

/* Returns -abs(error), so that `return log_full(...)` logs and fails at once. In `format`, %m is
 * the text of `error`. */
int log_full(int level, int error, const char *file, int line, const char *func,
             const LogField *fields, const char *format, ...) _printf_(7, 8);

#define log_struct(level, error, fields, ...)                                                      \
    log_full(level, error, __FILE__, __LINE__, __func__, fields, __VA_ARGS__)
#define log_debug(...) ((void)log_struct(LOG_DEBUG, 0, NULL, __VA_ARGS__))
#define log_info(...) ((void)log_struct(LOG_INFO, 0, NULL, __VA_ARGS__))
#define log_notice(...) ((void)log_struct(LOG_NOTICE, 0, NULL, __VA_ARGS__))
#define log_warning(...) ((void)log_struct(LOG_WARNING, 0, NULL, __VA_ARGS__))
#define log_error(...) ((void)log_struct(LOG_ERR, 0, NULL, __VA_ARGS__))
#define log_debug_errno(error, ...) log_struct(LOG_DEBUG, error, NULL, __VA_ARGS__)
#define log_warning_errno(error, ...) log_struct(LOG_WARNING, error, NULL, __VA_ARGS__)
#define log_error_errno(error, ...) log_struct(LOG_ERR, error, NULL, __VA_ARGS__)
#define log_oom() log_error_errno(ENOMEM, "Out of memory")
