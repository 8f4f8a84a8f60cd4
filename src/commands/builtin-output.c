/* SPDX-License-Identifier: Apache-2.0 */
#include "commands/builtin-output.h"

#include <fcntl.h>

#include "basic/bounds.h"
#include "basic/fd-util.h"
#include "basic/guid.h"
#include "basic/job-output.h"
#include "basic/utf8.h"
#include "job/job-result.h"
#include "proto/message.h"
#include "proto/text.h"

typedef struct Piece {
    const char *stream;
    uint64_t offset;
    size_t size;
    JobOutput output;
} Piece;

static int open_directory(const char *root, const char *guid) {
    char name[JOB_NAME_SIZE];
    _cleanup_close_ int root_fd = -1;
    int fd;

    guid_to_job_name(guid, name);
    root_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root_fd < 0)
        return -errno;
    fd = openat(root_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    return fd < 0 ? -errno : fd;
}

/* Returns an error text for the reply, or NULL. */
static const char *read_arguments(const ArgumentValue *values, Piece *ret) {
    const ArgumentValue *length = &values[GET_JOB_OUTPUT_LENGTH];

    ret->stream = values[GET_JOB_OUTPUT_STREAM].string ?: "stdout";
    if (!streq(ret->stream, "stdout") && !streq(ret->stream, "stderr"))
        return "The argument 'stream' is neither stdout nor stderr";
    if (values[GET_JOB_OUTPUT_OFFSET].integer < 0 || length->integer < 0)
        return "Offset and length must not be negative";
    if (!guid_is_valid(values[GET_JOB_OUTPUT_GUID].string))
        return "The argument 'guid' is not a GUID";
    ret->offset = (uint64_t)values[GET_JOB_OUTPUT_OFFSET].integer;
    ret->size = length->is_set ? (size_t)MIN((uint64_t)length->integer, (uint64_t)OUTPUT_PIECE_MAX)
                               : OUTPUT_PIECE_MAX;
    return NULL;
}

/* Leaves out a character that the end of the piece cuts, as the next piece begins with it; but not
 * at the end of the stream, or if nothing would remain. */
static ssize_t keep_whole(const Piece *p, const char *buf, ssize_t n) {
    size_t whole = utf8_whole(buf, (size_t)n);
    bool is_last = p->output.has_ended && p->offset + (uint64_t)n >= p->output.summary.total_bytes;

    return whole > 0 && !is_last ? (ssize_t)whole : n;
}

/* Returns the number of bytes read. */
static ssize_t read_piece(Piece *p, char **ret_text) {
    _cleanup_free_ char *buf = malloc(p->size + 1);
    const uint64_t asked = p->offset;
    size_t cut = 0;
    ssize_t n;

    if (!buf)
        return -ENOMEM;
    n = job_output_read_at(&p->output, p->offset, buf, p->size, &p->offset);
    if (n < 0)
        return n;
    if (p->offset > asked) /* a gap may end within a character */
        while (cut < 3 && cut + 1 < (size_t)n && utf8_is_continuation((unsigned char)buf[cut]))
            cut++;
    p->offset += cut;
    n = keep_whole(p, buf + cut, n - (ssize_t)cut);
    TRY(utf8_replace_invalid(buf + cut, (size_t)n, ret_text));
    return n;
}

static int make_reply(const Piece *p, uint64_t length, const char *text, struct json_object **ret) {
    _cleanup_json_ struct json_object *o = json_object_new_object();
    int r;

    if (!o)
        return -ENOMEM;
    r = json_add_string(o, "stream", p->stream)
            ?: json_add_int(o, "offset", (int64_t)p->offset)
            ?: json_add_int(o, "length", (int64_t)length)
            ?: json_add_int(o, "next_offset", (int64_t)(p->offset + length))
            ?: json_add(o, "complete", json_object_new_boolean(p->output.has_ended));
    if (r >= 0 && p->output.has_ended)
        r = json_add_int(o, "total", (int64_t)p->output.summary.total_bytes)
                ?: json_add_string(o, "sha256", p->output.summary.sha256);
    return r < 0 ? r : reply_new(0, "job_output", TAKE_PTR(o), text, NULL, ret);
}

/* A job with an exit record had output files. A job without one has not started, or was refused. */
static const char *explain_absence(int dir_fd) {
    ExitRecord record;

    return job_record_read(dir_fd, &record) >= 0 ? "The output of that job is no longer kept"
                                                 : "There is no output of such a request";
}

int builtin_get_job_output(const CommandContext *context, const ArgumentValue *values,
                           struct json_object **ret_reply, CommandRun **ret_run) {
    Piece p = {.output = JOB_OUTPUT_INIT};
    _cleanup_free_ char *text = NULL;
    _cleanup_close_ int dir_fd = -1;
    const char *error;
    ssize_t n;
    int r;

    error = read_arguments(values, &p);
    if (error)
        return reply_new_error(error, ret_reply);
    dir_fd = open_directory(context->jobs_root, values[GET_JOB_OUTPUT_GUID].string);
    if (dir_fd == -ENOENT)
        return reply_new_error("There is no output of such a request", ret_reply);
    if (dir_fd < 0)
        return dir_fd;
    r = job_output_open(dir_fd, p.stream, NULL, &p.output);
    if (r == -ENOENT)
        return reply_new_error(explain_absence(dir_fd), ret_reply);
    if (r < 0)
        return r;
    n = read_piece(&p, &text);
    job_output_done(&p.output);
    return n < 0 ? (int)n : make_reply(&p, (uint64_t)n, text, ret_reply);
}
