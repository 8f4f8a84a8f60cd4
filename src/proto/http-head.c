/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/http-head.h"

#include <stdio.h>

#include "basic/bounds.h"

ssize_t http_head_size(const char *data, size_t size) {
    const char *end = memmem(data, MIN(size, HTTP_HEAD_MAX), "\r\n\r\n", 4);

    if (end)
        return end + 4 - data;
    return size >= HTTP_HEAD_MAX ? -E2BIG : -EAGAIN;
}

static HttpSlice trim(HttpSlice s) {
    while (s.size > 0 && (s.data[0] == ' ' || s.data[0] == '\t'))
        s = (HttpSlice){s.data + 1, s.size - 1};
    while (s.size > 0 && (s.data[s.size - 1] == ' ' || s.data[s.size - 1] == '\t'))
        s.size--;
    return s;
}

bool http_slice_equals(HttpSlice s, const char *text) {
    return s.size == strlen(text) && strncasecmp(s.data, text, s.size) == 0;
}

bool http_next_line(HttpSlice *head, HttpSlice *ret) {
    const char *end = memmem(head->data, head->size, "\r\n", 2);

    if (!end)
        return false;
    *ret = (HttpSlice){head->data, (size_t)(end - head->data)};
    head->size -= ret->size + 2;
    head->data = end + 2;
    return true;
}

bool http_find_field(HttpSlice head, const char *name, const char *want, HttpSlice *ret_value) {
    HttpSlice line;

    (void)http_next_line(&head, &line); /* request or status line */
    while (http_next_line(&head, &line)) {
        const char *colon = memchr(line.data, ':', line.size);
        HttpSlice value;

        if (!colon || !http_slice_equals((HttpSlice){line.data, (size_t)(colon - line.data)}, name))
            continue;
        value = trim((HttpSlice){colon + 1, line.size - (size_t)(colon + 1 - line.data)});
        if (ret_value)
            *ret_value = value;
        if (!want)
            return true;
        while (value.size > 0) {
            const char *comma = memchr(value.data, ',', value.size);
            size_t size = comma ? (size_t)(comma - value.data) : value.size;

            if (http_slice_equals(trim((HttpSlice){value.data, size}), want))
                return true;
            size += comma ? 1 : 0;
            value = (HttpSlice){value.data + size, value.size - size};
        }
    }
    return false;
}

int http_parse_status_line(HttpSlice head, int *ret_status, HttpSlice *ret_line) {
    int status = 0;

    if (!http_next_line(&head, ret_line) || ret_line->size < 12 ||
        strncmp(ret_line->data, "HTTP/1.", 7) != 0 || ret_line->data[8] != ' ')
        return -EPROTO;
    for (int i = 9; i < 12; i++) {
        if (ret_line->data[i] < '0' || ret_line->data[i] > '9')
            return -EPROTO;
        status = status * 10 + (ret_line->data[i] - '0');
    }
    *ret_status = status;
    return 0;
}

uint64_t http_retry_after_usec(HttpSlice head) {
    HttpSlice value;
    uint64_t seconds = 0;

    if (!http_find_field(head, "Retry-After", NULL, &value) || value.size == 0 || value.size > 9)
        return 0;
    for (size_t i = 0; i < value.size; i++) {
        if (value.data[i] < '0' || value.data[i] > '9') /* a date would depend on two clocks */
            return 0;
        seconds = seconds * 10 + (uint64_t)(value.data[i] - '0');
    }
    return MIN(seconds * USEC_PER_SEC, RETRY_AFTER_USEC_MAX);
}

void http_quote(HttpSlice s, char *ret, size_t size) {
    size_t n = MIN(s.size, MIN(size - 1, (size_t)HTTP_QUOTED_MAX));

    if (n > 0) /* memcpy(3) does not allow NULL */
        memcpy(ret, s.data, n);
    for (size_t i = 0; i < n; i++)
        if (ret[i] < ' ' || ret[i] > '~')
            ret[i] = '?';
    ret[n] = 0;
}
