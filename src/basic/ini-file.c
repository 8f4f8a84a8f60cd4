/* SPDX-License-Identifier: Apache-2.0 */
#include "basic/ini-file.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <ini.h>
#include <stdio.h>
#include <unistd.h>

#include "basic/bounds.h"
#include "basic/file-util.h"
#include "basic/utf8.h"

#define SECTION_NAME_MAX 49 /* of inih, which ends a name at the first ] */

typedef struct Reader {
    const char *file;
    const IniCallbacks *callbacks;
    void *userdata;
    const char *rest;  /* of the text */
    const char *start; /* of the line that was read last */
    unsigned line;
    bool has_name; /* in this section: an indented line is more of its value */
    int error;
} Reader;

static void report(const Reader *r, const char *section, const char *name) {
    char text[256];

    (void)utf8_format(text, sizeof(text), "the value of %s in [%s] cannot be used", name, section);
    r->callbacks->on_problem(r->file, text, r->userdata);
}

static void tell_lost(const Reader *r, const char *line, size_t size) {
    char name[64];
    size_t n = 0;

    while (n < size && strchr(" \t", line[n]))
        n++;
    (void)utf8_format(name, sizeof(name), "%.*s", (int)MIN(strcspn(line + n, " \t\n=:"), size - n),
                      line + n);
    if (r->callbacks->on_lost)
        r->callbacks->on_lost(r->file, name, r->userdata);
}

static int set_more(const Reader *r, const char *section, const char *name, const char *value) {
    int k = -EINVAL;

    if (r->callbacks->on_more)
        k = r->callbacks->on_more(r->file, section, name, value, r->userdata);
    if (k == -EINVAL)
        tell_lost(r, r->start, strcspn(r->start, "\n"));
    return k;
}

/* inih: 1 is success. It gives a line that begins with a blank as another value of the same key. */
static int on_value(void *userdata, const char *section, const char *name, const char *value) {
    Reader *r = userdata;
    int k;

    if (r->error < 0)
        return 1;
    if (r->has_name && isspace((unsigned char)*r->start))
        k = set_more(r, section, name, value);
    else
        k = r->callbacks->on_value(r->file, section, name, value, r->userdata);
    r->has_name = true;
    if (k == -EINVAL)
        report(r, section, name);
    else if (k < 0)
        r->error = k;
    return 1;
}

/* Its value is longer than inih takes. */
static void lose_line(Reader *r, const char *line, size_t size) {
    char what[64];

    (void)snprintf(what, sizeof(what), "line %u is too long", r->line);
    r->callbacks->on_problem(r->file, what, r->userdata);
    tell_lost(r, line, size);
}

/* inih tells of a section only with its first value. */
static void begin_section(Reader *r, const char *line) {
    size_t size = strcspn(line, "]\n");
    char name[SECTION_NAME_MAX + 1];
    int k = -EINVAL;

    r->has_name = false;
    if (!r->callbacks->on_section || r->error < 0)
        return;
    if (line[size] == ']' && size <= SECTION_NAME_MAX) {
        (void)utf8_format(name, sizeof(name), "%.*s", (int)size - 1, line + 1);
        k = r->callbacks->on_section(r->file, name, r->userdata);
    }
    if (k == -EINVAL) {
        char what[64];

        (void)snprintf(what, sizeof(what), "line %u: there is no such section", r->line);
        r->callbacks->on_problem(r->file, what, r->userdata);
    } else if (k < 0)
        r->error = k;
}

/* One line for inih, which would take one that is longer than its buffer as two: that one is left
 * out. */
static char *read_line(char *buf, int size, void *userdata) {
    Reader *r = userdata;
    size_t n = strcspn(r->rest, "\n");
    const char *line = r->rest;

    if (!*line)
        return NULL;
    n += line[n] == '\n';
    r->start = line;
    r->rest += n;
    r->line++;
    if (line[0] == '[')
        begin_section(r, line);
    if (n + (line[n - 1] != '\n') >= (size_t)size) { /* the same at the end of the text */
        if (!strchr("#;", line[0]))
            lose_line(r, line, n);
        line = ";\n";
        n = 2;
    }
    memcpy(buf, line, n);
    buf[n] = 0;
    return buf;
}

int ini_file_parse(const char *file, const char *text, const IniCallbacks *callbacks,
                   void *userdata) {
    Reader reader = {.file = file, .callbacks = callbacks, .userdata = userdata, .rest = text};
    int line;

    line = ini_parse_stream(read_line, &reader, on_value, &reader);
    if (line < 0)
        return -ENOMEM;
    if (line > 0) {
        char what[64];

        (void)snprintf(what, sizeof(what), "line %d is not understood", line);
        callbacks->on_problem(file, what, userdata);
    }
    return reader.error;
}

static void tell_unreadable(const char *path, int error, const IniCallbacks *callbacks,
                            void *userdata) {
    callbacks->on_problem(path, strerror(-error), userdata);
    if (callbacks->on_unreadable)
        callbacks->on_unreadable(path, error, userdata);
}

static int load_file(const char *path, const IniCallbacks *callbacks, void *userdata) {
    _cleanup_free_ char *text = NULL;
    size_t size;
    int r;

    r = read_file_at(AT_FDCWD, path, CONFIG_FILE_MAX, &text, &size);
    if (r >= 0 && strlen(text) != size) /* zeros, as a power failure leaves them */
        r = -EBADMSG;
    if (r == -ENOENT && faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
        return 0; /* there is not even a link to nothing */
    if (r == -ENOMEM)
        return r;
    if (r < 0) { /* a file that cannot be read must not stop an agent that works */
        tell_unreadable(path, r, callbacks, userdata);
        return 0;
    }
    return ini_file_parse(path, text, callbacks, userdata);
}

static int is_dropin(const struct dirent *entry) {
    const char *dot = strrchr(entry->d_name, '.');

    return entry->d_name[0] != '.' && dot && streq(dot, ".conf");
}

static int load_directory(const char *directory, const IniCallbacks *callbacks, void *userdata) {
    struct dirent **entries = NULL;
    int n, r = 0;

    n = scandir(directory, &entries, is_dropin, alphasort);
    if (n < 0 && errno == ENOMEM)
        return -ENOMEM;
    if (n < 0 && errno != ENOENT)
        tell_unreadable(directory, -errno, callbacks, userdata);
    for (int i = 0; i < n; i++) {
        _cleanup_free_ char *path = NULL;

        if (r >= 0)
            r = asprintf(&path, "%s/%s", directory, entries[i]->d_name) < 0
                    ? -ENOMEM
                    : load_file(path, callbacks, userdata);
        free(entries[i]);
    }
    free(entries);
    return r;
}

int ini_file_load(const char *file, const char *directory, const IniCallbacks *callbacks,
                  void *userdata) {
    int r;

    r = load_file(file, callbacks, userdata);
    return r < 0 ? r : load_directory(directory, callbacks, userdata);
}
