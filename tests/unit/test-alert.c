/* SPDX-License-Identifier: Apache-2.0 */
/* Proves that an alert's hash and message are those that managers know. */
#include <glib.h>

#include "proto/alert.h"

static const Alert alert = {
    .time_ms = 1795365577100,
    .level = 12,
    .rule = 5716,
    .subject = "SSHD authentication failed.",
    .message = "2026 Nov 22 00:00:00 host->/var/log/auth.log\nsample 0\n\n",
};

static void test_hash(void) {
    char hash[SHA256_HEX_SIZE];

    alert_hash(&alert, hash);
    g_assert_cmpstr(hash, ==, "f723871cee7cea2f5586a51ea0ad4929ceda2b26fd0cba6d677c260b3cfe28d9");
}

/* As the Python agent has sent it, key by key. */
static void test_message(void) {
    _cleanup_json_ struct json_object *m = NULL;

    g_assert_cmpint(
        alert_to_message(&alert, "7ab477de-a95a-4616-9715-fb6364dd0ed4", 1795365581000, &m), ==, 0);
    g_assert_cmpstr(
        json_to_text(m, NULL), ==,
        "{\"type\":\"ALERT\",\"request_id\":\"7ab477de-a95a-4616-9715-fb6364dd0ed4\","
        "\"current_timestamp\":1795365581000.0,\"alert_timestamp\":1795365577100,\"level\":12,"
        "\"rule\":5716,\"user\":null,\"source_ip\":null,\"message\":\"2026 Nov 22 00:00:00 "
        "host->/var/log/auth.log\\nsample 0\\n\\n\",\"subject\":\"SSHD authentication failed.\","
        "\"alert_hash\":\"f723871cee7cea2f5586a51ea0ad4929ceda2b26fd0cba6d677c260b3cfe28d9\"}");
}

int main(int argc, char *argv[]) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/alert/hash", test_hash);
    g_test_add_func("/alert/message", test_message);
    return g_test_run();
}
