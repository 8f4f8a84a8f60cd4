/* SPDX-License-Identifier: Apache-2.0 */
/* A file of proc(5) or sysfs(5) that is read again and again: it stays open, and its text is put
 * into a buffer that all files share. */
#pragma once

#include "basic/macro.h"

typedef struct ProcFile {
    int fd;
} ProcFile;

#define PROC_FILE_INIT ((ProcFile){.fd = -1})

typedef struct ProcText {
    char *text; /* ends with a NUL */
    size_t size, allocated;
} ProcText;

/* Opens `path` below the directory if it is not open; -EFBIG: it has more than PROC_FILE_MAX. After
 * an error it is opened anew the next time. The text is valid until that of the next file. */
int proc_file_read(ProcFile *f, int root_fd, const char *path, ProcText *text);
void proc_file_close(ProcFile *f);
void proc_text_done(ProcText *text);
