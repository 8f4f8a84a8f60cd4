/* SPDX-License-Identifier: Apache-2.0 */
/* The programs that make an object's content of files, and files of it again. */
#pragma once

#include "backup/content.h"
#include "dcm-backup/guard.h"

/* Starts tar(1) of these absolute paths, or of a directory's content if `directory` is not NULL. */
int archive_add_tar(Pipeline *p, const Work *w, const Guard *g, const char *directory,
                    char *const *paths);
/* Starts what compresses and encrypts, if anything does: archive_has_filters(). The first of it
 * reads `in_fd`; -1: what the stage before puts out. */
int archive_add_filters(Pipeline *p, const BackupRequest *q, int in_fd);
bool archive_has_filters(const BackupRequest *q) _pure_;
/* Makes a zip file of the directory's content. */
int archive_make_zip(Work *w, const Guard *g, const char *directory, int out_fd);

typedef struct Content {
    ContentType type;
    bool is_root; /* of tar: the names begin with "./" */
} Content;

typedef enum Opening {
    OPEN_OURS, /* what this program compressed: a hook may have compressed its own file */
    OPEN_ALL,
} Opening;

/* Adds what decrypts and decompresses, as far as the first bytes of what comes show that it is
 * needed; *ret is what comes out then. -EIO: the reply says why. */
int archive_add_openers(Pipeline *p, Work *w, int identity_fd, Opening opening, Content *ret);
/* Starts tar(1), into the directory, of what is below that path (NULL: of all), which `is_root`
 * says is in an archive of the root directory. */
int archive_add_untar(Pipeline *p, int directory_fd, const char *member, bool is_root);
/* Unpacks a zip file into the directory. */
int archive_unzip(Work *w, int directory_fd, int file_fd);
/* Adds a sink that writes to the descriptor. */
int archive_add_copy(Pipeline *p, int out_fd);
