/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration files: one file and a directory of drop-ins.
 *
 *     # a comment, also with a semicolon; blank lines are ignored
 *     [section]            up to the first ]
 *     key = value          or `key: value` ; a semicolon after a blank begins a comment
 *         more of value    continues the value, because the line begins with a blank
 *
 * A line has at most INI_LINE_MAX bytes. */
#pragma once

#include "basic/macro.h"

/* Where something stands; valid during the callback. */
typedef struct IniPlace {
    const char *file;
    unsigned line;       /* from 1; 0: the file as a whole, or the directory */
    const char *section; /* "": before the first one, or none */
    const char *name;    /* of the key; "": none */
} IniPlace;

/* Told of a mistake; the text says neither file nor line. */
typedef void (*IniProblem)(const char *file, unsigned line, const char *text, void *userdata);

typedef struct IniCallbacks {
    /* -EINVAL: invalid value; -ENOKEY: unknown key. Both are reported as problems; any other error
     * ends the reading and is returned */
    int (*on_value)(const IniPlace *at, const char *value, void *userdata);
    /* called for the head of a section, even of an empty one. Results as on_value; may be NULL */
    int (*on_section)(const IniPlace *at, void *userdata);
    /* called for a line that begins with a blank and so continues the value before. Results as
     * on_value; NULL: such lines are problems */
    int (*on_more)(const IniPlace *at, const char *value, void *userdata);
    /* called if a line is lost that may have set at->name, in whatever section: it is too long, or
     * was read as the continuation of a value. May be NULL */
    void (*on_lost)(const IniPlace *at, void *userdata);
    /* says what a value may be that is not valid, for the text about it: "one of a, b"; leaves it
     * empty where nobody would be helped. May be NULL */
    void (*on_invalid)(const IniPlace *at, char *buf, size_t size, void *userdata);
    /* told of a file of the directory that is not read for its name, though it looks as if somebody
     * expected that: site.cfg. NULL: nobody is told */
    IniProblem on_ignored;
    /* called if the file or the directory exists and is unreadable. True: it is no problem;
     * otherwise reported as one. May be NULL */
    bool (*on_unreadable)(const char *file, int error, void *userdata);
    IniProblem on_problem;
} IniCallbacks;

/* Reads the file, then each .conf file of the directory, if that is not NULL, in order of their
 * names. Absent files are no error; an unreadable file is a problem. */
int ini_file_load(const char *file, const char *directory, const IniCallbacks *callbacks,
                  void *userdata);
/* Whether a name in a directory of drop-ins looks as if somebody took the file for one, though it
 * does not end in .conf: site, site.cfg, site.conf.txt. Certificates and backups are no such. */
bool ini_name_is_ignored(const char *name);
/* Why an unreadable file or directory is so, and the remedy: a text to follow its name. */
void ini_unreadable_describe(const char *file, int error, char *buf, size_t size);
/* "FILE:LINE: TEXT", the form in which people are told. The caller frees. */
int ini_problem_format(const char *file, unsigned line, const char *text, char **ret);
/* Parses the text of one file. */
int ini_file_parse(const char *file, const char *text, const IniCallbacks *callbacks,
                   void *userdata);
