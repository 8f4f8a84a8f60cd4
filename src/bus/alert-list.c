/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/alert-list.h"

#include "basic/bounds.h"
#include "basic/time-util.h"
#include "basic/utf8.h"
#include "proto/text.h"
#include "store/alert-row.h"

/* Copies the beginning of a long text, for D-Bus. The caller frees. */
static char *cut(const char *text, size_t size) {
    _cleanup_free_ char *beginning = strndup(strempty(text), (size_t)utf8_short(text, size));
    char *clean = NULL;

    return beginning && bus_text_new(beginning, &clean) >= 0 ? clean : NULL;
}

static int append_alert(const StoredAlert *row, void *userdata) {
    const Alert *a = &row->alert;
    _cleanup_free_ char *user = cut(a->user, ALERT_LISTED_MAX),
                        *source_ip = cut(a->source_ip, ALERT_LISTED_MAX),
                        *subject = cut(a->subject, ALERT_LISTED_MAX),
                        *message = cut(a->message, ALERT_LISTED_MAX);

    if (!user || !source_ip || !subject || !message)
        return -ENOMEM;
    return MIN(sd_bus_message_append(userdata, "(sstiissss)", row->request_id,
                                     alert_state_to_string(row->state), a->time_ms * USEC_PER_MSEC,
                                     a->level, a->rule, user, source_ip, subject, message),
               0);
}

int bus_list_alerts(sd_bus_message *m, Store *store) {
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
    uint32_t limit;

    TRY(sd_bus_message_read(m, "u", &limit));
    limit = limit == 0 ? ALERTS_LISTED_MAX : MIN(limit, ALERTS_LISTED_MAX);
    TRY(sd_bus_message_new_method_return(m, &reply));
    TRY(sd_bus_message_open_container(reply, 'a', "(sstiissss)"));
    TRY(store_visit_alerts(store, limit, append_alert, reply));
    TRY(sd_bus_message_close_container(reply));
    return sd_bus_send(NULL, reply, NULL);
}
