/* SPDX-License-Identifier: Apache-2.0 */
/* One table describes the lines of the record in order. Writer and reader both follow it, so they
 * always agree. */
#include "basic/exit-record.h"

#include <inttypes.h>
#include <stdio.h>

#include "basic/bounds.h"

#define END_MARKER "END=1\n"
#define OUTPUT_MAX "OUTPUT_MAX"
#define BOOT_ID "BOOT_ID"
#define SIGNAL_MAX 64
#define ERRNO_MAX 4095
/* as in a shell */
#define EXIT_CANNOT_START 126
#define EXIT_NOT_FOUND 127
#define EXIT_SIGNAL_BASE 128

typedef enum FieldType {
    FIELD_KIND,
    FIELD_STATUS,
    FIELD_REASON,
    FIELD_NUMBER,
    FIELD_SHA256,
} FieldType;

typedef struct Field {
    const char *key;
    FieldType type;
    size_t offset;
} Field;

static const Field fields[] = {
    {"KIND", FIELD_KIND, offsetof(ExitRecord, kind)},
    {"STATUS", FIELD_STATUS, offsetof(ExitRecord, status)},
    {"REASON", FIELD_REASON, offsetof(ExitRecord, reason)},
    {"LEFT_BEHIND", FIELD_NUMBER, offsetof(ExitRecord, left_behind)},
    {"STARTED_USEC", FIELD_NUMBER, offsetof(ExitRecord, started_usec)},
    {"ENDED_USEC", FIELD_NUMBER, offsetof(ExitRecord, ended_usec)},
    {"STDOUT_TOTAL", FIELD_NUMBER, offsetof(ExitRecord, out.total_bytes)},
    {"STDOUT_HEAD", FIELD_NUMBER, offsetof(ExitRecord, out.head_bytes)},
    {"STDOUT_TAIL", FIELD_NUMBER, offsetof(ExitRecord, out.tail_bytes)},
    {"STDOUT_TAIL_OFFSET", FIELD_NUMBER, offsetof(ExitRecord, out.tail_offset)},
    {"STDOUT_SHA256", FIELD_SHA256, offsetof(ExitRecord, out.sha256)},
    {"STDERR_TOTAL", FIELD_NUMBER, offsetof(ExitRecord, err.total_bytes)},
    {"STDERR_HEAD", FIELD_NUMBER, offsetof(ExitRecord, err.head_bytes)},
    {"STDERR_TAIL", FIELD_NUMBER, offsetof(ExitRecord, err.tail_bytes)},
    {"STDERR_TAIL_OFFSET", FIELD_NUMBER, offsetof(ExitRecord, err.tail_offset)},
    {"STDERR_SHA256", FIELD_SHA256, offsetof(ExitRecord, err.sha256)},
};

static const char *const kind_names[_EXIT_KIND_MAX] = {
    [EXIT_KIND_EXITED] = "exited",
    [EXIT_KIND_KILLED] = "killed",
    [EXIT_KIND_START_FAILED] = "start-failed",
};

static const char *const reason_names[_EXIT_REASON_MAX] = {
    [EXIT_REASON_NONE] = "none",
    [EXIT_REASON_TIMEOUT] = "timeout",
    [EXIT_REASON_OOM] = "oom",
};

const char *exit_kind_to_string(ExitKind kind) {
    return kind >= 0 && kind < _EXIT_KIND_MAX ? kind_names[kind] : NULL;
}

int exit_record_get_exit_status(const ExitRecord *r) {
    switch (r->kind) {
    case EXIT_KIND_EXITED:
        return r->status;
    case EXIT_KIND_KILLED:
        return EXIT_SIGNAL_BASE + r->status;
    default:
        return r->status == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_START;
    }
}

static ExitKind kind_from_string(const char *s) {
    for (int kind = 0; kind < _EXIT_KIND_MAX; kind++)
        if (streq(s, kind_names[kind]))
            return (ExitKind)kind;
    return _EXIT_KIND_INVALID;
}

static ExitReason reason_from_string(const char *s) {
    for (int reason = 0; reason < _EXIT_REASON_MAX; reason++)
        if (streq(s, reason_names[reason]))
            return (ExitReason)reason;
    return _EXIT_REASON_INVALID;
}

