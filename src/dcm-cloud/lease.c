/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-cloud/lease.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>

#include "basic/bounds.h"
#include "basic/file-util.h"
#include "dcm-cloud/network-manager.h"

typedef int (*LeaseParser)(const char *text, char ret[static INET_ADDRSTRLEN]);

/* Copies an address that ends at one of `ends`, in the canonical form of inet_ntop(3). */
static int take_address(const char *text, const char *ends, char ret[static INET_ADDRSTRLEN]) {
    size_t size = strcspn(text, ends);
    char copy[INET_ADDRSTRLEN];
    struct in_addr address;

    if (size >= sizeof(copy))
        return -ENODATA;
    *(char *)mempcpy(copy, text, size) = 0;
    if (inet_pton(AF_INET, copy, &address) != 1 || address.s_addr == INADDR_ANY)
        return -ENODATA;
    return inet_ntop(AF_INET, &address, ret, INET_ADDRSTRLEN) ? 0 : -ENODATA;
}

/* The text after `key` in the last line that begins with it, ignoring blanks before it. */
static const char *find_last(const char *text, const char *key) {
    const char *found = NULL;

    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += strspn(line, " \t\r\n");
        if (!*line)
            break;
        if (strncmp(line, key, strlen(key)) == 0)
            found = line + strlen(key);
    }
    return found;
}

int lease_parse_networkd(const char *text, char ret[static INET_ADDRSTRLEN]) {
    const char *value = find_last(text, "SERVER_ADDRESS=");

    return value ? take_address(value, "\r\n", ret) : -ENODATA;
}

int lease_parse_dhclient(const char *text, char ret[static INET_ADDRSTRLEN]) {
    const char *value = find_last(text, "option dhcp-server-identifier ");

    return value ? take_address(value + strspn(value, " \t"), "; \t\r\n", ret) : -ENODATA;
}

/* Takes the first address in the files that the pattern matches. */
static int find_in_files(const char *root, const char *pattern, LeaseParser parse,
                         char ret[static INET_ADDRSTRLEN]) {
    _cleanup_free_ char *below = NULL;
    glob_t found = {};
    int r = -ENODATA;

    if (asprintf(&below, "%s%s", root, pattern) < 0)
        return -ENOMEM;
    if (glob(below, 0, NULL, &found) == 0)
        for (size_t i = 0; i < found.gl_pathc && r < 0; i++) {
            _cleanup_free_ char *text = NULL;

            if (read_file_at(AT_FDCWD, found.gl_pathv[i], LEASE_FILE_MAX, &text, NULL) >= 0)
                r = parse(text, ret);
        }
    globfree(&found);
    return r;
}

int lease_find_server(const char *root, char ret[static INET_ADDRSTRLEN]) {
    static const struct {
        const char *pattern;
        LeaseParser parse;
    } files[] = {
        {"/var/lib/dhcp/dhclient*.leases", lease_parse_dhclient},
        {"/var/lib/dhclient/dhclient*.lease*", lease_parse_dhclient},
        {"/var/lib/NetworkManager/dhclient-*.lease", lease_parse_dhclient},
    };
    _cleanup_free_ char *asked = NULL;
    int r;

    r = find_in_files(root, "/run/systemd/netif/leases/*", lease_parse_networkd, ret);
    if (r < 0 && isempty(root) && network_manager_dhcp_server(&asked) >= 0)
        r = take_address(asked, "", ret);
    for (size_t i = 0; i < ELEMENTSOF(files) && r == -ENODATA; i++)
        r = find_in_files(root, files[i].pattern, files[i].parse, ret);
    return r;
}
