/* SPDX-License-Identifier: Apache-2.0 */
/* The manager's answer: no value makes a wait of more than a day, and no text of it
 * has control characters or more than 512 bytes. */
#include "basic/bounds.h"
#include "fuzz.h"
#include "proto/handshake.h"
#include "proto/peer-text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    _cleanup_(handshake_answer_done) HandshakeAnswer a = {};
    _cleanup_free_ char *error = NULL;

    if (handshake_answer_parse((const char *)data, size, &a, &error) < 0)
        return 0;
    CHECK(!error);
    CHECK(!a.agent_id || !peer_text_fault(a.agent_id, strlen(a.agent_id)));
    CHECK(!a.server_name || !peer_text_fault(a.server_name, strlen(a.server_name)));
    CHECK(a.force_backoff_usec <= 86400 * USEC_PER_SEC);
    return 0;
}
