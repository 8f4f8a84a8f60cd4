/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-cloud/http.h"

#include <curl/curl.h>

#include "basic/time-util.h"

#define STATUS_OK 200

typedef struct Exchange {
    const HttpRequest *request;
    char *body;
    size_t size;
    bool too_large, has_header;
    CURL *easy;
    struct curl_slist *headers;
} Exchange;

static void exchange_done(Exchange *x) {
    curl_easy_cleanup(x->easy);
    curl_slist_free_all(x->headers);
    free(x->body);
}

static size_t on_body(char *data, size_t one, size_t size, void *userdata) {
    Exchange *x = userdata;
    char *larger;

    if (size > x->request->size_max - x->size) {
        x->too_large = true;
        return 0;
    }
    larger = realloc(x->body, x->size + size + 1);
    if (!larger)
        return 0;
    x->body = larger;
    (void)mempcpy(x->body + x->size, data, size);
    x->size += size;
    x->body[x->size] = 0;
    return size;
}

static size_t on_header(char *data, size_t one, size_t size, void *userdata) {
    Exchange *x = userdata;
    size_t wanted = strlen(strempty(x->request->answer_header));

    if (wanted > 0 && size >= wanted && strncasecmp(data, x->request->answer_header, wanted) == 0)
        x->has_header = true;
    return size;
}

static int set_headers(Exchange *x) {
    for (size_t i = 0; i < HTTP_HEADERS_MAX && !isempty(x->request->headers[i]); i++) {
        struct curl_slist *longer = curl_slist_append(x->headers, x->request->headers[i]);

        if (!longer)
            return -ENOMEM;
        x->headers = longer;
    }
    return curl_easy_setopt(x->easy, CURLOPT_HTTPHEADER, x->headers) == CURLE_OK ? 0 : -ENOMEM;
}

static CURLcode set_protocols(CURL *easy) {
#if LIBCURL_VERSION_NUM >= 0x075500
    return curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http");
#else
    return curl_easy_setopt(easy, CURLOPT_PROTOCOLS, (long)CURLPROTO_HTTP);
#endif
}

static int prepare(Exchange *x, long msec) {
    const HttpRequest *q = x->request;

    x->easy = curl_easy_init();
    if (!x->easy || set_headers(x) < 0)
        return -ENOMEM;
    if (curl_easy_setopt(x->easy, CURLOPT_URL, q->url) != CURLE_OK ||
        (q->method && curl_easy_setopt(x->easy, CURLOPT_CUSTOMREQUEST, q->method) != CURLE_OK) ||
        curl_easy_setopt(x->easy, CURLOPT_PROXY, "") != CURLE_OK ||
        curl_easy_setopt(x->easy, CURLOPT_USERAGENT, "dcm-agent/" PROJECT_VERSION) != CURLE_OK ||
        curl_easy_setopt(x->easy, CURLOPT_NOSIGNAL, 1L) != CURLE_OK ||
        curl_easy_setopt(x->easy, CURLOPT_FOLLOWLOCATION, 0L) != CURLE_OK ||
        curl_easy_setopt(x->easy, CURLOPT_CONNECTTIMEOUT_MS,
                         (long)(CLOUD_CONNECT_USEC / USEC_PER_MSEC)) != CURLE_OK ||
        curl_easy_setopt(x->easy, CURLOPT_TIMEOUT_MS, msec) != CURLE_OK ||
        curl_easy_setopt(x->easy, CURLOPT_WRITEFUNCTION, on_body) != CURLE_OK ||
        curl_easy_setopt(x->easy, CURLOPT_WRITEDATA, x) != CURLE_OK ||
        curl_easy_setopt(x->easy, CURLOPT_HEADERFUNCTION, on_header) != CURLE_OK ||
        curl_easy_setopt(x->easy, CURLOPT_HEADERDATA, x) != CURLE_OK ||
        set_protocols(x->easy) != CURLE_OK)
        return -ENOMEM;
    return 0;
}

static int error_from_status(long status) {
    switch (status) {
    case STATUS_OK:
        return 0;
    case 401:
    case 403:
        return -EACCES;
    case 404:
    case 405:
        return -ENOENT;
    default:
        return -EREMOTEIO;
    }
}

static bool has_connected(CURL *easy) {
    curl_off_t usec = 0;

    return curl_easy_getinfo(easy, CURLINFO_CONNECT_TIME_T, &usec) == CURLE_OK && usec > 0;
}

static int error_from_curl(const Exchange *x, CURLcode code) {
    switch (code) {
    case CURLE_OK:
        return 0;
    case CURLE_OPERATION_TIMEDOUT:
        return has_connected(x->easy) ? -ETIMEDOUT : -EHOSTUNREACH;
    case CURLE_COULDNT_CONNECT:
    case CURLE_COULDNT_RESOLVE_HOST:
        return -ECONNREFUSED;
    case CURLE_WRITE_ERROR:
        return x->too_large ? -EFBIG : -ENOMEM;
    case CURLE_OUT_OF_MEMORY:
        return -ENOMEM;
    default:
        return -EPROTO;
    }
}

int http_ask(const HttpRequest *q, uint64_t deadline_usec, char **ret, size_t *ret_size) {
    _cleanup_(exchange_done) Exchange x = {.request = q};
    uint64_t now = now_usec(CLOCK_BOOTTIME);
    long status = 0;

    if (deadline_usec <= now + USEC_PER_MSEC)
        return -ETIMEDOUT;
    TRY(prepare(&x, (long)((deadline_usec - now) / USEC_PER_MSEC)));
    TRY(error_from_curl(&x, curl_easy_perform(x.easy)));
    (void)curl_easy_getinfo(x.easy, CURLINFO_RESPONSE_CODE, &status);
    TRY(error_from_status(status));
    if (q->answer_header && !x.has_header)
        return -EPROTO;
    *ret = x.body ? TAKE_PTR(x.body) : strdup("");
    if (ret_size)
        *ret_size = x.size;
    return *ret ? 0 : -ENOMEM;
}

const char *http_strerror(int error) {
    switch (-error) {
    case EACCES:
        return "refuses to answer (401 or 403)";
    case ECONNREFUSED:
        return "cannot be reached";
    case EHOSTUNREACH:
    case ETIMEDOUT:
        return "does not answer in time";
    case EFBIG:
        return "answers with too much";
    case EBADMSG:
    case EILSEQ:
    case ELOOP:
    case EPROTO:
        return "answers with something other than this cloud's metadata";
    case ENODATA:
        return "cannot be found: it runs on the DHCP server, and no lease names that server";
    case EREMOTEIO:
    case ENOENT:
        return "answers with an error";
    default:
        return strerror(-error);
    }
}
