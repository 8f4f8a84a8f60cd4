/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-metrics/question.h"

#include "proto/http-head.h"

/* The next word of a request line, whose words are separated by one blank. */
static HttpSlice next_word(HttpSlice *line) {
    const char *end = memchr(line->data, ' ', line->size);
    HttpSlice word = {line->data, end ? (size_t)(end - line->data) : line->size};
    size_t used = MIN(word.size + 1, line->size);

    line->data += used;
    line->size -= used;
    return word;
}

static bool equals(HttpSlice s, const char *text) {
    return s.size == strlen(text) && memcmp(s.data, text, s.size) == 0;
}

int question_judge(const char *head, size_t size, bool *ret_head_only) {
    const HttpSlice whole = {head, size};
    HttpSlice rest = whole, line, method, target, version, host;

    *ret_head_only = false;
    if (!http_next_line(&rest, &line))
        return 400;
    method = next_word(&line);
    target = next_word(&line);
    version = next_word(&line);
    if (line.size > 0 || target.size == 0 ||
        !(equals(version, "HTTP/1.1") || equals(version, "HTTP/1.0")))
        return 400;
    if (equals(version, "HTTP/1.1") && !http_find_field(whole, "Host", NULL, &host))
        return 400;
    *ret_head_only = equals(method, "HEAD");
    if (!*ret_head_only && !equals(method, "GET"))
        return 405;
    for (size_t i = 0; i < target.size; i++)
        if (target.data[i] == '?') /* some collectors add parameters */
            target.size = i;
    return equals(target, "/metrics") || equals(target, "/") ? 200 : 404;
}