static void render_field(FILE *f, const Field *field, const void *p) {
    switch (field->type) {
    case FIELD_KIND:
        (void)fprintf(f, "%s=%s\n", field->key, kind_names[*(const ExitKind *)p]);
        break;
    case FIELD_REASON:
        (void)fprintf(f, "%s=%s\n", field->key, reason_names[*(const ExitReason *)p]);
        break;
    case FIELD_STATUS:
        (void)fprintf(f, "%s=%d\n", field->key, *(const int *)p);
        break;
    case FIELD_NUMBER:
        (void)fprintf(f, "%s=%llu\n", field->key, (unsigned long long)*(const uint64_t *)p);
        break;
    case FIELD_SHA256:
        (void)fprintf(f, "%s=%s\n", field->key, (const char *)p);
        break;
    }
}

/* Defaults are omitted, so that older versions can read the record. */
void exit_record_claim(const ExitRecord *r, char ret[static EXIT_RECORD_CLAIM_SIZE]) {
    int n = snprintf(ret, EXIT_RECORD_CLAIM_SIZE, EXIT_RECORD_CLAIM);

    if (r->output_max != 0 && r->output_max != JOB_OUTPUT_DEFAULT)
        n += snprintf(ret + n, EXIT_RECORD_CLAIM_SIZE - (size_t)n, OUTPUT_MAX "=%" PRIu64 "\n",
                      r->output_max);
    if (r->boot_id[0])
        (void)snprintf(ret + n, EXIT_RECORD_CLAIM_SIZE - (size_t)n, BOOT_ID "=%s\n", r->boot_id);
}

int exit_record_render(const ExitRecord *r, char **ret) {
    char claim[EXIT_RECORD_CLAIM_SIZE];
    _cleanup_free_ char *text = NULL;
    size_t size = 0;
    bool failed;
    FILE *f;

    assert(exit_kind_to_string(r->kind));
    f = open_memstream(&text, &size);
    if (!f)
        return -ENOMEM;
    exit_record_claim(r, claim);
    (void)fputs(claim, f);
    for (size_t i = 0; i < ELEMENTSOF(fields); i++)
        render_field(f, fields + i, (const char *)r + fields[i].offset);
    (void)fputs(END_MARKER, f);
    failed = ferror(f);
    if (fclose(f) != 0 || failed)
        return -ENOMEM;
    *ret = TAKE_PTR(text);
    return 0;
}

static int parse_number(const char *s, uint64_t max, uint64_t *ret) {
    uint64_t n = 0;

    if (!*s || (s[0] == '0' && s[1]))
        return -EBADMSG;
    for (; *s; s++) {
        if (*s < '0' || *s > '9')
            return -EBADMSG;
        if (__builtin_mul_overflow(n, (uint64_t)10, &n) ||
            __builtin_add_overflow(n, (uint64_t)(*s - '0'), &n) || n > max)
            return -EBADMSG;
    }
    *ret = n;
    return 0;
}

static int parse_sha256(const char *s, char ret[static SHA256_HEX_SIZE]) {
    size_t size = strlen(s);

    if (size != SHA256_HEX_SIZE - 1 || strspn(s, "0123456789abcdef") != size)
        return -EBADMSG;
    memcpy(ret, s, SHA256_HEX_SIZE);
    return 0;
}

static int parse_field(const Field *field, const char *value, void *p) {
    uint64_t n;
    int r;

    switch (field->type) {
    case FIELD_KIND:
        *(ExitKind *)p = kind_from_string(value);
        return *(ExitKind *)p < 0 ? -EBADMSG : 0;
    case FIELD_REASON:
        *(ExitReason *)p = reason_from_string(value);
        return *(ExitReason *)p < 0 ? -EBADMSG : 0;
    case FIELD_STATUS:
        r = parse_number(value, ERRNO_MAX, &n);
        if (r >= 0)
            *(int *)p = (int)n;
        return r;
    case FIELD_NUMBER:
        return parse_number(value, UINT64_MAX, p);
    case FIELD_SHA256:
        return parse_sha256(value, p);
    }
    return -EBADMSG;
}

static bool status_is_valid(ExitKind kind, int status) {
    switch (kind) {
    case EXIT_KIND_EXITED:
        return status >= 0 && status <= 255;
    case EXIT_KIND_KILLED:
        return status >= 1 && status <= SIGNAL_MAX;
    case EXIT_KIND_START_FAILED:
        return status >= 1 && status <= ERRNO_MAX;
    default:
        return false;
    }
}

