/* SPDX-License-Identifier: Apache-2.0 */
#include "core/config-names.h"

#include <ctype.h>

#include "basic/utf8.h"

#define NAME_MAX_SIZE 40 /* a longer one resembles none of ours */

static const struct {
    const char *section, *name;
} old_keys[] = {
    {"connection", "type"},
    {"connection", "source_file"},
    {"connection", "dest_file"},
    {"logging", "configfile"},
    {"plugin", "configfile"},
    {"storage", "temppath"},
    {"storage", "base_dir"},
    {"storage", "dbfile"},
    {"storage", "script_dir"},
    {"storage", "default_filesystem"},
    {"system", "user"},
    {"system", "sudo"},
    {"platform", "script_locations"},
    {"test", "skip_handshake"},
    {"extra", "location"},
    {"extra", "package_name"},
    {"extra", "base_path"},
    {"configuration_management", "chef_client_version"},
    {"pydev", "host"},
    {"pydev", "port"},
    {"docker", "base_url"},
    {"docker", "version"},
    {"docker", "tls"},
    {"docker", "cert_verify"},
    {"docker", "ca_cert"},
    {"docker", "client_cert_path"},
    {"docker", "client_key_path"},
    {"docker", "timeout"},
};

static const char *const guards[] = {
    "agentmanager_url",
    "ca_cert",
    "allow_unknown_certs",
    "client_cert",
    "client_key",
    "pin",
    "proxy",
    "proxy_auth",
    "proxy_ca_cert",
    "no_proxy",
};

static const char plugin[] = "plugin:"; /* [plugin:NAME] */

bool config_section_is_old(const char *section) {
    if (strncmp(section, plugin, strlen(plugin)) == 0)
        return true;
    for (size_t i = 0; i < ELEMENTSOF(old_keys); i++)
        if (streq(old_keys[i].section, section))
            return true;
    return false;
}

bool config_key_is_old(const char *section, const char *name) {
    if (strncmp(section, plugin, strlen(plugin)) == 0)
        return true;
    for (size_t i = 0; i < ELEMENTSOF(old_keys); i++)
        if (streq(old_keys[i].section, section) && strcasecmp(old_keys[i].name, name) == 0)
            return true;
    return false;
}

bool config_is_guard(const char *name) {
    for (size_t i = 0; i < ELEMENTSOF(guards); i++)
        if (strcasecmp(guards[i], name) == 0)
            return true;
    return false;
}

/* Lower case, without what stands between words. False: it is too long. */
static bool simplify(const char *name, char buf[static NAME_MAX_SIZE]) {
    size_t n = 0;

    for (; *name; name++)
        if (!strchr("_-. \t", *name)) {
            if (n + 1 >= NAME_MAX_SIZE)
                return false;
            buf[n++] = (char)tolower((unsigned char)*name);
        }
    buf[n] = 0;
    return true;
}

/* How many characters were forgotten, added, replaced, or exchanged with the next one. */
static unsigned count_slips(const char *a, const char *b) {
    unsigned rows[3][NAME_MAX_SIZE];
    unsigned *before = rows[0], *above = rows[1], *row = rows[2];

    for (unsigned k = 0; k <= strlen(b); k++)
        above[k] = k;
    for (unsigned i = 1; i <= strlen(a); i++) {
        unsigned *free_row = before;

        row[0] = i;
        for (unsigned k = 1; k <= strlen(b); k++) {
            row[k] = MIN(MIN(above[k], row[k - 1]) + 1, above[k - 1] + (a[i - 1] != b[k - 1]));
            if (i > 1 && k > 1 && a[i - 1] == b[k - 2] && a[i - 2] == b[k - 1])
                row[k] = MIN(row[k], before[k - 2] + 1);
        }
        before = above;
        above = row;
        row = free_row;
    }
    return above[strlen(b)];
}

/* Of two short words one is often the other with one character replaced ("bin", "pin"). */
bool config_names_resemble(const char *name, const char *other) {
    char a[NAME_MAX_SIZE], b[NAME_MAX_SIZE];
    size_t size;

    if (!simplify(name, a) || !simplify(other, b) || !a[0])
        return false;
    size = strlen(b);
    if (size <= 3 && strlen(a) <= size)
        return streq(a, b);
    return count_slips(a, b) <= (size < 6 ? 1 : 2);
}

/* "ca_cert_file" */
static bool begins_with(const char *name, const char *guard) {
    char a[NAME_MAX_SIZE], b[NAME_MAX_SIZE];

    return simplify(name, a) && simplify(guard, b) && strlen(b) > 3 &&
           strncmp(a, b, strlen(b)) == 0;
}

const char *config_guard_meant(const char *name) {
    const char *found = NULL;

    for (size_t i = 0; i < ELEMENTSOF(guards); i++)
        if (strcasecmp(guards[i], name) == 0)
            return guards[i];
    for (size_t i = 0; i < ELEMENTSOF(guards); i++)
        if (config_names_resemble(name, guards[i]))
            return guards[i];
    for (size_t i = 0; i < ELEMENTSOF(guards); i++)
        if (begins_with(name, guards[i]) && (!found || strlen(guards[i]) > strlen(found)))
            found = guards[i];
    return found;
}

void config_describe_values(const char *type, double min, double max, char *buf, size_t size) {
    static const struct {
        const char *type, *text;
    } numbers[] = {{"integer", "a whole number"},
                   {"bytes", "a number of bytes (also with K, M, G or T)"},
                   {"milliseconds", "milliseconds"},
                   {"seconds", "seconds"}};

    if (streq(type, "boolean"))
        (void)utf8_format(buf, size, "true or false");
    for (size_t i = 0; i < ELEMENTSOF(numbers); i++)
        if (streq(type, numbers[i].type))
            (void)utf8_format(buf, size, "%s from %.15g to %.15g", numbers[i].text, min, max);
}
