/* SPDX-License-Identifier: Apache-2.0 */
/* The texts are those of rclone 1.60 and the libraries in it, of the servers' protocols, and of Go.
 * tests/unit/test-object-evidence.c has recorded logs. */
#include "dcm-object/evidence.h"

#include <ctype.h>
#include <stdio.h>

#include "basic/utf8.h"
#include "proto/json.h"

typedef struct Pattern {
    FailureCode code;
    const char *text; /* lower case; occurs in the error */
} Pattern;

/* The first that occurs counts: a skewed clock is reported as forbidden, too. */
static const Pattern patterns[] = {
    {FAILURE_CLOCK, "requesttimetooskewed"},
    {FAILURE_CLOCK, "difference between the request time"},
    {FAILURE_CLOCK, "signature not valid in the specified time frame"},
    {FAILURE_CLOCK, "date header in the request is incorrect"},
    {FAILURE_CLOCK, "x509: certificate has expired or is not yet valid"},
    {FAILURE_CLOCK, "token must be a short-lived token"},
    {FAILURE_NO_SPACE_THERE, "507 insufficient storage"},
    {FAILURE_NO_SPACE_THERE, "status code: 507"},
    {FAILURE_NO_SPACE_THERE, "insufficient storage"},
    {FAILURE_NO_SPACE_THERE, "quotaexceeded"},
    {FAILURE_NO_SPACE_THERE, "quota exceeded"},
    {FAILURE_NO_SPACE_THERE, "upload exceeds quota"},
    {FAILURE_NO_SPACE_THERE, "413 request entity too large"}, /* Swift's quotas */
    {FAILURE_NO_SPACE_THERE, "entitytoolarge"},
    {FAILURE_NO_SPACE_THERE, "disk quota"},
    {FAILURE_NO_SPACE_THERE, "no space left on device"},
    {FAILURE_NO_SPACE_THERE, "enospc"},
    {FAILURE_NO_SPACE_THERE, "accountisfull"},
    {FAILURE_NO_BUCKET, "nosuchbucket"},
    {FAILURE_NO_BUCKET, "containernotfound"},
    {FAILURE_NO_BUCKET, "container not found"},
    {FAILURE_NO_BUCKET, "bucket does not exist"},
    {FAILURE_NO_BUCKET, "container does not exist"},
    {FAILURE_NO_BUCKET, "containerbeingdeleted"},
    {FAILURE_NO_OBJECT, "nosuchkey"},
    {FAILURE_NO_OBJECT, "blobnotfound"},
    {FAILURE_NO_OBJECT, "object not found"},
    {FAILURE_NO_OBJECT, "is a file not a directory"},
    {FAILURE_NO_OBJECT, "is a directory or doesn't exist"},
    {FAILURE_NO_OBJECT, "no such object"},
    {FAILURE_WRONG_ENDPOINT, "knownhosts: key"},
    {FAILURE_FORBIDDEN, "status code: 403"},
    {FAILURE_FORBIDDEN, "status code: 401"},
    {FAILURE_FORBIDDEN, "accessdenied"},
    {FAILURE_FORBIDDEN, "access denied"},
    {FAILURE_FORBIDDEN, "invalidaccesskeyid"},
    {FAILURE_FORBIDDEN, "signaturedoesnotmatch"},
    {FAILURE_FORBIDDEN, "authorization failed"},
    {FAILURE_FORBIDDEN, "authorizationfailure"},
    {FAILURE_FORBIDDEN, "authenticationfailed"},
    {FAILURE_FORBIDDEN, "authorizationpermissionmismatch"},
    {FAILURE_FORBIDDEN, "invalidauthenticationinfo"},
    {FAILURE_FORBIDDEN, "401 unauthorized"},
    {FAILURE_FORBIDDEN, "403 forbidden"},
    {FAILURE_FORBIDDEN, "error 401"},
    {FAILURE_FORBIDDEN, "error 403"},
    {FAILURE_FORBIDDEN, "http status 403"},
    {FAILURE_FORBIDDEN, "operation forbidden"},
    {FAILURE_FORBIDDEN, "unable to authenticate"},
    {FAILURE_FORBIDDEN, "permission denied"},
    {FAILURE_FORBIDDEN, "invalid_grant"},
    {FAILURE_FORBIDDEN, "invalid_client"},
    {FAILURE_WRONG_ENDPOINT, "no such host"},
    {FAILURE_WRONG_ENDPOINT, "connection refused"},
    {FAILURE_WRONG_ENDPOINT, "no route to host"},
    {FAILURE_WRONG_ENDPOINT, "network is unreachable"},
    {FAILURE_WRONG_ENDPOINT, "unsupported protocol scheme"},
    {FAILURE_WRONG_ENDPOINT, "certificate signed by unknown authority"},
    {FAILURE_WRONG_ENDPOINT, "x509:"},
    {FAILURE_WRONG_ENDPOINT, "server gave http response to https client"},
    {FAILURE_WRONG_ENDPOINT, "malformed http"},
    {FAILURE_WRONG_ENDPOINT, "first record does not look like a tls handshake"},
    {FAILURE_WRONG_ENDPOINT, "ssh: overflow reading version string"},
    {FAILURE_WRONG_ENDPOINT, "permanentredirect"},
    {FAILURE_WRONG_ENDPOINT, "authorizationheadermalformed"},
    {FAILURE_WRONG_ENDPOINT, "status code: 301"},
    {FAILURE_WRONG_ENDPOINT, "serializationerror"},
    {FAILURE_WRONG_ENDPOINT, "failed to unmarshal"},
    {FAILURE_WRONG_ENDPOINT, "can't find authversion"},
    {FAILURE_WRONG_ENDPOINT, "couldn't find auth version"},
    {FAILURE_TIMEOUT, "i/o timeout"},
    {FAILURE_TIMEOUT, "context deadline exceeded"},
    {FAILURE_TIMEOUT, "client.timeout exceeded"},
    {FAILURE_TIMEOUT, "tls handshake timeout"},
    {FAILURE_TIMEOUT, "timeout when reading or writing data"},
    {FAILURE_TIMEOUT, "timeout awaiting"},
    {FAILURE_CUT_OFF, "unexpected eof"},
    {FAILURE_CUT_OFF, "connection reset by peer"},
    {FAILURE_CUT_OFF, "broken pipe"},
    {FAILURE_CUT_OFF, "connection lost"},
    {FAILURE_CUT_OFF, "use of closed network connection"},
    {FAILURE_CUT_OFF, "incompletebody"},
    {FAILURE_CUT_OFF, "server closed idle connection"},
    {FAILURE_CUT_OFF, "transport connection broken"},
    {FAILURE_CUT_OFF, ": eof"},
    {FAILURE_CUT_OFF, "handshake failed: eof"},
    {FAILURE_NO_BUCKET, "directory not found"},
    {FAILURE_NO_BUCKET, "file does not exist"},
    {FAILURE_NO_OBJECT, "404 not found"},
    {FAILURE_NO_OBJECT, "status code: 404"},
};

