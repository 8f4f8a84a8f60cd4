/* SPDX-License-Identifier: Apache-2.0 */
/* What the configuration, the environment and a proxy say. The first byte chooses: 'a' an answer to
 * CONNECT: a refusal has a text without control characters; 'n' a list for no_proxy, a NUL, a host;
 * else a proxy's URL: the request that is made of it has exactly our lines. */
#include "basic/bounds.h"
#include "fuzz.h"
#include "proto/http-head.h"
#include "proto/proxy.h"

static void take_answer(const char *data, size_t size) {
    ssize_t n = http_head_size(data, size);
    HttpAnswer answer;
    int r;

    if (n < 0)
        return;
    r = proxy_connect_answer_check(data, (size_t)n, &answer);
    CHECK(r == 0 || r == -EPROTO);
    CHECK((r == 0) == (answer.error[0] == 0));
    CHECK(answer.retry_after_usec <= RETRY_AFTER_USEC_MAX);
    for (const char *p = answer.error; *p; p++)
        CHECK(*p >= ' ' && *p <= '~');
}

static void take_list(const char *text, size_t size) {
    size_t list_size = strlen(text);

    if (list_size < size)
        (void)proxy_is_excluded(text, text + list_size + 1, 443);
}

static void take_url(const char *text) {
    _cleanup_(proxy_done) Proxy p = {};
    _cleanup_(url_done) Url url = {};
    _cleanup_free_ char *request = NULL;
    const char *error = NULL;
    size_t lines = 0;
    int r;

    r = proxy_parse(text, &p, &error);
    CHECK(r == 0 || r == -EINVAL);
    CHECK((r == 0) == (error == NULL));
    if (r < 0)
        return;
    CHECK(p.host[0] && p.port > 0 && p.label);
    CHECK(url_parse("wss://manager.example/", &url, &error) == 0);
    CHECK(proxy_connect_request(&p, &url, "agent", &request) == 0);
    for (const char *c = request; (c = strstr(c, "\r\n")); c += 2)
        lines++;
    CHECK(lines == (p.authorization ? 5 : 4));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    _cleanup_free_ char *text = NULL;

    if (size == 0)
        return 0;
    text = fuzz_text(data + 1, size - 1);
    if (data[0] == 'a')
        take_answer(text, size - 1);
    else if (data[0] == 'n')
        take_list(text, size - 1);
    else
        take_url(text);
    return 0;
}
