/* SPDX-License-Identifier: Apache-2.0 */
#include "basic/standard-streams.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "basic/i18n.h"
#include "basic/macro.h"

/* open() takes the lowest number, which is the one that is missing. Standard output is opened for
 * reading: writing there must fail. */
void standard_streams_fill(void) {
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0)
            (void)open("/dev/null", fd == STDERR_FILENO ? O_WRONLY : O_RDONLY);
}

static bool has_reader(void) {
    struct pollfd p = {.fd = STDOUT_FILENO};

    return poll(&p, 1, 0) <= 0 || !(p.revents & POLLERR);
}

int standard_output_flush(void) {
    int r = fflush(stdout) == 0 ? 0 : errno;

    if ((r == 0 && !ferror(stdout)) || !has_reader())
        return 0;
    /* an earlier write failed: why is known only if it still fails without writing anything */
    if (r == 0 && write(STDOUT_FILENO, "", 0) < 0)
        r = errno;
    if (r == 0)
        (void)fprintf(stderr, _("The output cannot be written completely\n"));
    else
        (void)fprintf(stderr, _("The output cannot be written: %s\n"),
                      r == EBADF ? _("standard output is closed") : strerror(r));
    return -EIO;
}
