/* SPDX-License-Identifier: Apache-2.0 */
/* libcurl without all that a download does not need: other protocols, proxies, .netrc, cookies,
 * compression. A download over https never falls back to a connection without TLS. Only error texts
 * of libcurl about TLS are quoted; the others may contain the URL. */
#include "dcm-fetch/http-source.h"

#include <curl/curl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "basic/fd-util.h"
#include "basic/utf8.h"

#define PATIENCE_BYTES 100 /* per second: a slower source counts as silent */
#define LOOK_MSEC 1000
#define CERTIFICATE_PATH_SIZE 32

typedef struct Download {
    const FetchOrder *order;
    int reader_fd;
    Sink *sink;
    CURL *easy;
    CURLM *multi;
    int certificate_fd;
    char certificate_path[CERTIFICATE_PATH_SIZE];
    char error[CURL_ERROR_SIZE];
} Download;

static void download_done(Download *d) {
    if (d->multi && d->easy)
        (void)curl_multi_remove_handle(d->multi, d->easy);
    curl_easy_cleanup(d->easy);
    (void)curl_multi_cleanup(d->multi);
    safe_close(d->certificate_fd);
}

static size_t on_data(char *data, size_t one, size_t size, void *userdata) {
    return sink_write(userdata, data, size) < 0 ? 0 : size;
}

/* GnuTLS reads trusted certificates only from a file. */
static int set_certificate(Download *d) {
    const char *text = d->order->certificate;
    CURLcode code = CURLE_OK;

    if (!text)
        return 0;
    d->certificate_fd = memfd_create("certificate", MFD_CLOEXEC);
    if (d->certificate_fd < 0)
        return -errno;
    TRY(write_full(d->certificate_fd, text, strlen(text)));
    (void)snprintf(d->certificate_path, sizeof(d->certificate_path), "/proc/self/fd/%d",
                   d->certificate_fd);
    code = curl_easy_setopt(d->easy, CURLOPT_CAINFO, d->certificate_path);
    if (code == CURLE_OK)
        code = curl_easy_setopt(d->easy, CURLOPT_CAPATH, NULL);
    return code == CURLE_OK ? 0 : -ENOMEM;
}

/* RHEL 9 has libcurl 7.76, which does not know protocol names; newer versions deprecate the
 * numbers. */
static CURLcode set_protocols(CURL *easy, bool tls) {
    CURLcode code;

#if LIBCURL_VERSION_NUM >= 0x075500
    code = curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, tls ? "https" : "http,https");
#else
    code = curl_easy_setopt(easy, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS,
                                (long)(CURLPROTO_HTTPS | (tls ? 0 : CURLPROTO_HTTP)));
#endif
    return code;
}

static int set_numbers(Download *d) {
    const long patience_msec = (long)(d->order->patience_usec / USEC_PER_MSEC);
    const struct {
        CURLoption option;
        long value;
    } numbers[] = {
        {CURLOPT_NOSIGNAL, 1},
        {CURLOPT_FOLLOWLOCATION, 1},
        {CURLOPT_MAXREDIRS, FETCH_REDIRECTS_MAX},
        {CURLOPT_FAILONERROR, 1},
        {CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1},
        {CURLOPT_CONNECTTIMEOUT_MS, MAX(patience_msec, 1)},
        {CURLOPT_LOW_SPEED_LIMIT, PATIENCE_BYTES},
        {CURLOPT_LOW_SPEED_TIME, MAX(patience_msec / 1000, 1)},
        {CURLOPT_TIMEOUT_MS, (long)(FETCH_TIME_USEC_MAX / USEC_PER_MSEC)},
        {CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2}, /* or later */
        {CURLOPT_SSL_VERIFYPEER, 1},
        {CURLOPT_SSL_VERIFYHOST, 2},
    };

    for (size_t i = 0; i < ELEMENTSOF(numbers); i++)
        if (curl_easy_setopt(d->easy, numbers[i].option, numbers[i].value) != CURLE_OK)
            return -EINVAL;
    return curl_easy_setopt(d->easy, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)SCRIPT_SIZE_MAX) ==
                   CURLE_OK
               ? 0
               : -EINVAL;
}

