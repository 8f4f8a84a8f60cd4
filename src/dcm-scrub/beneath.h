/* SPDX-License-Identifier: Apache-2.0 */
/* One directory tree that is looked at and changed by names in open directories. No symbolic link
 * is followed, and no other file system is entered unless the caller has named it, so that nothing
 * outside is reached, whatever users have put into the tree. Paths have no leading slash. */
#pragma once

#include <dirent.h>
#include <sys/stat.h>

#include "basic/macro.h"

/* Of directories in each other; what is deeper is left, and told. */
#define TREE_DEPTH_MAX 200u

typedef struct Beneath {
    int root_fd;
    char **entered; /* mount points, with leading slash, that are entered; may be NULL */
    char **left;    /* ... that stay as they are */
    /* told once for each thing that is not looked into; `is_open`: the caller has not said yet what
     * shall be done with it */
    void (*on_skip)(const char *path, const char *why, bool is_open, void *userdata);
    void *userdata;
} Beneath;

/* Opens a directory of a directory. -ENOENT; -ESTALE: it is not looked into, which was told. */
int beneath_enter(const Beneath *b, int dir_fd, const char *name, const char *path, int *ret_fd);
/* Opens the directory in which the last part of the path is, and finds that part. */
int beneath_open_parent(const Beneath *b, const char *path, int *ret_fd, const char **ret_name);
/* The same for a directory itself. "": the root. */
int beneath_open_directory(const Beneath *b, const char *path, int *ret_fd);
/* Opens a regular file for reading, without waiting for anything. -EINVAL: it is none. */
int beneath_open_file(int dir_fd, const char *name, int *ret_fd);

/* For readdir(3); the descriptor belongs to it, and is closed if there is no memory: NULL. */
DIR *beneath_list(int fd);

typedef enum VisitStage { VISIT_FILE, VISIT_ENTER, VISIT_LEAVE } VisitStage;

/* What is visited; a directory twice: before its content, and after it. */
typedef struct Visit {
    VisitStage stage;
    int dir_fd;
    const char *name, *path;
    const struct stat *st; /* of the thing itself, not of what a link leads to */
} Visit;

/* A negative result ends the walk. */
typedef int (*Visitor)(const Visit *v, void *userdata);
/* Visits what is at the path, and everything in it. 0 also if there is nothing. */
int beneath_walk(const Beneath *b, const char *path, Visitor visit, void *userdata);
/* The path of a name in a directory; the caller frees. NULL: no memory. */
char *beneath_join(const char *directory, const char *name);
