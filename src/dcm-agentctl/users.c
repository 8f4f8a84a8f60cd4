/* SPDX-License-Identifier: Apache-2.0 */
/* dcm-agentctl users. */
#include <stdio.h>

#include "basic/i18n.h"
#include "dcm-agentctl/verbs.h"

static void format_rights(struct json_object *row, char buf[static LISTING_CELL_SIZE]) {
    (void)snprintf(buf, LISTING_CELL_SIZE, "%s",
                   json_object_get_boolean(json_get(row, "administrator")) ? _("administrator")
                                                                           : "");
}

static const ListingColumn columns[] = {
    {N_("USER"), "name", .flags = COLUMN_SHRINKS},
    {N_("RIGHTS"), .format = format_rights},
    {N_("MADE FOR"), "agent_id", .flags = COLUMN_SHRINKS},
    {N_("SINCE"), "created_usec", .type = LISTING_TIME, .flags = COLUMN_OPTIONAL},
};

int verb_users(const Context *c, int argc, char *argv[]) {
    static const char *const keys[] = {"name", "agent_id", "administrator", "created_usec"};
    static const Listing listing = {columns, ELEMENTSOF(columns), "created_usec",
                                    N_("The agent has created no user.")};
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
    _cleanup_json_ struct json_object *rows = NULL;

    TRY(ctl_call(c, "ListUsers", &m, NULL));
    TRY(ctl_read_rows(m, keys, ELEMENTSOF(keys), &rows));
    return listing_print(&listing, rows, &c->output);
}
