/* SPDX-License-Identifier: Apache-2.0 */
#include "basic/ini-file.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "basic/bounds.h"
#include "basic/fd-util.h"
#include "basic/file-util.h"
#include "basic/utf8.h"

#define BYTE_ORDER_MARK "\xef\xbb\xbf"

typedef struct Reader {
    const char *file;
    const IniCallbacks *callbacks;
    void *userdata;
    char *section; /* NULL before the first one */
    char *name;    /* of the value that an indented line continues; may be NULL */
    unsigned line;
    unsigned n_unclear; /* lines that are not understood */
} Reader;

static void reader_done(Reader *r) {
    free(r->section);
    free(r->name);
}

static IniPlace get_place(const Reader *r) {
    return (IniPlace){
        .file = r->file,
        .line = r->line,
        .section = strempty(r->section),
        .name = strempty(r->name),
    };
}

static void tell(const Reader *r, const char *text) {
    r->callbacks->on_problem(r->file, r->line, text, r->userdata);
}

static void tell_lost(const Reader *r, const char *line) {
    IniPlace at = get_place(r);
    char name[64];

    line += strspn(line, " \t");
    (void)utf8_format(name, sizeof(name), "%.*s", (int)strcspn(line, " \t\n=:"), line);
    at.name = name;
    if (r->callbacks->on_lost)
        r->callbacks->on_lost(&at, r->userdata);
}

/* `error` is what a callback has returned for a key. */
static int report(const Reader *r, int error) {
    bool is_unknown = error == -ENOKEY;
    char text[512], allowed[256] = "";
    const IniPlace at = get_place(r);

    if (!is_unknown && r->callbacks->on_invalid)
        r->callbacks->on_invalid(&at, allowed, sizeof(allowed), r->userdata);

    if (is_unknown && isempty(r->section))
        (void)utf8_format(text, sizeof(text), "%s stands before the first [section]", r->name);
    else
        (void)utf8_format(text, sizeof(text),
                          is_unknown ? "there is no key %s in [%s]"
                          : *allowed ? "the value of %s in [%s] is not valid: it must be %s"
                                     : "the value of %s in [%s] is not valid",
                          r->name, strempty(r->section), allowed);
    tell(r, text);
    return 0;
}

static char *strip(char *s) {
    size_t n;

    while (isspace((unsigned char)*s))
        s++;
    n = strlen(s);
    while (n > 0 && isspace((unsigned char)s[n - 1]))
        n--;
    s[n] = 0;
    return s;
}

/* Finds the first of these characters, a comment after a blank, or the end. */
static char *find_end(char *s, const char *stops) {
    bool after_blank = false;

    while (*s && !strchr(stops, *s) && !(after_blank && *s == ';'))
        after_blank = isspace((unsigned char)*s++);
    return s;
}

static char *get_value(char *s) {
    *find_end(s, "") = 0;
    return strip(s);
}

static int set_more(Reader *r, const char *line, char *s) {
    const IniPlace at = get_place(r);
    int k = -EINVAL;

    if (r->callbacks->on_more)
        k = r->callbacks->on_more(&at, get_value(s), r->userdata);
    if (k != -EINVAL)
        return k;
    tell_lost(r, line);
    return report(r, -EINVAL);
}

/* A file that is none of ours has many. */
static int lose_line(Reader *r) {
    if (r->n_unclear++ < INI_UNCLEAR_MAX)
        tell(r, "the line is not understood: it is no [section], no key = value and no comment");
    return 0;
}

static void tell_of_others(Reader *r) {
    char text[64];

    if (r->n_unclear <= INI_UNCLEAR_MAX)
        return;
    r->line = 0;
    (void)snprintf(text, sizeof(text), "%u more lines are not understood",
                   r->n_unclear - INI_UNCLEAR_MAX);
    tell(r, text);
}

