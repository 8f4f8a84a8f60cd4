/* SPDX-License-Identifier: Apache-2.0 */
/* An alert file: the first byte is the size of the pieces in which it comes. However it is cut, the
 * same alerts are in it, and all of it is done with in the end, but for what may be a beginning. */
#include "alert/log.h"
#include "basic/bounds.h"
#include "fuzz.h"
#include "proto/text.h"

/* A hash over all alerts. */
static void read_all(const char *text, size_t size, size_t piece,
                     char ret[static SHA256_HEX_SIZE]) {
    size_t begin = 0, end = 0, taken;
    Sha256 all;

    sha256_init(&all);
    do {
        LoggedAlert a = {};
        char hash[SHA256_HEX_SIZE];
        bool is_last = end == size;
        int r;

        r = alert_log_take(text + begin, end - begin, begin > 0 && text[begin - 1] != '\n', is_last,
                           &taken, &a);
        CHECK(r == 0 || r == 1 || r == -EBADMSG);
        CHECK(taken <= end - begin && (taken > 0 || r == 0));
        if (r == 1) {
            CHECK(a.alert.level >= 0 && a.alert.rule >= 0 && a.alert.subject && a.alert.message);
            CHECK(utf8_is_valid(a.alert.message, strlen(a.alert.message)));
            alert_hash(&a.alert, hash);
            sha256_update(&all, hash, sizeof(hash));
        } else
            CHECK(!a.subject && !a.message && !a.user && !a.source_ip);
        logged_alert_done(&a);
        begin += taken;
        if (taken == 0 && is_last)
            break;
        if (taken == 0)
            end = MIN(end + piece, size);
    } while (begin < size);
    CHECK(size - begin < 64); /* not even a beginning */
    sha256_final_hex(&all, ret);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char at_once[SHA256_HEX_SIZE], in_pieces[SHA256_HEX_SIZE];
    _cleanup_free_ char *text = NULL;

    if (size == 0)
        return 0;
    text = fuzz_text(data + 1, size - 1);
    read_all(text, size - 1, size, at_once);
    read_all(text, size - 1, (size_t)data[0] + 1, in_pieces);
    CHECK(streq(at_once, in_pieces));
    return 0;
}
