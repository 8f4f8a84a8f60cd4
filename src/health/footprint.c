/* SPDX-License-Identifier: Apache-2.0 */
#include "health/footprint.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include "basic/fd-util.h"
#include "basic/time-util.h"
#include "health/scan.h"

int resident_pages_parse(const char *text, uint64_t *ret) {
    uint64_t size;

    return scan_u64(&text, &size) && scan_u64(&text, ret) ? 0 : -EBADMSG;
}

int proportional_parse(const char *text, uint64_t *ret) {
    static const char key[] = "Pss:";
    uint64_t kib;

    for (const char *line = text; line; line = scan_next_line(line)) {
        if (strncmp(line, key, strlen(key)) != 0)
            continue;
        line += strlen(key);
        return scan_u64(&line, &kib) && !__builtin_mul_overflow(kib, (uint64_t)1024, ret)
                   ? 0
                   : -EBADMSG;
    }
    return -EBADMSG;
}

static void closedirp(DIR **d) {
    if (*d)
        (void)closedir(*d);
}

/* Excludes the descriptor used for counting. */
static int count_files(int root_fd, unsigned *ret) {
    _cleanup_close_ int fd =
        openat(root_fd, "proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK);
    _cleanup_(closedirp) DIR *d = NULL;
    unsigned n = 0;

    if (fd < 0)
        return -errno;
    d = fdopendir(fd);
    if (!d)
        return -errno;
    fd = -1;
    for (const struct dirent *e; (e = readdir(d));)
        n += isdigit((unsigned char)e->d_name[0]) != 0;
    *ret = n > 0 ? n - 1 : 0;
    return 0;
}

int footprint_read(FootprintFiles *f, int root_fd, ProcText *text, Footprint *ret) {
    Footprint p = {.cpu_usec = now_usec(CLOCK_PROCESS_CPUTIME_ID)};
    uint64_t pages;
    int r;

    TRY(proc_file_read(&f->statm, root_fd, "proc/self/statm", text));
    TRY(resident_pages_parse(text->text, &pages));
    p.resident_bytes = pages * (uint64_t)sysconf(_SC_PAGESIZE);
    if (proc_file_read(&f->rollup, root_fd, "proc/self/smaps_rollup", text) < 0 ||
        proportional_parse(text->text, &p.proportional_bytes) < 0)
        p.proportional_bytes = 0;
    r = count_files(root_fd, &p.n_files);
    if (r >= 0)
        *ret = p;
    return r;
}

void footprint_files_close(FootprintFiles *f) {
    proc_file_close(&f->statm);
    proc_file_close(&f->rollup);
}
