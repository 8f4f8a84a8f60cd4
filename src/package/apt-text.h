/* SPDX-License-Identifier: Apache-2.0 */
/* What apt-get and apt-cache print with LC_ALL=C.UTF-8. */
#pragma once

#include "package/change.h"

/* apt-get -s: the lines Inst, Remv and Purg; the last one has no version of what was removed
 * before. Other lines are none of it. -EBADMSG: one of these lines has another form. */
int apt_plan_parse(const char *text, PackageChanges *ret);

typedef enum AptStatusKind {
    APT_STATUS_DOWNLOAD,
    APT_STATUS_PACKAGE,
    APT_STATUS_ERROR,
    APT_STATUS_CONFFILE,
} AptStatusKind;

/* A line of APT::Status-Fd. */
typedef struct AptStatus {
    AptStatusKind kind;
    unsigned percent;    /* of this kind of work */
    const char *package; /* or the file in question; in the line */
    const char *text;    /* in the line */
} AptStatus;

/* Cuts the line into pieces. False: it is none. */
bool apt_status_parse(char *line, AptStatus *ret);

/* The reason in a line of output, for an error message: what follows "E: ", or a line of dpkg that
 * says what went wrong. NULL: it says no reason. */
const char *apt_find_reason(const char *line) _pure_;

/* Of `apt-cache policy`: which sources are of security updates, by origin, label or suite. */
typedef struct AptSources {
    char **security; /* as the lists of versions write them: "URI SUITE/COMPONENT ARCH Packages" */
    size_t n;
} AptSources;

void apt_sources_done(AptSources *s);
int apt_sources_parse(const char *text, AptSources *ret);

/* One package in the output of `apt-cache policy NAME...`. */
typedef struct AptCandidate {
    char *name;
    char *installed, *candidate; /* NULL: none */
    char *security;              /* newest version of a security source above the installed one */
    char **versions;             /* all that can be had */
    size_t n_versions;
} AptCandidate;

typedef struct AptCandidates {
    AptCandidate *items;
    size_t n, allocated;
} AptCandidates;

void apt_candidates_done(AptCandidates *c);
/* `sources` may be NULL: then no version is one of security. */
int apt_candidates_parse(const char *text, const AptSources *sources, AptCandidates *ret);
const AptCandidate *apt_candidates_find(const AptCandidates *c, const char *name) _pure_;
