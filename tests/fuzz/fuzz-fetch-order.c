/* SPDX-License-Identifier: Apache-2.0 */
/* An order for dcm-fetch: what is read is within the bounds, and is written as it was read. */
#include "basic/fetch-order.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    _cleanup_(fetch_order_done) FetchOrder o = {}, again = {};
    _cleanup_free_ char *text = fuzz_text(data, size);
    _cleanup_free_ char *written = NULL;
    int r;

    r = fetch_order_parse(text, size, &o);
    CHECK(r == 0 || r == -EBADMSG);
    if (r < 0)
        return 0;
    CHECK(fetch_url_is_valid(o.url) && o.patience_usec > 0 &&
          o.patience_usec <= FETCH_TIME_USEC_MAX);
    CHECK(!o.certificate || fetch_certificate_is_valid(o.certificate));
    CHECK(fetch_order_render(&o, &written) == 0);
    CHECK(fetch_order_parse(written, strlen(written), &again) == 0);
    CHECK(streq(o.url, again.url) && streq_ptr(o.certificate, again.certificate));
    return 0;
}
