/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-package/progress.h"

#include <fcntl.h>
#include <stdio.h>

#include "basic/bounds.h"
#include "basic/fd-util.h"
#include "basic/terminal.h"
#include "basic/utf8.h"
#include "dcm-log/client.h"

#define SILENT_USEC (2 * USEC_PER_SEC)

/* The one run of this process. */
static struct {
    unsigned percent;
    char text[128];
    bool was_told;
} state;

void progress_tell(unsigned percent, const char *text) {
    const SayOptions options = {.silent_usec = SILENT_USEC, .absent_usec = 0};
    const bool is_same = state.was_told && percent <= state.percent && streq(text, state.text);

    state.percent = MAX(state.percent, MIN(percent, 100u));
    (void)utf8_format(state.text, sizeof(state.text), "%s", text);
    if (is_same)
        return;
    state.was_told = true;
    if (!isempty(getenv("DCM_LOG_FILE")))
        (void)say_progress(&options, state.percent, state.text); /* nobody may be there */
    else
        terminal_printf(stderr, "%3u %% %s\n", state.percent, state.text);
}

void progress_line(const char *line) {
    terminal_printf(stderr, "%s\n", line);
}

/* DCM_LOG_FILE is a pipe that somebody reads while the job lives: dcm-agent-scripts(7). */
void progress_say(const char *line) {
    const char *path = getenv("DCM_LOG_FILE");
    _cleanup_close_ int fd =
        isempty(path) ? -1 : open(path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NONBLOCK);
    _cleanup_free_ char *text = NULL;

    progress_line(line);
    if (fd >= 0 && asprintf(&text, "%s\n", line) >= 0)
        (void)write_full(fd, text, strlen(text)); /* a line that is lost costs nothing else */
}