static int begin_section(Reader *r, char *s) {
    char *end = find_end(s, "]"), text[256];
    IniPlace at;
    int k;

    free(TAKE_PTR(r->name));
    if (*end != ']')
        return lose_line(r);
    *end = 0;
    k = free_and_strdup(&r->section, s);
    at = get_place(r);
    if (k >= 0 && r->callbacks->on_section)
        k = r->callbacks->on_section(&at, r->userdata);
    if (k != -EINVAL && k != -ENOKEY)
        return k;
    (void)utf8_format(text, sizeof(text), "there is no section [%s]", s);
    tell(r, text);
    return 0;
}

static int set_value(Reader *r, char *s) {
    char *end = find_end(s, "=:");
    IniPlace at;
    int k;

    if (*end != '=' && *end != ':')
        return lose_line(r);
    *end = 0;
    TRY(free_and_strdup(&r->name, strip(s)));
    at = get_place(r);
    k = r->callbacks->on_value(&at, get_value(end + 1), r->userdata);
    return k == -EINVAL || k == -ENOKEY ? report(r, k) : k;
}

/* `line` is the original line, `text` a copy without its end. */
static int parse_line(Reader *r, const char *line, char *text) {
    char *s = strip(text);

    if (!*s || strchr("#;", *s))
        return 0;
    if (!isempty(r->name) && s > text)
        return set_more(r, line, s);
    return *s == '[' ? begin_section(r, s + 1) : set_value(r, s);
}

static int read_line(Reader *r, const char *line, size_t size) {
    _cleanup_free_ char *copy = NULL;

    r->line++;
    if (size > INI_LINE_MAX) {
        if (!strchr("#;", line[0])) {
            tell(r, "the line is too long");
            tell_lost(r, line);
        }
        return 0;
    }
    copy = strndup(line, size);
    return copy ? parse_line(r, line, copy) : -ENOMEM;
}

int ini_file_parse(const char *file, const char *text, const IniCallbacks *callbacks,
                   void *userdata) {
    _cleanup_(reader_done) Reader r = {.file = file, .callbacks = callbacks, .userdata = userdata};
    int k = 0;

    if (strncmp(text, BYTE_ORDER_MARK, strlen(BYTE_ORDER_MARK)) == 0)
        text += strlen(BYTE_ORDER_MARK);
    while (*text && k >= 0) {
        size_t size = strcspn(text, "\n");

        k = read_line(&r, text, size);
        text += size + (text[size] == '\n');
    }
    if (k >= 0)
        tell_of_others(&r);
    return k < 0 ? k : 0;
}

void ini_unreadable_describe(const char *file, int error, char *buf, size_t size) {
    char closed[PATH_MAX];
    struct stat st;
    bool is_closed;

    switch (-error) {
    case EACCES:
        is_closed = path_find_closed(file, closed, sizeof(closed));
        (void)utf8_format(buf, size, "is not readable (%s); run: chmod %s %s", strerror(EACCES),
                          is_closed || (stat(file, &st) >= 0 && S_ISDIR(st.st_mode)) ? "0755"
                                                                                     : "0644",
                          is_closed ? closed : file);
        return;
    case EISDIR:
        (void)utf8_format(buf, size, "is a directory; replace it with a file");
        return;
    case ENOENT:
        (void)utf8_format(buf, size, "is a link to a file that does not exist");
        return;
    case ELOOP:
        (void)utf8_format(buf, size, "is a link that leads to itself; replace it");
        return;
    case ENOTSUP:
        (void)utf8_format(buf, size, "is neither a file nor a link to one; replace it");
        return;
    case EFBIG:
        (void)utf8_format(buf, size, "is larger than 256 KiB");
        return;
    case EBADMSG:
        (void)utf8_format(buf, size, "has NUL bytes, as a power failure leaves them; restore it");
        return;
    default:
        (void)utf8_format(buf, size, "cannot be read: %s", strerror(-error));
    }
}

