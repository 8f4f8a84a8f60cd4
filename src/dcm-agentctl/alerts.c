/* SPDX-License-Identifier: Apache-2.0 */
/* dcm-agentctl alerts. */
#include "basic/i18n.h"
#include "dcm-agentctl/verbs.h"

static const ListingColumn columns[] = {
    {N_("TIME"), "time_usec", .type = LISTING_TIME},
    {N_("LEVEL"), "level", .flags = COLUMN_RIGHT},
    {N_("RULE"), "rule", .flags = COLUMN_RIGHT | COLUMN_OPTIONAL},
    {N_("STATE"), "state"},
    {N_("SUBJECT"), "subject", .flags = COLUMN_SHRINKS},
};

int verb_alerts(const Context *c, int argc, char *argv[]) {
    static const char *const keys[] = {"request_id", "state",     "time_usec", "level",  "rule",
                                       "user",       "source_ip", "subject",   "message"};
    static const Listing listing = {columns, ELEMENTSOF(columns), "time_usec",
                                    N_("There are no alerts.")};
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
    _cleanup_json_ struct json_object *rows = NULL;

    TRY(ctl_call(c, "ListAlerts", &m, "u", c->output.lines));
    TRY(ctl_read_rows(m, keys, ELEMENTSOF(keys), &rows));
    return listing_print(&listing, rows, &c->output);
}
