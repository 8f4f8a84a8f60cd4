/* SPDX-License-Identifier: Apache-2.0 */
#include "system/default-route.h"

#include <inttypes.h>
#include <linux/route.h>

#include "basic/bounds.h"

#define LINE_SIZE 256

static bool is_usable(uint32_t flags) {
    return (flags & RTF_UP) && !(flags & RTF_REJECT);
}

static void take(const DefaultRoute *found, DefaultRoute *best) {
    if (!best->interface[0] || found->metric < best->metric)
        *best = *found;
}

static bool parse_ipv4_line(const char *line, DefaultRoute *ret) {
    uint32_t destination, gateway, flags, mask;

    if (sscanf(line, "%15s %8" SCNx32 " %8" SCNx32 " %4" SCNx32 " %*d %*d %" SCNu32 " %8" SCNx32,
               ret->interface, &destination, &gateway, &flags, &ret->metric, &mask) != 6)
        return false;
    ret->gateway.s_addr = gateway; /* the file has the number in memory order */
    return destination == 0 && mask == 0 && is_usable(flags);
}

static bool parse_ipv6_line(const char *line, DefaultRoute *ret) {
    char destination[33];
    uint32_t length, flags;

    if (sscanf(line, "%32s %2" SCNx32 " %*32s %*2s %*32s %8" SCNx32 " %*8s %*8s %8" SCNx32 " %15s",
               destination, &length, &ret->metric, &flags, ret->interface) != 5)
        return false;
    return length == 0 && strspn(destination, "0") == 32 && is_usable(flags);
}

static void parse(FILE *f, bool (*parse_line)(const char *, DefaultRoute *), DefaultRoute *ret) {
    char line[LINE_SIZE];

    *ret = (DefaultRoute){};
    for (unsigned i = 0; i < ROUTES_READ_MAX && fgets(line, sizeof(line), f); i++) {
        DefaultRoute found = {};

        if (parse_line(line, &found))
            take(&found, ret);
    }
}

void default_route_parse_ipv4(FILE *f, DefaultRoute *ret) {
    parse(f, parse_ipv4_line, ret);
}

void default_route_parse_ipv6(FILE *f, DefaultRoute *ret) {
    parse(f, parse_ipv6_line, ret);
}

static void read_file(const char *path, void (*parse_file)(FILE *, DefaultRoute *),
                      DefaultRoute *ret) {
    FILE *f = fopen(path, "re");

    *ret = (DefaultRoute){};
    if (!f)
        return;
    parse_file(f, ret);
    (void)fclose(f);
}

void default_routes_read(DefaultRoute *ret_ipv4, DefaultRoute *ret_ipv6) {
    read_file("/proc/net/route", default_route_parse_ipv4, ret_ipv4);
    read_file("/proc/net/ipv6_route", default_route_parse_ipv6, ret_ipv6);
}
