/* SPDX-License-Identifier: Apache-2.0 */
/* What dnf 4 prints with LC_ALL=C.UTF-8, and the list of its plugin versionlock. */
#pragma once

#include "package/change.h"

/* The table of a transaction, of dnf --assumeno: what is there before it is in `before`. -EBADMSG:
 * a line of the table has another form. */
int dnf_plan_parse(const char *text, const PackageList *before, PackageChanges *ret);

typedef enum DnfStatusKind {
    DNF_STATUS_DOWNLOAD,
    DNF_STATUS_TRANSACTION,
    DNF_STATUS_VERIFICATION,
} DnfStatusKind;

/* A line that says how far dnf is. */
typedef struct DnfStatus {
    DnfStatusKind kind;
    unsigned percent; /* of this kind of work */
    char text[128];   /* "installing nginx-1.0-1.noarch" */
} DnfStatus;

/* False: it is none. */
bool dnf_status_parse(const char *line, DnfStatus *ret);

/* Whether from this line on dnf changes packages. */
bool dnf_line_begins_transaction(const char *line) _pure_;
/* Whether the line says that a package is there, but one of its scripts has failed. */
bool dnf_line_is_of_script(const char *line) _pure_;

/* The reason in a line of output, for an error message; NULL: it says no reason. */
const char *dnf_find_reason(const char *line) _pure_;

/* One line for each version that can be had: name, architecture, version, repository. */
#define DNF_AVAILABLE_FORMAT "%{name}\\t%{arch}\\t%{evr}\\t%{repoid}"

/* Whether the package is among them; also in this version, unless that is "": with or without its
 * epoch and release. *ret_newest, in the text, is the last version of it, with a tab behind; NULL:
 * there is none. */
bool dnf_find_available(const char *text, const char *name, const char *version,
                        const char **ret_newest);

/* What a run that was cut off was about to install and to remove, as NAME-VERSION.ARCHITECTURE;
 * NULL: nothing. */
typedef struct DnfUnfinished {
    char **installed, **removed;
    size_t n_installed, n_removed;
} DnfUnfinished;

void dnf_unfinished_done(DnfUnfinished *u);
/* Of "dnf history info"; nothing if the run came to its end. `all`: also what dnf takes for done.
 */
int dnf_history_parse(const char *text, bool all, DnfUnfinished *ret);

/* The path, if this line of "rpm --verify" is of a configuration file whose content is another than
 * the package's, but whose time of modification is the package's: nobody has written to it since it
 * was installed, so its content was lost. Else NULL. */
const char *dnf_find_lost_content(const char *line) _pure_;

/* Marks what a list of versionlock holds. */
int dnf_mark_held(PackageList *l, const char *locks);
/* As dnf's commands take one package: NAME-VERSION.ARCHITECTURE. The caller frees. */
int dnf_write_package(const Package *p, char **ret);
