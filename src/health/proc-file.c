/* SPDX-License-Identifier: Apache-2.0 */
#include "health/proc-file.h"

#include <fcntl.h>
#include <unistd.h>

#include "basic/array.h"
#include "basic/bounds.h"
#include "basic/fd-util.h"

#define CHUNK ((size_t)4096)

/* The kernel generates the text at the first read, and returns it by pages. */
static int read_all(int fd, ProcText *t) {
    for (t->size = 0;;) {
        ssize_t n;

        TRY(array_reserve(&t->text, &t->allocated, t->size + CHUNK + 1, SIZE_MAX));
        n = pread(fd, t->text + t->size, t->allocated - t->size - 1, (off_t)t->size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        t->size += (size_t)n;
        t->text[t->size] = 0;
        if (n == 0)
            return 0;
        if (t->size > PROC_FILE_MAX)
            return -EFBIG;
    }
}

int proc_file_read(ProcFile *f, int root_fd, const char *path, ProcText *text) {
    int r;

    if (f->fd < 0)
        f->fd = openat(root_fd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (f->fd < 0)
        return -errno;
    r = read_all(f->fd, text);
    if (r < 0)
        proc_file_close(f);
    return r;
}

void proc_file_close(ProcFile *f) {
    f->fd = safe_close(f->fd);
}

void proc_text_done(ProcText *text) {
    free(text->text);
    *text = (ProcText){};
}
