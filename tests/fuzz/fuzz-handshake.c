/* SPDX-License-Identifier: Apache-2.0 */
/* The manager's answer: no value makes a wait of more than a day. */
#include "basic/bounds.h"
#include "fuzz.h"
#include "proto/handshake.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    _cleanup_(handshake_answer_done) HandshakeAnswer a = {};

    if (handshake_answer_parse((const char *)data, size, &a) < 0)
        return 0;
    CHECK(a.force_backoff_usec <= 86400 * USEC_PER_SEC);
    return 0;
}
