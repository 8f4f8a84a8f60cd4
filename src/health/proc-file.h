/* SPDX-License-Identifier: Apache-2.0 */
/* A file of proc(5) or sysfs(5) that is read repeatedly: it stays open, and all files share one
 * buffer for the text. */
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

/* Opens `path` below the directory if it is not open, and reads it; -EFBIG: longer than
 * PROC_FILE_MAX. After an error the next call opens the file again. The text is valid until the
 * next file is read. */
int proc_file_read(ProcFile *f, int root_fd, const char *path, ProcText *text);
void proc_file_close(ProcFile *f);
void proc_text_done(ProcText *text);
