/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-cloud/ask.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <unistd.h>

#include "basic/bounds.h"
#include "dcm-cloud/http.h"

const char *ask_base(const Provider *p, const Question *q) {
    return q->metadata_url ?: p->base;
}

int ask_path(const Question *q, const Path *path, size_t size_max, char **ret, size_t *ret_size) {
    _cleanup_free_ char *url = NULL;

    if (asprintf(&url, "%s%s", path->base, path->path) < 0)
        return -ENOMEM;
    return http_ask(
        &(const HttpRequest){
            .url = url,
            .headers = {path->header},
            .answer_header = path->answer_header,
            .size_max = size_max,
        },
        q->deadline_usec, ret, ret_size);
}

int take_line(const char *text, size_t size, char **ret) {
    _cleanup_free_ char *line = NULL;

    if (strlen(text) != size)
        return -EBADMSG;
    while (size > 0 && isspace((unsigned char)text[size - 1]))
        size--;
    line = strndup(text, size);
    if (!line)
        return -ENOMEM;
    if (!cloud_value_is_valid(line))
        return -EBADMSG;
    *ret = TAKE_PTR(line);
    return 0;
}

static int read_value(const Question *q, const Path *path, char **ret) {
    _cleanup_free_ char *text = NULL;
    size_t size = 0;

    TRY(ask_path(q, path, CLOUD_BODY_MAX, &text, &size));
    return take_line(text, size, ret);
}

int ask_optional(const Question *q, const Path *path, char **ret) {
    int r = read_value(q, path, ret);

    return r == -ENOENT ? 0 : r;
}

int ask_address(const Question *q, const Path *path, int family, char ***ret) {
    _cleanup_free_ char *text = NULL;
    unsigned char raw[sizeof(struct in6_addr)];
    int r;

    r = ask_optional(q, path, &text);
    if (r < 0 || !text)
        return r;
    if (inet_pton(family, text, raw) != 1)
        return -EBADMSG;
    *ret = calloc(2, sizeof(char *));
    if (!*ret)
        return -ENOMEM;
    (*ret)[0] = TAKE_PTR(text);
    return 0;
}

/* Allows letters, digits and the other characters of cloud ids, which a web page does not pass. */
static int check_id(const char *id, const char *prefix) {
    if (strncmp(id, prefix, strlen(prefix)) != 0)
        return -EBADMSG;
    for (const char *c = id; *c; c++)
        if (!isalnum((unsigned char)*c) && !strchr("._-", *c))
            return -EBADMSG;
    return 0;
}

int take_id(const char *text, size_t size, const char *prefix, char **ret) {
    _cleanup_free_ char *id = NULL;
    int r;

    r = take_line(text, size, &id);
    if (r >= 0)
        r = check_id(id, prefix);
    if (r >= 0)
        *ret = TAKE_PTR(id);
    return r;
}

int ask_id(const Question *q, const Path *path, const char *prefix, char **ret) {
    _cleanup_free_ char *text = NULL;
    size_t size = 0;

    TRY(ask_path(q, path, CLOUD_BODY_MAX, &text, &size));
    return take_id(text, size, prefix, ret);
}

int ask_host_name(char *ret) {
    char name[HOST_NAME_SIZE] = "";

    if (gethostname(name, sizeof(name) - 1) < 0)
        return -errno;
    name[strcspn(name, ".")] = 0;
    memcpy(ret, name, sizeof(name));
    return 0;
}
