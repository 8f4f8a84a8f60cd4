/* SPDX-License-Identifier: Apache-2.0 */
/* One level and one identifier per process. Entries are built in bounded stack buffers, so that
 * logging works when memory is short; basic/log-sink.c sends them. */
#include "basic/log.h"

#include <endian.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/log-fields.h"
#include "basic/log-sink.h"
#include "basic/terminal.h"
#include "basic/utf8.h"

#define FIELD_SIZE 512
#define MESSAGE_SIZE 2048
#define ENTRY_SIZE ((size_t)12 * 1024) /* one datagram; fits any socket buffer */

static int max_level = LOG_INFO;
static const char *log_identifier = "dcm-agent";
static const char *journal_path = "/run/systemd/journal/socket";

static char last_error[256];

static const char *const level_names[] = {"emerg",   "alert",  "crit", "err",
                                          "warning", "notice", "info", "debug"};

void log_set_identifier(const char *identifier) {
    log_identifier = identifier;
}

void log_set_journal(const char *path) {
    journal_path = path;
}

void log_set_level(int level) {
    max_level = level;
}

int log_get_level(void) {
    return max_level;
}

const char *log_get_last_error(void) {
    return last_error;
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

/* JOURNAL_STREAM, systemd.exec(5): device and inode of the socket that standard error is connected
 * to */
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

typedef struct Entry {
    char bytes[ENTRY_SIZE];
    size_t size;
} Entry;

/* Uses the binary form of systemd.io/JOURNAL_NATIVE_PROTOCOL. A too long value is cut between
 * characters, otherwise journalctl takes it for binary. */
static void add_field(Entry *e, const char *name, size_t size_max, const char *value) {
    size_t name_size = strlen(name), size = utf8_cut(value, strnlen(value, size_max));
    uint64_t size_le = htole64(size);

    if (name_size + 1 + sizeof(size_le) + size + 1 > sizeof(e->bytes) - e->size)
        return;
    e->size = (size_t)((char *)mempcpy(e->bytes + e->size, name, name_size) - e->bytes);
    e->bytes[e->size++] = '\n';
    memcpy(e->bytes + e->size, &size_le, sizeof(size_le));
    memcpy(e->bytes + e->size + sizeof(size_le), value, size);
    e->size += sizeof(size_le) + size;
    e->bytes[e->size++] = '\n';
}

static void add_number(Entry *e, const char *name, int number) {
    char text[16];

    (void)snprintf(text, sizeof(text), "%d", number);
    add_field(e, name, sizeof(text), text);
}

static size_t format_loss(uint64_t n_lost, char *buf, size_t size);

/* If the datagram socket cannot be made, entries go to standard error as text. */
static bool has_journal(void) {
    static int fd = -1;

    if (fd < 0 && stderr_is_journal())
        fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    log_sink_set(fd < 0 ? STDERR_FILENO : fd, fd < 0 ? NULL : journal_path, format_loss);
    return fd >= 0;
}

/* Makes the text safe if standard error is a terminal. NULL: it is none. */
static char *show(const char *message) {
    return isatty(STDERR_FILENO)
               ? terminal_clean(message, strlen(message), terminal_flags(stderr)) ?: strdup("?")
               : NULL;
}

static void put_text(Entry *e, const char *message) {
    _cleanup_free_ char *shown = show(message);

    e->size = (size_t)utf8_format(e->bytes, sizeof(e->bytes), "%s: %s\n", log_identifier,
                                  shown ?: message);
}

static void make_entry(Entry *e, int level, int error, const char *file, int line, const char *func,
                       const LogField *fields, const char *message) {
    e->size = 0;
    if (!has_journal()) {
        put_text(e, message);
        return;
    }
    add_field(e, "MESSAGE", MESSAGE_SIZE, message);
    add_number(e, "PRIORITY", level);
    add_field(e, "SYSLOG_IDENTIFIER", FIELD_SIZE, log_identifier);
    add_field(e, "CODE_FILE", FIELD_SIZE, file);
    add_number(e, "CODE_LINE", line);
    add_field(e, "CODE_FUNC", FIELD_SIZE, func);
    if (error)
        add_number(e, "ERRNO", error);
    for (; fields && fields->name; fields++)
        if (fields->value)
            add_field(e, fields->name, FIELD_SIZE, fields->value);
}

static size_t format_loss(uint64_t n_lost, char *buf, size_t size) {
    char message[MESSAGE_SIZE];
    Entry e;

    (void)utf8_format(message, sizeof(message),
                      "%" PRIu64 " log entr%s lost, because %s accepted none", n_lost,
                      n_lost == 1 ? "y was" : "ies were",
                      stderr_is_journal() ? "systemd-journald" : "the reader of standard error");
    make_entry(&e, LOG_WARNING, 0, __FILE__, __LINE__, __func__,
               LOG_FIELDS(LOG_ID(DCM_MESSAGE_LOG_LOST)), message);
    size = MIN(size, e.size);
    memcpy(buf, e.bytes, size);
    return size;
}

int log_full(int level, int error, const char *file, int line, const char *func,
             const LogField *fields, const char *format, ...) {
    char message[MESSAGE_SIZE];
    int saved_errno = errno;
    va_list ap;
    Entry e;

    error = abs(error);
    if (level <= max_level) {
        errno = error;
        va_start(ap, format);
        (void)utf8_format_list(message, sizeof(message), format, ap);
        va_end(ap);
        if (level <= LOG_ERR)
            (void)utf8_format(last_error, sizeof(last_error), "%s", message);
        make_entry(&e, level, error, file, line, func, fields, message);
        log_sink_put(e.bytes, e.size);
    }
    errno = saved_errno;
    return -error;
}
