/* SPDX-License-Identifier: Apache-2.0 */
/* libcurl is not used for files, because it would block on a FIFO. */
#include "dcm-fetch/file-source.h"

#include <curl/curl.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/fd-util.h"

#define CHUNK ((size_t)64 * 1024)

static void free_url(CURLU **u) {
    curl_url_cleanup(*u);
}

static void free_curl(char **s) {
    curl_free(*s);
}

static int open_regular(const char *path, Problem *ret_problem) {
    _cleanup_close_ int fd = -1;
    struct stat st;

    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 || fstat(fd, &st) < 0)
        return problem_set(ret_problem, "%s cannot be read: %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return problem_set(ret_problem, "%s is not a regular file", path);
    return TAKE_FD(fd);
}

static int copy(int fd, const char *path, Sink *sink, Problem *ret_problem) {
    char chunk[CHUNK];
    ssize_t n;

    while ((n = read(fd, chunk, sizeof(chunk))) > 0)
        if (sink_write(sink, chunk, (size_t)n) < 0)
            return problem_set(ret_problem, "%s %s", path, sink_strerror(sink));
    return n < 0 ? problem_set(ret_problem, "%s cannot be read: %s", path, strerror(errno)) : 0;
}

int file_source_fetch(const char *url, Sink *sink, Problem *ret_problem) {
    _cleanup_(free_curl) char *path = NULL;
    _cleanup_(free_url) CURLU *u = NULL;
    _cleanup_close_ int fd = -1;

    u = curl_url();
    if (!u || curl_url_set(u, CURLUPART_URL, url, 0) != CURLUE_OK ||
        curl_url_get(u, CURLUPART_PATH, &path, CURLU_URLDECODE) != CURLUE_OK)
        return problem_set(ret_problem, "The URL is not a valid file URL");
    fd = open_regular(path, ret_problem);
    return fd < 0 ? fd : copy(fd, path, sink, ret_problem);
}
