/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-volume/progress.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "basic/bounds.h"
#include "basic/fd-util.h"
#include "basic/terminal.h"
#include "dcm-log/client.h"

#define SILENT_USEC (2 * USEC_PER_SEC)

/* The one run of this process. */
static struct {
    size_t i, n;
    unsigned percent; /* that was told last */
    const char *text;
} state = {.n = 1, .text = ""};

/* A job's lines for the console, dcm-agent-scripts(7): a pipe that somebody reads while the job
 * lives. */
static bool write_log(const char *line) {
    const char *path = getenv("DCM_LOG_FILE");
    _cleanup_close_ int fd = -1;
    _cleanup_free_ char *text = NULL;

    if (isempty(path))
        return false;
    fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NONBLOCK);
    if (fd >= 0 && asprintf(&text, "%s\n", line) >= 0)
        (void)write_full(fd, text, strlen(text)); /* a line that is lost costs nothing else */
    return true;
}

static void tell(unsigned percent) {
    const SayOptions options = {.silent_usec = SILENT_USEC, .absent_usec = 0};

    state.percent = percent;
    if (!isempty(getenv("DCM_LOG_FILE")))
        (void)say_progress(&options, percent, state.text); /* nobody may be there to be told */
    else
        terminal_printf(stderr, "%3u %% %s\n", percent, state.text);
}

void progress_step(size_t i, size_t n, const char *text) {
    state.i = i;
    state.n = MAX(n, (size_t)1);
    state.text = text;
    tell((unsigned)(100 * i / state.n));
}

/* "Writing inode tables: 12/64" */
static bool find_figure(const char *line, unsigned long *ret_part, unsigned long *ret_whole) {
    const char *slash = strchr(line, '/'), *begin = slash;
    char *end;

    while (begin && begin > line && isdigit((unsigned char)begin[-1]))
        begin--;
    if (!slash || begin == slash || !isdigit((unsigned char)slash[1]))
        return false;
    *ret_part = strtoul(begin, NULL, 10);
    *ret_whole = strtoul(slash + 1, &end, 10);
    return *ret_whole > 0 && *ret_part <= *ret_whole && (*end == 0 || isspace((unsigned char)*end));
}

void progress_part(unsigned long part, unsigned long whole) {
    const unsigned percent = (unsigned)((100 * state.i + 100 * part / whole) / state.n);

    if (percent != state.percent)
        tell(percent);
}

void progress_line(const char *line, void *userdata) {
    unsigned long part, whole;

    if (find_figure(line, &part, &whole))
        progress_part(part, whole);
    else if (!write_log(line))
        terminal_printf(stderr, "      %s\n", line);
}