/* Finds `lower`, which has no capitals, in `text`, whatever its case. */
static bool contains(const char *text, const char *lower) {
    for (const char *p = text; *p; p++) {
        size_t n = 0;

        while (lower[n] && tolower((unsigned char)p[n]) == lower[n])
            n++;
        if (!lower[n])
            return true;
    }
    return false;
}

FailureCode evidence_classify(const char *text) {
    for (size_t i = 0; i < ELEMENTSOF(patterns); i++)
        if (contains(text, patterns[i].text))
            return patterns[i].code;
    return FAILURE_OTHER;
}

/* Copies as one line, in which a query of a URL is "?...": it may have a signature. */
static void copy_without_queries(const char *from, char to[static EVIDENCE_TEXT_MAX]) {
    char *end = to, *limit = to + EVIDENCE_TEXT_MAX - 4;
    bool in_url = false;

    for (; *from && end < limit; from++) {
        const unsigned char c = (unsigned char)*from;

        if (c <= ' ' || c == '"' || c == '\'' || c == '<' || c == '>') {
            in_url = false;
            if (end > to || c > ' ')
                *end++ = (char)(c < ' ' ? ' ' : c);
            continue;
        }
        in_url = in_url || strncmp(from, "://", 3) == 0;
        *end++ = *from;
        if (c != '?' || !in_url)
            continue;
        end = stpcpy(end, "...");
        from += strcspn(from, " \"'<>\t\r\n") - 1;
        in_url = false;
    }
    *end = 0;
    to[utf8_cut(to, (size_t)(end - to))] = 0;
}

/* Azure's library dumps the whole request; what matters of it is "ServiceCode=BlobNotFound". */
static void copy_text(const char *from, char to[static EVIDENCE_TEXT_MAX]) {
    static const char mark[] = "(ServiceCode=";
    const char *code = strstr(from, mark);

    if (!code) {
        copy_without_queries(from, to);
        return;
    }
    code += strlen(mark);
    (void)utf8_format(to, EVIDENCE_TEXT_MAX, "%.*s", (int)strcspn(code, ") \n"), code);
}

static int rank(FailureCode code) {
    return code == FAILURE_NONE ? 0 : code == FAILURE_OTHER ? 1 : 2;
}

/* The first known cause counts: later errors follow from it ("upload aborted"). Of unknown ones the
 * last, which is what rclone ends with. */
static void add_text(Evidence *e, const char *text) {
    const FailureCode code = evidence_classify(text);

    if (contains(text, "directory not found"))
        e->is_directory_missing = true;
    if (rank(code) < rank(e->code) || (rank(code) == rank(e->code) && code != FAILURE_OTHER))
        return;
    e->code = code;
    copy_text(text, e->text);
}

static void add_statistics(Evidence *e, struct json_object *stats) {
    const char *error = json_get_string(stats, "lastError");

    if (!isempty(error))
        add_text(e, error);
}

static bool is_error(const char *level) {
    return streq(level, "error") || streq(level, "critical") || streq(level, "fatal") ||
           streq(level, "panic");
}

static bool add_json(Evidence *e, const char *line, size_t size) {
    _cleanup_json_ struct json_object *o = NULL;
    const char *message;

    if (json_parse_small(line, size, &o) < 0 || !json_object_is_type(o, json_type_object))
        return false;
    message = json_get_string(o, "msg");
    if (json_get(o, "stats"))
        add_statistics(e, json_get(o, "stats"));
    else if (message && is_error(strempty(json_get_string(o, "level"))))
        add_text(e, message);
    return true;
}

/* "2026/12/01 10:16:11 Failed to lsjson: ...", and what follows it */
static void add_plain(Evidence *e, const char *line, size_t size) {
    static const char time[] = "0000/00/00 00:00:00 ";
    char text[4 * EVIDENCE_TEXT_MAX];

    if (size > strlen(time) && line[4] == '/' && line[7] == '/' && line[13] == ':') {
        line += strlen(time);
        size -= strlen(time);
    }
    (void)snprintf(text, sizeof(text), "%.*s", (int)MIN(size, sizeof(text) - 1), line);
    add_text(e, text);
}

void evidence_add_line(Evidence *e, const char *line, size_t size) {
    if (size == 0)
        return;
    if (*line != '{' || !add_json(e, line, size))
        add_plain(e, line, size);
}
