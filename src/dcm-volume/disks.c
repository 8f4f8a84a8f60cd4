/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-volume/disks.h"

#include <stdio.h>

#include "cli/listing.h"

/* The name that stays the same when disks come and go. */
static const char *by_id(struct json_object *row) {
    struct json_object *links = json_get(row, "links");

    for (size_t i = 0; links && i < json_object_array_length(links); i++) {
        const char *link = json_object_get_string(json_object_array_get_idx(links, i));

        if (strncmp(link, "disk/by-id/", strlen("disk/by-id/")) == 0)
            return link;
    }
    return "";
}

static void format_link(struct json_object *row, char buf[static LISTING_CELL_SIZE]) {
    (void)snprintf(buf, LISTING_CELL_SIZE, "%s", by_id(row));
}

static void format_size(struct json_object *row, char buf[static LISTING_CELL_SIZE]) {
    char text[FORMAT_SIZE];

    (void)snprintf(buf, LISTING_CELL_SIZE, "%s",
                   format_bytes((double)json_object_get_int64(json_get(row, "size")) * 1024, text));
}

/* "mounted", "missing"; of an array that lacks disks, or is being synchronised, that. */
static void format_state(struct json_object *row, char buf[static LISTING_CELL_SIZE]) {
    struct json_object *array = json_get(row, "array"), *percent = json_get(array, "sync_percent");
    const int missing = json_object_get_int(json_get(array, "missing"));
    const char *state = strempty(json_get_string(row, "state"));

    if (missing > 0)
        (void)snprintf(buf, LISTING_CELL_SIZE, "%s, lacks %d of %d disks", state, missing,
                       json_object_get_int(json_get(array, "disks")));
    else if (percent)
        (void)snprintf(buf, LISTING_CELL_SIZE, "%s, synchronised %d %%", state,
                       json_object_get_int(percent));
    else
        (void)snprintf(buf, LISTING_CELL_SIZE, "%s", state);
}

static size_t add_word(char buf[static LISTING_CELL_SIZE], size_t used, const char *word) {
    int n = used < LISTING_CELL_SIZE
                ? snprintf(buf + used, LISTING_CELL_SIZE - used, "%s%s", used > 0 ? ", " : "", word)
                : 0;

    return used + (size_t)MAX(n, 0);
}

/* What is written on it; "" if nothing is known to be. */
static void format_content(struct json_object *row, char buf[static LISTING_CELL_SIZE]) {
    struct json_object *signatures = json_get(row, "signatures");
    size_t used = 0;

    *buf = 0;
    for (size_t i = 0; signatures && i < json_object_array_length(signatures); i++)
        used = add_word(
            buf, used, strempty(json_get_string(json_object_array_get_idx(signatures, i), "type")));
    if (json_object_get_boolean(json_get(row, "swap")))
        used = add_word(buf, used, "in use");
    if (used == 0 && json_object_get_boolean(json_get(row, "random_data")))
        used = add_word(buf, used, "random data");
    if (json_get(row, "error"))
        used = add_word(buf, used, strempty(json_get_string(row, "error")));
    if (json_object_get_boolean(json_get(row, "root")))
        (void)add_word(buf, used, "root disk");
}

static const ListingColumn columns[] = {
    {"DEVICE", "device_id", .flags = COLUMN_SHRINKS},
    {"SIZE", .format = format_size},
    {"KIND", "kind"},
    {"STATE", .format = format_state},
    {"MOUNT POINT", "mount_point", .flags = COLUMN_SHRINKS},
    {"CONTENT", .format = format_content, .flags = COLUMN_SHRINKS},
    {"NAME THAT STAYS", .format = format_link, .flags = COLUMN_OPTIONAL},
};

int disks_print(struct json_object *devices) {
    static const Listing listing = {columns, ELEMENTSOF(columns), NULL, "There are no disks."};
    static const Output output = {.all = true};

    return listing_print(&listing, devices, &output);
}
