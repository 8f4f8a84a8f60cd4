/* SPDX-License-Identifier: Apache-2.0 */
/* For tests only: preloaded into dcm-volume, it stops the program for ever after the record of a
 * volume was replaced DCM_CUT times, and makes the file /run/cut: the moment for a power cut. */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))
#define RECORDS "/var/lib/dcm-volumes"

int rename(const char *from, const char *to);

static void stop(void) {
    int fd = open(RECORDS, O_RDONLY | O_DIRECTORY);

    (void)fsync(fd);
    (void)close(fd);
    (void)close(open("/run/cut", O_WRONLY | O_CREAT, 0600));
    for (;;)
        (void)pause();
}

EXPORT int rename(const char *from, const char *to) {
    static int n;
    int (*next)(const char *, const char *);
    const char *limit = getenv("DCM_CUT");
    int r;

    *(void **)&next = dlsym(RTLD_NEXT, "rename");
    r = next(from, to);
    if (r == 0 && limit && strncmp(to, RECORDS "/", strlen(RECORDS) + 1) == 0 &&
        strstr(to, ".json") && ++n == atoi(limit))
        stop();
    return r;
}