static int set_options(Download *d) {
    bool tls = strncasecmp(d->order->url, "https:", 6) == 0;

    if (curl_easy_setopt(d->easy, CURLOPT_ERRORBUFFER, d->error) != CURLE_OK ||
        curl_easy_setopt(d->easy, CURLOPT_URL, d->order->url) != CURLE_OK ||
        curl_easy_setopt(d->easy, CURLOPT_PROXY, "") != CURLE_OK ||
        curl_easy_setopt(d->easy, CURLOPT_USERAGENT, "dcm-agent/" PROJECT_VERSION) != CURLE_OK ||
        curl_easy_setopt(d->easy, CURLOPT_WRITEFUNCTION, on_data) != CURLE_OK ||
        curl_easy_setopt(d->easy, CURLOPT_WRITEDATA, d->sink) != CURLE_OK ||
        set_protocols(d->easy, tls) != CURLE_OK)
        return -ENOMEM;
    return set_numbers(d);
}

static int prepare(Download *d) {
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return -ENOMEM;
    d->easy = curl_easy_init();
    d->multi = curl_multi_init();
    if (!d->easy || !d->multi)
        return -ENOMEM;
    TRY(set_options(d));
    TRY(set_certificate(d));
    return curl_multi_add_handle(d->multi, d->easy) == CURLM_OK ? 0 : -ENOMEM;
}

/* poll() reports that for the write end of a pipe without a read end. */
static bool reader_is_gone(int fd) {
    struct pollfd p = {.fd = fd};

    return poll(&p, 1, 0) > 0 && p.revents & (POLLERR | POLLNVAL);
}

static CURLcode result_of(CURLM *multi) {
    const CURLMsg *message;
    int left;

    message = curl_multi_info_read(multi, &left);
    return message && message->msg == CURLMSG_DONE ? message->data.result : CURLE_FAILED_INIT;
}

static int transfer(Download *d, CURLcode *ret) {
    struct curl_waitfd reader = {.fd = d->reader_fd};
    int running;

    for (;;) {
        if (curl_multi_perform(d->multi, &running) != CURLM_OK)
            return -ENOMEM;
        if (running == 0) {
            *ret = result_of(d->multi);
            return 0;
        }
        if (curl_multi_poll(d->multi, &reader, 1, LOOK_MSEC, NULL) != CURLM_OK)
            return -ENOMEM;
        if (reader_is_gone(d->reader_fd))
            return -EPIPE;
    }
}

