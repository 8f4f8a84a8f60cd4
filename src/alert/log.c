/* SPDX-License-Identifier: Apache-2.0 */
/*
 *   ** Alert 1795365577.100: - syslog,sshd,          time, in seconds; groups
 *   2026 Nov 22 00:00:00 host->/var/log/auth.log
 *   Rule: 5716 (level 12) -> 'SSHD authentication failed.'
 *   Src IP: 192.0.2.7                                optional
 *   User: root                                       optional
 *   the lines of the log                             and an empty line
 *
 * An alert ends before the next line of the first kind, or at the end of the file, without the NULs
 * that a power loss leaves there; at most ALERT_TEXT_MAX bytes of it count. Which bytes those are
 * does not depend on how much the file has already, so that the same alert always has the same
 * hash. The message is everything but the first line and the rule, as in the Python agent. */
#include "alert/log.h"

#include "basic/bounds.h"
#include "basic/utf8.h"
#include "proto/text.h"

#define BEGIN "** Alert "
#define BEGIN_SIZE (sizeof(BEGIN) - 1)
#define SECONDS_DIGITS_MAX 12u
#define FRACTION_DIGITS_MAX 20u
#define NUMBER_MAX 1000000000u
/* an alert, and the bytes that show whether another begins after it */
#define ENOUGH (ALERT_TEXT_MAX + 64)
#define BEGIN_LINE_MAX ((size_t)512) /* of one that begins within a line */

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

typedef struct Begin {
    uint64_t time_ms, place;
} Begin;

/* Parses the first line of an alert. 1: valid; 0: not one; -EAGAIN: the bytes end too early. */
static int parse_begin(const char *p, const char *end, Begin *ret) {
    size_t size = (size_t)(end - p), n = 0, n_fraction = 0;
    Begin b = {};

    if (memcmp(p, BEGIN, MIN(size, BEGIN_SIZE)) != 0)
        return 0;
    if (size < BEGIN_SIZE)
        return -EAGAIN;
    for (p += BEGIN_SIZE; p < end && is_digit(*p) && n < SECONDS_DIGITS_MAX; p++, n++)
        b.time_ms = b.time_ms * 10 + (uint64_t)(*p - '0');
    if (n > 0 && p < end && *p == '.')
        for (p++; p < end && is_digit(*p) && n_fraction < FRACTION_DIGITS_MAX; p++) {
            b.place = b.place * 10 + (uint64_t)(*p - '0');
            if (n_fraction++ < 3)
                b.time_ms = b.time_ms * 10 + (uint64_t)(*p - '0');
        }
    for (size_t i = MIN(n_fraction, (size_t)3); i < 3; i++)
        b.time_ms *= 10;
    if (p == end)
        return -EAGAIN;
    if (n == 0 || *p != ':')
        return 0;
    *ret = b;
    return 1;
}

/* Start of the next line; NULL: not in these bytes. */
static const char *next_line(const char *p, const char *end) {
    const char *newline = memchr(p, '\n', (size_t)(end - p));

    return newline ? newline + 1 : NULL;
}

/* Whether the next line is the second line of an alert. -EAGAIN: the bytes end too early. */
static int has_date(const char *p, const char *end) {
    static const char pattern[] = "0000 Aaa 00 00:00:00 ";
    const char *line = next_line(p, p + MIN((size_t)(end - p), BEGIN_LINE_MAX));

    if (!line)
        return (size_t)(end - p) < BEGIN_LINE_MAX ? -EAGAIN : 0;
    for (size_t i = 0; i < sizeof(pattern) - 1; i++) {
        if (line + i == end)
            return -EAGAIN;
        if (pattern[i] == '0' ? !is_digit(line[i])
                              : is_letter(pattern[i]) != is_letter(line[i]) ||
                                    (!is_letter(pattern[i]) && pattern[i] != line[i]))
            return 0;
    }
    return 1;
}

/* After a line that a power loss has cut off, an alert begins within that line. Logged text may
 * look like a first line, but the second line does not follow it. 1, 0, or -EAGAIN: undecided. */
static int begins(const char *p, const char *end, bool in_line, bool is_last) {
    Begin b;
    int r;

    r = parse_begin(p, end, &b);
    if (in_line && r > 0)
        r = has_date(p, end);
    return r < 0 && in_line && is_last ? 0 : r;
}

/* The first place where an alert begins, or may begin when more bytes follow; NULL: none. */
static const char *find_begin(const char *p, const char *end, bool in_line, bool is_last,
                              int *ret_kind) {
    *ret_kind = 0;
    while (p && p < end) {
        *ret_kind = begins(p, end, in_line, is_last);
        if (*ret_kind != 0)
            return p;
        p = memchr(p + 1, BEGIN[0], (size_t)(end - p - 1));
        in_line = p && !alert_log_ends_line(p[-1]);
    }
    return NULL;
}

/* Number of bytes before that place. */
static size_t skip(const char *buf, const char *end, bool in_line, bool is_last) {
    int kind;

    return (size_t)((find_begin(buf, end, in_line, is_last, &kind) ?: end) - buf);
}

bool alert_log_ends_line(char c) {
    return c == '\n' || c == 0;
}

static const char *skip_word(const char *p, const char *end, const char *word) {
    size_t size = strlen(word);

    return p && (size_t)(end - p) >= size && memcmp(p, word, size) == 0 ? p + size : NULL;
}

