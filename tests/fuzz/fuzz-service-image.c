/* SPDX-License-Identifier: Apache-2.0 */
/* An image of a service, the first byte says of which kind: whatever it is, all of it lies in the
 * directory, within the limits, without devices, FIFOs, setuid and links that lead out. */
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <sys/stat.h>

#include "dcm-unpack/unpack.h"
#include "fuzz.h"

#define ENTRIES_MAX 100u
#define SIZE_MAX_UNPACKED 65536u

static char base[] = "/tmp/fuzz-image-XXXXXX"; /* has the directory, and nothing else */
static size_t root_size;                       /* of its path */
static uint64_t size_found;

static void check_link(const char *path) {
    char target[PATH_MAX + 1];
    const ssize_t n = readlink(path, target, PATH_MAX);
    const char *why = NULL;

    CHECK(n > 0);
    target[n] = 0;
    CHECK(archive_link_check(path + root_size + 1, target, &why) == 0);
}

static int check_entry(const char *path, const struct stat *st, int type, struct FTW *f) {
    CHECK(S_ISREG(st->st_mode) || S_ISDIR(st->st_mode) || S_ISLNK(st->st_mode));
    if (S_ISLNK(st->st_mode))
        check_link(path);
    if (S_ISREG(st->st_mode)) {
        CHECK(!(st->st_mode & (S_ISUID | S_ISGID)));
        size_found += st->st_nlink == 1 ? (uint64_t)st->st_size : 0;
    }
    return 0;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *f) {
    return remove(path);
}

static void check_base(void) {
    struct stat st;

    /* the directory is all that it has */
    CHECK(stat(base, &st) == 0 && st.st_nlink <= 3);
}

static void unpack(int fd, ArchiveKind kind) {
    const ArchiveLimits limits = {.size_max = SIZE_MAX_UNPACKED, .entries_max = ENTRIES_MAX};
    char root[sizeof(base) + 8];
    UnpackResult result = {};
    int root_fd, r;

    (void)snprintf(root, sizeof(root), "%s/root", base);
    root_size = strlen(root);
    CHECK(mkdir(root, 0700) == 0);
    root_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CHECK(root_fd >= 0);
    r = unpack_archive(fd, kind, root_fd, &limits, &result);
    CHECK(r <= 0 && (r == 0 || r == -ENOMEM || result.problem));
    CHECK(result.count.entries <= ENTRIES_MAX && result.count.size <= SIZE_MAX_UNPACKED);
    size_found = 0;
    CHECK(nftw(root, check_entry, 16, FTW_PHYS) == 0);
    CHECK(r < 0 || size_found <= result.count.size);
    check_base();
    CHECK(nftw(root, remove_entry, 16, FTW_PHYS | FTW_DEPTH) == 0);
    (void)close(root_fd);
    free(result.problem);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char path[FUZZ_PATH_SIZE];
    int fd;

    if (size == 0)
        return 0;
    memcpy(base + strlen(base) - 6, "XXXXXX", 6);
    CHECK(mkdtemp(base));
    fd = fuzz_file(data + 1, size - 1, path);
    CHECK(lseek(fd, 0, SEEK_SET) == 0);
    unpack(fd, (ArchiveKind)(ARCHIVE_KIND_TAR + *data % (_ARCHIVE_KIND_MAX - ARCHIVE_KIND_TAR)));
    (void)close(fd);
    CHECK(rmdir(base) == 0);
    return 0;
}