/* Host, and port if the URL has one, of the last request. */
static void describe_peer(CURL *easy, const char *url, char *ret, size_t size) {
    char *host = NULL, *port = NULL;
    const char *effective = NULL;
    CURLU *u = curl_url();

    (void)curl_easy_getinfo(easy, CURLINFO_EFFECTIVE_URL, &effective);
    if (u && curl_url_set(u, CURLUPART_URL, isempty(effective) ? url : effective,
                          CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK) {
        (void)curl_url_get(u, CURLUPART_HOST, &host, 0);
        (void)curl_url_get(u, CURLUPART_PORT, &port, 0);
    }
    (void)utf8_format(ret, size, "%.*s%s%s", UTF8_SHORT(isempty(host) ? "The source" : host, 256),
                      port ? ":" : "", strempty(port));
    curl_free(host);
    curl_free(port);
    curl_url_cleanup(u);
}

static int explain_timeout(const Download *d, const char *peer, Problem *ret) {
    const unsigned patience = (unsigned)(d->order->patience_usec / USEC_PER_SEC);
    curl_off_t connected = 0, total = 0;

    (void)curl_easy_getinfo(d->easy, CURLINFO_PRETRANSFER_TIME_T, &connected);
    (void)curl_easy_getinfo(d->easy, CURLINFO_TOTAL_TIME_T, &total);
    if ((uint64_t)total >= FETCH_TIME_USEC_MAX)
        return problem_set(ret, "%s is too slow: a download may take %u minutes", peer,
                           (unsigned)(FETCH_TIME_USEC_MAX / USEC_PER_SEC / 60));
    if (connected == 0)
        return problem_set(ret, "%s: no connection within %u s", peer, patience);
    return problem_set(ret, "%s has sent nothing for %u s", peer, patience);
}

static int explain_connect(const Download *d, const char *peer, Problem *ret) {
    long number = 0;

    (void)curl_easy_getinfo(d->easy, CURLINFO_OS_ERRNO, &number);
    return problem_set(ret, "%s: %s", peer, number ? strerror((int)number) : "no connection");
}

static int explain_status(const Download *d, const char *peer, Problem *ret) {
    long status = 0;

    (void)curl_easy_getinfo(d->easy, CURLINFO_RESPONSE_CODE, &status);
    return problem_set(ret, "%s answered with the HTTP status %ld", peer, status);
}

/* libcurl reports the same for a response that is not HTTP. */
static int explain_protocol(const Download *d, const char *peer, Problem *ret) {
    long status = 0;

    (void)curl_easy_getinfo(d->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status < 300 || status > 399)
        return problem_set(ret, "%s does not speak HTTP", peer);
    return problem_set(ret, "A redirect leads to another protocol than https%s",
                       strncasecmp(d->order->url, "https:", 6) == 0 ? "" : " or http");
}

static int explain(const Download *d, CURLcode code, Problem *ret) {
    char peer[300];

    describe_peer(d->easy, d->order->url, peer, sizeof(peer));
    switch (code) {
    case CURLE_WRITE_ERROR:
        return problem_set(ret, "What %s sends %s", peer, sink_strerror(d->sink));
    case CURLE_FILESIZE_EXCEEDED:
        return problem_set(ret, "What %s sends %s", peer, sink_strerror(&(Sink){.error = -EFBIG}));
    case CURLE_COULDNT_RESOLVE_HOST:
        return problem_set(ret, "%s: the name cannot be resolved", peer);
    case CURLE_COULDNT_CONNECT:
        return explain_connect(d, peer, ret);
    case CURLE_OPERATION_TIMEDOUT:
        return explain_timeout(d, peer, ret);
    case CURLE_HTTP_RETURNED_ERROR:
        return explain_status(d, peer, ret);
    case CURLE_TOO_MANY_REDIRECTS:
        return problem_set(ret, "%s: more than %d redirects", peer, FETCH_REDIRECTS_MAX);
    case CURLE_UNSUPPORTED_PROTOCOL:
        return explain_protocol(d, peer, ret);
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CACERT_BADFILE:
        return problem_set(ret, "%s: TLS: %s", peer, d->error[0] ? d->error : "failed");
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
        return problem_set(ret, "%s: the connection broke off", peer);
    default:
        return problem_set(ret, "%s: %s", peer, curl_easy_strerror(code));
    }
}

int http_source_fetch(const FetchOrder *order, int reader_fd, Sink *sink, Problem *ret_problem) {
    _cleanup_(download_done)
        Download d = {.order = order, .reader_fd = reader_fd, .sink = sink, .certificate_fd = -1};
    CURLcode code = CURLE_OK;
    long status = 0;
    int r;

    r = prepare(&d);
    if (r >= 0)
        r = transfer(&d, &code);
    if (r < 0)
        return problem_set(ret_problem, "Cannot download: %s", strerror(-r));
    if (code != CURLE_OK)
        return explain(&d, code, ret_problem);
    (void)curl_easy_getinfo(d.easy, CURLINFO_RESPONSE_CODE, &status);
    return status >= 200 && status <= 299 ? 0 : explain(&d, CURLE_HTTP_RETURNED_ERROR, ret_problem);
}
