/* SPDX-License-Identifier: Apache-2.0 */
#include "package/name.h"

#include <fnmatch.h>

#include "basic/bounds.h"

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"
#define KERNEL "linux-image-"

/* Shell patterns of packages, and what they are there for. */
static const struct {
    const char *pattern, *dependent;
} dependents[] = {
    {"dcm-agent*", "the agent"},         {"systemd", "systemd"},
    {"systemd-sysv", "systemd"},         {"systemd-libs", "systemd"},
    {"libsystemd*", "systemd"},          {"init", "systemd"},
    {"dbus", "the system bus"},          {"dbus-daemon", "the system bus"},
    {"dbus-broker", "the system bus"},   {"sudo", "sudo"},
    {"libc6", "every program"},          {"glibc", "every program"},
    {"bash", "the agent's scripts"},     {"apt", "the package manager"},
    {"dpkg", "the package manager"},     {"dnf", "the package manager"},
    {"rpm", "the package manager"},      {"kernel", "the kernel"},
    {"kernel-core", "the kernel"},       {"kernel-modules*", "the kernel"},
    {"ifupdown", "the network"},         {"ifupdown2", "the network"},
    {"netplan.io", "the network"},       {"netplan", "the network"},
    {"network-manager", "the network"},  {"NetworkManager", "the network"},
    {"systemd-networkd", "the network"}, {"systemd-resolved", "the network"},
    {"isc-dhcp-client", "the network"},  {"dhcpcd", "the network"},
    {"dhcpcd-base", "the network"},      {"dhcp-client", "the network"},
    {"iproute2", "the network"},         {"iproute", "the network"},
};

static bool is_deb_name(const char *s, size_t size) {
    static const char allowed[] = LOWER DIGITS "+.-";

    return size > 1 && size <= PACKAGE_NAME_MAX && strspn(s, allowed) >= size &&
           strchr(LOWER DIGITS, *s);
}

bool package_name_is_valid(PackageFamily family, const char *name) {
    static const char rpm[] = LOWER UPPER DIGITS "._+-";
    const size_t size = strcspn(name, ":");

    if (family == PACKAGE_RPM)
        return *name && strchr(LOWER UPPER DIGITS "_", *name) &&
               strspn(name, rpm) == strlen(name) && strlen(name) <= PACKAGE_NAME_MAX;
    if (!is_deb_name(name, size))
        return false;
    return !name[size] || (name[size + 1] && strlen(name + size) <= PACKAGE_NAME_MAX &&
                           strspn(name + size + 1, LOWER DIGITS "-") == strlen(name + size + 1) &&
                           name[size + 1] != '-');
}

bool package_version_is_valid(const char *version) {
    return *version && strlen(version) <= PACKAGE_NAME_MAX &&
           strspn(version, LOWER UPPER DIGITS ".+~:^_-") == strlen(version) &&
           strchr(LOWER UPPER DIGITS, *version);
}

bool package_pattern_is_valid(const char *pattern) {
    return *pattern && strlen(pattern) <= PACKAGE_NAME_MAX && *pattern != '-' &&
           strspn(pattern, LOWER UPPER DIGITS "._+:*?[]!-") == strlen(pattern);
}

int package_spec_parse(PackageFamily family, const char *spec, char **ret_name,
                       char **ret_version) {
    const char *equals = strchr(spec, '=');
    _cleanup_free_ char *name = equals ? strndup(spec, (size_t)(equals - spec)) : strdup(spec);
    char *version = NULL;

    if (!name)
        return -ENOMEM;
    if (!package_name_is_valid(family, name) || (equals && !package_version_is_valid(equals + 1)))
        return -EINVAL;
    if (equals) {
        version = strdup(equals + 1);
        if (!version)
            return -ENOMEM;
    }
    *ret_name = TAKE_PTR(name);
    *ret_version = version;
    return 0;
}

static bool is_kernel(const char *name) {
    return strncmp(name, KERNEL, strlen(KERNEL)) == 0;
}

const char *package_find_dependent(const char *name, const char *release) {
    const char *of_kernel = is_kernel(name) ? name + strlen(KERNEL) : NULL;

    for (size_t i = 0; i < ELEMENTSOF(dependents); i++)
        if (fnmatch(dependents[i].pattern, name, 0) == 0)
            return dependents[i].dependent;
    /* an old kernel may go; linux-image-amd64 brings the new ones */
    if (of_kernel && (!strchr(DIGITS, *of_kernel) || streq(of_kernel, release)))
        return "the kernel";
    return NULL;
}

/* Those of needs-restarting(1), and the kernel's own package, which may be there alone. */
bool package_needs_reboot(const char *name) {
    static const char *const names[] = {
        "kernel",  "kernel-core", "kernel-rt",   "kernel-rt-core", "glibc",        "linux-firmware",
        "systemd", "dbus",        "dbus-broker", "dbus-daemon",    "microcode_ctl"};

    for (size_t i = 0; i < ELEMENTSOF(names); i++)
        if (streq(name, names[i]))
            return true;
    return false;
}

/* "amd64" of "6.1.0-18-amd64" */
static const char *flavour_of(const char *release) {
    const char *dash = strrchr(release, '-');

    return dash ? dash + 1 : "";
}

bool package_is_newer_kernel(const char *name, const char *release) {
    const char *other = is_kernel(name) ? name + strlen(KERNEL) : "";

    return *other && strchr(DIGITS, *other) && streq(flavour_of(other), flavour_of(release)) &&
           strverscmp(other, release) > 0;
}