static const char *parse_number(const char *p, const char *end, int *ret) {
    uint64_t number = 0;

    if (!p || p == end || !is_digit(*p))
        return NULL;
    for (; p < end && is_digit(*p) && number <= NUMBER_MAX; p++)
        number = number * 10 + (uint64_t)(*p - '0');
    if (number > NUMBER_MAX)
        return NULL;
    *ret = (int)number;
    return p;
}

/* Rule: 5716 (level 12) -> 'text'. The text may contain quotes. */
static bool parse_rule(const char *p, const char *end, Alert *a, const char **ret_subject,
                       size_t *ret_size) {
    const char *quote;

    p = parse_number(skip_word(p, end, "Rule: "), end, &a->rule);
    p = parse_number(skip_word(p, end, " (level "), end, &a->level);
    p = skip_word(p, end, ") -> '");
    if (!p)
        return false;
    quote = memrchr(p, '\'', (size_t)(end - p));
    *ret_subject = p;
    *ret_size = (size_t)((quote ?: end) - p);
    return true;
}

static int take_value(const char *line, const char *end, const char *key, char **field) {
    const char *value = skip_word(line, end, key);

    if (!value)
        return 0;
    if (*field || value == end || skip_word(value, end, "(none)"))
        return 1;
    return utf8_replace_invalid(value, (size_t)(end - value), field) < 0 ? -ENOMEM : 1;
}

/* Parses the named lines after the rule. */
static int take_facts(const char *p, const char *end, LoggedAlert *a) {
    static const char *const others[] = {"Src Port: ", "Src Location: ", "Dst IP: ", "Dst Port: "};

    while (p < end) {
        const char *next = next_line(p, end) ?: end,
                   *line_end = next > p && next[-1] == '\n' ? next - 1 : next;
        int r;

        if (line_end > p && line_end[-1] == '\r')
            line_end--;
        r = take_value(p, line_end, "Src IP: ", &a->source_ip);
        if (r == 0)
            r = take_value(p, line_end, "User: ", &a->user);
        for (size_t i = 0; i < ELEMENTSOF(others) && r == 0; i++)
            r = skip_word(p, line_end, others[i]) != NULL;
        if (r <= 0)
            return r;
        p = next;
    }
    return 0;
}

static int join(const char *a, size_t a_size, const char *b, size_t b_size, char **ret) {
    _cleanup_free_ char *both = malloc(a_size + b_size + 1);

    if (!both)
        return -ENOMEM;
    memcpy(both, a, a_size);
    memcpy(both + a_size, b, b_size);
    return utf8_replace_invalid(both, a_size + b_size, ret);
}

static int parse_alert(const char *p, const char *end, LoggedAlert *a) {
    const char *body = next_line(p, end) ?: end, *line, *next = body, *subject = NULL;
    size_t subject_size = 0;
    Begin b = {};
    int r;

    while (end > p && end[-1] == 0)
        end--;
    (void)parse_begin(p, end, &b);
    a->alert.time_ms = b.time_ms;
    a->alert.place = b.place;
    for (line = body; line < end; line = next) {
        next = next_line(line, end) ?: end;
        if (parse_rule(line, next[-1] == '\n' ? next - 1 : next, &a->alert, &subject,
                       &subject_size))
            break;
    }
    if (!subject)
        return -EBADMSG;
    r = utf8_replace_invalid(subject, subject_size, &a->subject);
    if (r >= 0)
        r = join(body, (size_t)(line - body), next, (size_t)(end - next), &a->message);
    if (r >= 0)
        r = take_facts(next, end, a);
    a->alert.subject = a->subject;
    a->alert.message = a->message;
    a->alert.user = a->user;
    a->alert.source_ip = a->source_ip;
    return r;
}

bool alert_log_has_begin(const char *buf, size_t size) {
    int kind;

    return find_begin(buf, buf + size, false, true, &kind) && kind > 0;
}

int alert_log_take(const char *buf, size_t size, bool in_line, bool is_last, size_t *ret_size,
                   LoggedAlert *ret) {
    const char *end = buf + size, *next;
    size_t skipped = skip(buf, end, in_line, is_last), taken;
    int r, kind;

    if (skipped > 0 || size == 0 || begins(buf, end, in_line, is_last) <= 0) {
        *ret_size = skipped;
        return 0;
    }
    next = find_begin(buf + 1, buf + MIN(size, ENOUGH + 2 * BEGIN_LINE_MAX), true, is_last, &kind);
    if (next && next > buf + ALERT_TEXT_MAX)
        next = NULL;
    if (!is_last && (next ? kind < 0 : size < ENOUGH)) {
        *ret_size = 0;
        return 0;
    }
    taken = next ? (size_t)(next - buf) : utf8_whole(buf, MIN(size, ALERT_TEXT_MAX));
    r = parse_alert(buf, buf + taken, ret);
    if (r < 0)
        logged_alert_done(ret);
    if (r < 0 && r != -EBADMSG)
        return r;
    *ret_size = taken;
    return r < 0 ? r : 1;
}

void logged_alert_done(LoggedAlert *a) {
    free(a->user);
    free(a->source_ip);
    free(a->subject);
    free(a->message);
    *a = (LoggedAlert){};
}
