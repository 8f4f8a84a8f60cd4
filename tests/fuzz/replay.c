/* SPDX-License-Identifier: Apache-2.0 */
/* Feeds every file of the given directories, each in memory of exactly its size, to the target it
 * is linked with. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>

#include "basic/fd-util.h"
#include "basic/file-util.h"
#include "fuzz.h"

#define INPUT_MAX ((size_t)1024 * 1024)

static int replay(int dir_fd, const char *name) {
    _cleanup_free_ char *text = NULL;
    uint8_t *exact;
    size_t size = 0;
    int r;

    r = read_file_at(dir_fd, name, INPUT_MAX, &text, &size);
    if (r < 0)
        return r;
    exact = malloc(size);
    if (!exact && size > 0)
        return -ENOMEM;
    if (size > 0)
        memcpy(exact, text, size);
    (void)LLVMFuzzerTestOneInput(exact, size);
    free(exact);
    return 0;
}

static int replay_directory(const char *path) {
    struct dirent **entries = NULL;
    _cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int n, r = 0, files = 0;

    n = fd >= 0 ? scandir(path, &entries, NULL, alphasort) : -1;
    if (n < 0)
        return -errno;
    for (int i = 0; i < n; i++) {
        if (entries[i]->d_name[0] != '.' && r >= 0) {
            r = replay(fd, entries[i]->d_name);
            files++;
        }
        free(entries[i]);
    }
    free(entries);
    return r < 0 ? r : files;
}

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        int n = replay_directory(argv[i]);

        if (n <= 0) {
            (void)fprintf(stderr, "%s: %s\n", argv[i], n < 0 ? strerror(-n) : "no file in it");
            return 1;
        }
        printf("%s: %d inputs\n", argv[i], n);
    }
    return 0;
}
