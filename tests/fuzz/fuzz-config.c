/* SPDX-License-Identifier: Apache-2.0 */
/* agent.conf: any text leaves a configuration within its limits, and texts for the wire are UTF-8.
 */
#include "basic/bounds.h"
#include "basic/log.h"
#include "core/config.h"
#include "fuzz.h"
#include "proto/text.h"

static void on_problem(const char *file, unsigned line, const char *text, void *userdata) {
    CHECK(file && text);
}

static bool is_utf8(const char *text) {
    return utf8_is_valid(text, strlen(text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    _cleanup_(config_done) Config c = {};
    _cleanup_free_ char *text = fuzz_text(data, size);

    log_set_level(LOG_CRIT);
    CHECK(config_init(&c) == 0);
    CHECK(config_parse(&c, "/etc/dcm-agent/agent.conf", text, on_problem, NULL) == 0);
    CHECK(c.workers >= 1 && c.workers <= 1000);
    CHECK(c.max_at_once >= -1 && c.max_at_once <= 1000000);
    CHECK(c.backoff_usec >= 10 * USEC_PER_MSEC && c.backoff_usec <= 86400 * USEC_PER_SEC);
    CHECK(c.ping_usec >= USEC_PER_SEC && c.ping_usec <= 86400 * USEC_PER_SEC);
    CHECK(c.retransmission_usec >= 99999 && c.retransmission_usec <= 3600 * USEC_PER_SEC);
    CHECK(c.db_timeout_usec >= 60 * USEC_PER_SEC);
    CHECK(is_utf8(json_object_to_json_string(c.features)));
    CHECK(is_utf8(strempty(c.agentmanager_url)));
    CHECK(is_utf8(strempty(c.platform_name)));
    return 0;
}