static void tell_unreadable(const char *path, int error, const IniCallbacks *callbacks,
                            void *userdata) {
    char text[512];

    if (callbacks->on_unreadable && callbacks->on_unreadable(path, error, userdata))
        return;
    ini_unreadable_describe(path, error, text, sizeof(text));
    callbacks->on_problem(path, 0, text, userdata);
}

/* One that waits for a writer would seem empty. /dev/null is empty, as everywhere in systemd.
 * -ENOTSUP: a pipe, a socket, a device. */
static int check_kind(int fd) {
    struct stat st;

    if (fstat(fd, &st) < 0)
        return -errno;
    return S_ISREG(st.st_mode) || S_ISDIR(st.st_mode) || /* reading it says so */
                   (S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3))
               ? 0
               : -ENOTSUP;
}

static int read_file(const char *path, char **ret, size_t *ret_size) {
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

    if (fd < 0)
        return errno == ENXIO ? -ENOTSUP : -errno; /* a socket */
    TRY(check_kind(fd));
    return read_fd(fd, CONFIG_FILE_MAX, ret, ret_size);
}

static int load_file(const char *path, const IniCallbacks *callbacks, void *userdata) {
    _cleanup_free_ char *text = NULL;
    size_t size;
    int r;

    r = read_file(path, &text, &size);
    if (r >= 0 && (!text || strlen(text) != size)) /* zeros, left by a power failure */
        r = -EBADMSG;
    if (r == -ENOENT && faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
        return 0; /* the name is absent, even as a dangling link */
    if (r == -ENOMEM)
        return r;
    if (r < 0) { /* an unreadable file must not stop an agent that works */
        tell_unreadable(path, r, callbacks, userdata);
        return 0;
    }
    return ini_file_parse(path, text, callbacks, userdata);
}

static int is_dropin(const struct dirent *entry) {
    const char *dot = strrchr(entry->d_name, '.');

    return entry->d_name[0] != '.' && dot && streq(dot, ".conf");
}

bool ini_name_is_ignored(const char *name) {
    static const char *const meant[] = {".cfg",  ".cnf",  ".conf", ".config", ".ini",
                                        ".json", ".toml", ".yaml", ".yml"};
    const char *dot = strrchr(name, '.');

    if (name[0] == '.')
        return false;
    if (!dot)
        return strncmp(name, "README", strlen("README")) != 0;
    if (streq(dot, ".conf"))
        return false;
    for (size_t i = 0; i < ELEMENTSOF(meant); i++)
        if (strcasecmp(dot, meant[i]) == 0)
            return true;
    return dot - name > 5 && strncmp(dot - 5, ".conf.txt", strlen(".conf.txt")) == 0;
}

/* Files alone: a directory may be anything. */
static void tell_ignored(const char *directory, const IniCallbacks *callbacks, void *userdata) {
    DIR *d = callbacks->on_ignored ? opendir(directory) : NULL;
    struct stat st;

    for (const struct dirent *e; d && (e = readdir(d));) {
        _cleanup_free_ char *path = NULL;

        if (ini_name_is_ignored(e->d_name) && fstatat(dirfd(d), e->d_name, &st, 0) >= 0 &&
            S_ISREG(st.st_mode) && asprintf(&path, "%s/%s", directory, e->d_name) >= 0)
            callbacks->on_ignored(path, 0, "is not read, as its name does not end in .conf",
                                  userdata);
    }
    if (d)
        (void)closedir(d);
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
    TRY(load_file(file, callbacks, userdata));
    if (!directory)
        return 0;
    tell_ignored(directory, callbacks, userdata);
    return load_directory(directory, callbacks, userdata);
}

int ini_problem_format(const char *file, unsigned line, const char *text, char **ret) {
    char *whole;

    if ((line > 0 ? asprintf(&whole, "%s:%u: %s", file, line, text)
                  : asprintf(&whole, "%s: %s", file, text)) < 0)
        return -ENOMEM;
    *ret = whole;
    return 0;
}