static bool summary_is_valid(const OutputSummary *s, uint64_t output_max) {
    const uint64_t half = output_max / 2;

    if (s->head_bytes > MIN(s->total_bytes, half) || s->tail_bytes > half)
        return false;
    if (s->tail_bytes == 0)
        return s->tail_offset == 0;
    return s->tail_offset >= half && s->tail_offset < s->total_bytes &&
           s->tail_bytes <= s->total_bytes - s->tail_offset;
}

/* Takes the line of this key off *text and returns its value. */
static const char *take_value(char **text, const char *key) {
    char *line = *text, *end = strchr(line, '\n');
    size_t size = strlen(key);

    if (!end || strncmp(line, key, size) != 0 || line[size] != '=')
        return NULL;
    *end = 0;
    *text = end + 1;
    return line + size + 1;
}

static int take_output_max(char **text, uint64_t *ret) {
    const char *value;

    if (strncmp(*text, OUTPUT_MAX "=", strlen(OUTPUT_MAX "=")) != 0) {
        *ret = JOB_OUTPUT_DEFAULT;
        return 0;
    }
    value = take_value(text, OUTPUT_MAX);
    if (!value || parse_number(value, JOB_OUTPUT_MAX, ret) < 0 || *ret < JOB_OUTPUT_MIN ||
        *ret == JOB_OUTPUT_DEFAULT)
        return -EBADMSG;
    return 0;
}

static int take_boot_id(char **text, char ret[static BOOT_ID_SIZE]) {
    const char *value;

    ret[0] = 0;
    if (strncmp(*text, BOOT_ID "=", strlen(BOOT_ID "=")) != 0)
        return 0;
    value = take_value(text, BOOT_ID);
    if (!value || !boot_id_is_valid(value))
        return -EBADMSG;
    memcpy(ret, value, BOOT_ID_SIZE);
    return 0;
}

/* What follows EXIT_RECORD_CLAIM. */
static int take_claim(char **text, ExitRecord *ret) {
    TRY(take_output_max(text, &ret->output_max));
    return take_boot_id(text, ret->boot_id);
}

static void read_claim(const char *text, size_t size, ExitRecord *ret) {
    const size_t claim = strlen(EXIT_RECORD_CLAIM);
    char lines[EXIT_RECORD_CLAIM_SIZE] = "", *p = lines;

    *ret = (ExitRecord){.output_max = JOB_OUTPUT_DEFAULT};
    if (size <= claim || memcmp(text, EXIT_RECORD_CLAIM, claim) != 0)
        return;
    memcpy(lines, text + claim, MIN(size - claim, sizeof(lines) - 1));
    if (take_claim(&p, ret) < 0)
        *ret = (ExitRecord){.output_max = JOB_OUTPUT_DEFAULT};
}

uint64_t exit_record_get_output_max(const char *text, size_t size) {
    ExitRecord record;

    read_claim(text, size, &record);
    return record.output_max;
}

void exit_record_get_boot_id(const char *text, size_t size, char ret[static BOOT_ID_SIZE]) {
    ExitRecord record;

    read_claim(text, size, &record);
    memcpy(ret, record.boot_id, BOOT_ID_SIZE);
}

static bool is_complete(const char *text, size_t size) {
    const size_t end = strlen(END_MARKER);

    return size >= end && memcmp(text + size - end, END_MARKER, end) == 0;
}

int exit_record_parse(const char *text, size_t size, ExitRecord *ret) {
    _cleanup_free_ char *copy = NULL;
    ExitRecord record = {};
    char *p;

    if (size > EXIT_RECORD_MAX)
        return -EBADMSG;
    if (!is_complete(text, size))
        return -ENODATA;
    copy = strndup(text, size);
    if (!copy)
        return -ENOMEM;
    if (strlen(copy) != size || strncmp(copy, EXIT_RECORD_CLAIM, strlen(EXIT_RECORD_CLAIM)) != 0)
        return -EBADMSG;

    p = copy + strlen(EXIT_RECORD_CLAIM);
    if (take_claim(&p, &record) < 0)
        return -EBADMSG;
    for (size_t i = 0; i < ELEMENTSOF(fields); i++) {
        const char *value = take_value(&p, fields[i].key);

        if (!value || parse_field(fields + i, value, (char *)&record + fields[i].offset) < 0)
            return -EBADMSG;
    }
    if (!streq(p, END_MARKER) || !status_is_valid(record.kind, record.status) ||
        !summary_is_valid(&record.out, record.output_max) ||
        !summary_is_valid(&record.err, record.output_max))
        return -EBADMSG;
    *ret = record;
    return 0;
}
