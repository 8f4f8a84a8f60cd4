/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-manager/control-page.h"

#include "dcm-manager/control-answer.h"
#include "dcm-manager/limits.h"

void control_fail_part(ControlClient *client, int error) {
    if (error == -EINVAL)
        control_client_fail(client, "invalid", "\"after\" is not what an answer had as \"next\"");
    else
        control_fail_errno(client, error);
}

struct json_object *control_part(const char *key, struct json_object *list,
                                 struct json_object *next) {
    struct json_object *result = control_result(key, list);

    if (result && next)
        (void)json_add(result, "next", next);
    else
        (void)json_object_put(next);
    return result;
}

bool control_take_page(ControlClient *client, struct json_object *request, int64_t n,
                       LedgerPage *ret) {
    struct json_object *after = json_get(request, "after");

    *ret = (LedgerPage){};
    if (after && (json_to_integer(after, &ret->before) < 0 || ret->before <= 0)) {
        control_fail_part(client, -EINVAL);
        return false;
    }
    (void)json_to_integer(json_get(request, "n"), &n);
    ret->n = n > 0 ? (unsigned)MIN(n, (int64_t)CONTROL_ROWS_AT_ONCE) : CONTROL_ROWS_AT_ONCE;
    return true;
}

void control_reply_page(ControlClient *client, const char *key, struct json_object *list,
                        const LedgerPage *page) {
    struct json_object *result = control_result(key, list);

    if (result && page->next > 0)
        (void)json_add_int(result, "next", page->next);
    control_client_reply(client, result);
}
