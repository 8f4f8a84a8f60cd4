/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration files: one file and a directory of drop-ins.
 *
 *     # a comment, also with a semicolon; blank lines count for nothing
 *     [section]            up to the first ]
 *     key = value          or `key: value` ; behind a blank a semicolon begins a comment
 *         more of value    because it begins with a blank
 *
 * A line has at most INI_LINE_MAX bytes. */
#pragma once

#include "basic/macro.h"

typedef struct IniCallbacks {
    /* -EINVAL: the value cannot be used; -ENOKEY: there is no such key. Both are told as a problem;
     * another error ends the reading and is returned */
    int (*on_value)(const char *file, const char *section, const char *name, const char *value,
                    void *userdata);
    /* the head of a section, also of one without values. As on_value; may be NULL */
    int (*on_section)(const char *file, const char *section, void *userdata);
    /* a line that begins with a blank: the value before goes on. As on_value; NULL: it cannot be
     * used */
    int (*on_more)(const char *file, const char *section, const char *name, const char *value,
                   void *userdata);
    /* what may be the value of a key, of whatever section, is lost: its line is too long, or was
     * taken for more of the value before. May be NULL */
    void (*on_lost)(const char *file, const char *name, void *userdata);
    /* a file or the directory is there and cannot be read; a problem is told too. May be NULL */
    void (*on_unreadable)(const char *file, int error, void *userdata);
    void (*on_problem)(const char *file, const char *text, void *userdata);
} IniCallbacks;

/* Reads the file, then each .conf file of the directory in the order of their names; absent ones
 * are no error. A file that cannot be read is a problem. */
int ini_file_load(const char *file, const char *directory, const IniCallbacks *callbacks,
                  void *userdata);
/* The text of one file. */
int ini_file_parse(const char *file, const char *text, const IniCallbacks *callbacks,
                   void *userdata);
