/* SPDX-License-Identifier: Apache-2.0 */
/* One process-wide level and identifier; everything else is given per entry. Entries are built in
 * bounded stack buffers, so that logging works when memory is short. */
#include "basic/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#define FIELDS_MAX 16
#define FIELD_SIZE 512
#define MESSAGE_SIZE 2048

static int max_level = LOG_INFO;
static const char *log_identifier = "dcm-agent";

static const char *const level_names[] = {"emerg",   "alert",  "crit", "err",
                                          "warning", "notice", "info", "debug"};

void log_set_identifier(const char *identifier) {
    log_identifier = identifier;
}

void log_set_level(int level) {
    max_level = level;
}

int log_get_level(void) {
    return max_level;
}

int log_level_from_string(const char *s) {
    for (size_t i = 0; i < ELEMENTSOF(level_names); i++)
        if (streq(s, level_names[i]))
            return (int)i;
    return -EINVAL;
}

const char *log_level_to_string(int level) {
    return level >= 0 && (size_t)level < ELEMENTSOF(level_names) ? level_names[level] : NULL;
}

/* JOURNAL_STREAM, systemd.exec(5): device and inode of the socket that is our standard error */
static bool stderr_is_journal(void) {
    static int cached = -1;
    unsigned long long device, inode;
    const char *e;
    struct stat st;

    if (cached >= 0)
        return cached;
    e = getenv("JOURNAL_STREAM");
    cached = e && sscanf(e, "%llu:%llu", &device, &inode) == 2 && fstat(STDERR_FILENO, &st) >= 0 &&
             st.st_dev == (dev_t)device && st.st_ino == (ino_t)inode;
    return cached;
}

static void send_to_journal(int level, int error, const char *file, int line, const char *func,
                            const LogField *fields, const char *message) {
    char storage[FIELDS_MAX][FIELD_SIZE], text[MESSAGE_SIZE + sizeof("MESSAGE=")];
    struct iovec iov[FIELDS_MAX + 1];
    int n = 0;

#define ADD(...)                                                                                   \
    do {                                                                                           \
        int _l = snprintf(storage[n], FIELD_SIZE, __VA_ARGS__);                                    \
        iov[n] = (struct iovec){storage[n], (size_t)MIN(_l, FIELD_SIZE - 1)};                      \
        n++;                                                                                       \
    } while (0)

    ADD("PRIORITY=%d", level);
    ADD("SYSLOG_IDENTIFIER=%s", log_identifier);
    ADD("CODE_FILE=%s", file);
    ADD("CODE_LINE=%d", line);
    ADD("CODE_FUNC=%s", func);
    if (error)
        ADD("ERRNO=%d", error);
    for (; fields && fields->name && n < FIELDS_MAX; fields++)
        if (fields->value)
            ADD("%s=%s", fields->name, fields->value);
#undef ADD
    (void)snprintf(text, sizeof(text), "MESSAGE=%s", message);
    iov[n] = (struct iovec){text, strlen(text)};
    (void)sd_journal_sendv(iov, n + 1);
}

int log_full(int level, int error, const char *file, int line, const char *func,
             const LogField *fields, const char *format, ...) {
    char message[MESSAGE_SIZE];
    va_list ap;
    int saved_errno = errno;

    error = abs(error);
    if (level <= max_level) {
        errno = error;
        va_start(ap, format);
        (void)vsnprintf(message, sizeof(message), format, ap);
        va_end(ap);
        if (stderr_is_journal())
            send_to_journal(level, error, file, line, func, fields, message);
        else
            (void)dprintf(STDERR_FILENO, "%s: %s\n", log_identifier, message);
    }
    errno = saved_errno;
    return -error;
}
