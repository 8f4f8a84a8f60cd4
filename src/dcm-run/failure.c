/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-run/failure.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "basic/fd-util.h"

#define LINE_MAX_READ 255 /* the part that the kernel reads, execve(2) */
#define QUOTED_SIZE (4 * LINE_MAX_READ + 1)

/* Makes control characters visible. */
static void quote(const char *text, char ret[static QUOTED_SIZE]) {
    char *p = ret;

    for (size_t i = 0; text[i] && i < LINE_MAX_READ; i++) {
        const unsigned char c = (unsigned char)text[i];

        if (c == '\r')
            p = stpcpy(p, "\\r");
        else if (c >= ' ' && c < 0x7f)
            *p++ = (char)c;
        else
            p += snprintf(p, 5, "\\x%02x", c);
    }
    *p = 0;
}

/* Parses "#! NAME ARGUMENT" as the kernel does. False: no such line. */
static bool read_interpreter(const char *program, char ret[static LINE_MAX_READ + 1]) {
    char line[LINE_MAX_READ + 1] = "";
    _cleanup_close_ int fd = -1;
    size_t start = 2;

    fd = open(program, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0 || read(fd, line, sizeof(line) - 1) < 0 || strncmp(line, "#!", 2) != 0)
        return false;
    start += strspn(line + start, " \t");
    line[start + strcspn(line + start, " \t\n")] = 0;
    (void)stpcpy(ret, line + start);
    return true;
}

/* An existing script fails because of its interpreter; a program that is missing, or is not a
 * script, has none. */
size_t failure_explain(char *const argv[], int error, char text[static FAILURE_TEXT_MAX]) {
    char interpreter[LINE_MAX_READ + 1], name[QUOTED_SIZE];
    const bool has_line = strchr(argv[0], '/') && read_interpreter(argv[0], interpreter);
    int n;

    quote(has_line ? interpreter : argv[0], name);
    if (has_line)
        n = snprintf(text, FAILURE_TEXT_MAX,
                     "dcm-run: the script's first line names the interpreter '%s', which cannot be "
                     "run: %s.%s\n",
                     name, strerror(error),
                     strchr(interpreter, '\r')
                         ? " The lines of the script end in CR LF: save it with LF alone."
                         : "");
    else if (error == ENOEXEC)
        n = snprintf(text, FAILURE_TEXT_MAX,
                     "dcm-run: '%s' is neither a program nor a script whose first line names an "
                     "interpreter, as #!/bin/sh does.\n",
                     name);
    else
        n = snprintf(text, FAILURE_TEXT_MAX, "dcm-run: '%s' cannot be run: %s.\n", name,
                     strerror(error));
    return MIN((size_t)n, (size_t)FAILURE_TEXT_MAX - 1);
}
