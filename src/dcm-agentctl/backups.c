/* SPDX-License-Identifier: Apache-2.0 */
/* dcm-agentctl backups. */
#include <stdio.h>

#include "basic/i18n.h"
#include "basic/time-util.h"
#include "dcm-agentctl/verbs.h"

static bool is_overdue(struct json_object *row) {
    int64_t due = json_object_get_int64(json_get(row, "due_usec"));

    return due > 0 && now_usec(CLOCK_REALTIME) > (uint64_t)due &&
           !streq_ptr(json_get_string(row, "outcome"), "running");
}

static const char *state_of(struct json_object *row) {
    const char *outcome = strempty(json_get_string(row, "outcome"));

    return is_overdue(row) && !streq(outcome, "failed") ? "overdue" : outcome;
}

static void format_state(struct json_object *row, char buf[static LISTING_CELL_SIZE]) {
    const char *state = state_of(row);

    (void)snprintf(buf, LISTING_CELL_SIZE, "%s", streq(state, "none") ? "" : state);
}

static Colour colour_of_state(struct json_object *row) {
    const char *state = state_of(row);

    if (streq(state, "failed") || streq(state, "overdue"))
        return COLOUR_RED;
    return streq(state, "running") ? COLOUR_GREEN : COLOUR_NONE;
}

static const ListingColumn columns[] = {
    {N_("BACKUP"), "name", .flags = COLUMN_SHRINKS, .width_min = 12},
    {N_("STATE"), .format = format_state, .get_colour = colour_of_state},
    {N_("NEWEST"), "success_usec", .type = LISTING_TIME},
    {N_("SIZE"), "size_bytes", .type = LISTING_BYTES, .flags = COLUMN_RIGHT},
    {N_("COPIES"), "copies", .flags = COLUMN_RIGHT | COLUMN_OPTIONAL},
    {N_("SCHEDULE"), "schedule", .flags = COLUMN_SHRINKS | COLUMN_OPTIONAL},
    {N_("ERROR"), "error", .flags = COLUMN_SHRINKS | COLUMN_OPTIONAL, .width_min = 16},
};

int verb_backups(const Context *c, int argc, char *argv[]) {
    static const char *const keys[] = {"name",   "outcome",       "begin_usec",   "end_usec",
                                       "error",  "object",        "success_usec", "size_bytes",
                                       "copies", "verified_usec", "schedule",     "due_usec"};
    static const Listing listing = {columns, ELEMENTSOF(columns), NULL,
                                    N_("There are no backups, and no schedules.")};
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
    _cleanup_json_ struct json_object *rows = NULL;

    TRY(ctl_call(c, "ListBackups", &m, NULL));
    TRY(ctl_read_rows(m, keys, ELEMENTSOF(keys), &rows));
    return listing_print(&listing, rows, &c->output);
}
