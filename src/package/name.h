/* SPDX-License-Identifier: Apache-2.0 */
/* Names, versions and patterns of packages, as apt, dpkg, dnf and rpm take them. What passes here
 * is neither an option nor an expression for these programs. */
#pragma once

#include "basic/macro.h"

typedef enum PackageFamily {
    PACKAGE_DEB,
    PACKAGE_RPM,
} PackageFamily;

/* A name, for PACKAGE_DEB optionally with :ARCHITECTURE. */
bool package_name_is_valid(PackageFamily family, const char *name) _pure_;
bool package_version_is_valid(const char *version) _pure_;
/* A shell pattern of names: *, ? and [] in it. */
bool package_pattern_is_valid(const char *pattern) _pure_;

/* Splits "name=version". *ret_version is NULL without a version. The caller frees both. -EINVAL:
 * one of them is not valid. */
int package_spec_parse(PackageFamily family, const char *spec, char **ret_name, char **ret_version);

/* What would be lost with the package, for people: "the agent"; NULL: nothing of that kind.
 * `release`: the running kernel's, from uname(2). */
const char *package_find_dependent(const char *name, const char *release) _pure_;

/* Whether a package of rpm is in use until the next boot: the kernel, the C library, systemd. */
bool package_needs_reboot(const char *name) _pure_;

/* Whether the name of an installed package is that of a kernel newer than the running one, of the
 * same flavour: linux-image-RELEASE. */
bool package_is_newer_kernel(const char *name, const char *release) _pure_;
