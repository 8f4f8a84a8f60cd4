/* SPDX-License-Identifier: Apache-2.0 */
/* Our lines in fstab(5) and crypttab(5). Each stands below a mark of ours, a comment with a
 * checksum of the line: a line that somebody has edited since is not ours any more, and stays. */
#pragma once

#include "volume/facts.h"

typedef enum TabType {
    TAB_FSTAB,
    TAB_CRYPTTAB,
} TabType;

/* What a line of ours says. Strings are as they are, not escaped. */
typedef struct TabLine {
    TabType type;
    const char *source;  /* "UUID=..." */
    const char *target;  /* mount point, or name of the mapping */
    const char *fs_type; /* fstab alone */
    const char *options;
} TabLine;

/* The lines of a table, with `ours` set where a line is below its mark and unchanged. The caller
 * frees the strings of each entry, and the array. */
int tab_parse(const char *text, TabType type, TabEntry **ret, size_t *ret_n);
void tab_entries_free(TabEntry *entries, size_t n);
void tab_entry_done(TabEntry *e);

/* The whole new text, with this line of ours; an older one of ours with the same target is
 * replaced. -EEXIST: there is a line for this target that is not ours. -EINVAL: a value has a
 * control character in it. The caller frees. */
int tab_add(const char *text, const TabLine *line, char **ret);

/* The whole new text without our line for this target. 1: it was removed; 0: there was none.
 * *ret_foreign: a line for this target stays, which is not ours, or was edited by hand. */
int tab_remove(const char *text, TabType type, const char *target, char **ret, bool *ret_foreign);

/* The same with a file, which is replaced at once: it keeps its mode, owner and SELinux label, and
 * a link to it stays a link. An absent file counts as empty. A file that would not change is not
 * written; 1: it was. */
int tab_file_add(const char *path, const TabLine *line);
int tab_file_remove(const char *path, TabType type, const char *target, bool *ret_foreign);

/* Our line for this target. 1: *ret is it; 0: there is none. */
int tab_file_find(const char *path, TabType type, const char *target, TabEntry *ret);
