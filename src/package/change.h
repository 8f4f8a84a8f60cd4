/* SPDX-License-Identifier: Apache-2.0 */
/* Packages that are there, and what becomes of them. */
#pragma once

#include "proto/json.h"

typedef struct Package {
    char *name, *architecture, *version;
    bool is_held;
    bool is_half;          /* not in order: not configured, or not even unpacked */
    bool is_damaged;       /* not all of its files are there */
    bool is_unwanted;      /* it was being removed */
    int64_t installed_sec; /* of CLOCK_REALTIME; 0: not known */
} Package;

typedef struct PackageList {
    Package *items; /* ordered by name, architecture and version */
    size_t n, allocated;
} PackageList;

typedef struct PackageChange {
    char *name, *architecture;
    char *from, *to; /* versions; NULL: it is not there */
    char *origin;    /* the repository as the package manager calls it; NULL: not known */
    char *security;  /* of what can be updated: the version of security updates; NULL: none */
    char *successor; /* of what goes: the package that takes its place; NULL: none */
    bool is_downgrade;
} PackageChange;

typedef struct PackageChanges {
    PackageChange *items;
    size_t n, allocated;
} PackageChanges;

/* The output of dpkg-query and of rpm in this form. */
#define PACKAGE_DEB_FORMAT "${Package}\\t${Architecture}\\t${Version}\\t${db:Status-Abbrev}\\n"
#define PACKAGE_RPM_FORMAT "%{NAME}\\t%{ARCH}\\t%{EVR}\\tii \\t%{INSTALLTIME}\\n"

void package_list_done(PackageList *l);
/* Leaves out keys, which rpm lists, too, and unless `has_removed`, what is removed but for its
 * configuration. -EBADMSG: a line of another form; -ENOBUFS: too many. */
int package_list_parse(const char *text, bool has_removed, PackageList *ret);
/* The first of that name, also "name:architecture"; NULL: there is none. */
const Package *package_list_find(const PackageList *l, const char *name) _pure_;

void package_changes_done(PackageChanges *c);
/* Appends; the strings are copied, each may be NULL. -ENOBUFS: too many. */
int package_changes_add(PackageChanges *c, const PackageChange *change);
/* What has changed between two lists. */
int package_changes_compare(const PackageList *before, const PackageList *after,
                            PackageChanges *ret);
/* An array of objects. */
int package_changes_to_json(const PackageChanges *c, struct json_object **ret);
