/* SPDX-License-Identifier: Apache-2.0 */
/* Editing is a function from text to text. Comments, blanks and the order of foreign lines stay
 * byte for byte. */
#include "dcm-volume/tabs.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "basic/array.h"
#include "basic/fd-util.h"
#include "basic/file-util.h"
#include "basic/tab-mark.h"

#define TAB_SIZE_MAX ((size_t)1024 * 1024)
#define TAB_LINES_MAX 10000u
#define LABEL_ATTRIBUTE "security.selinux"
#define LABEL_SIZE_MAX 1024

/* A part of the text, with the newline where there is one. */
typedef struct Line {
    const char *text;
    size_t size;
} Line;

/* --- one line ------------------------------------------------------------------------------- */

static bool next_line(const char **p, Line *ret) {
    const char *end;

    if (!**p)
        return false;
    end = strchrnul(*p, '\n');
    *ret = (Line){*p, (size_t)(end - *p) + (*end != 0)};
    *p += ret->size;
    return true;
}

static size_t size_without_newline(const Line *l) {
    return l->size - (l->size > 0 && l->text[l->size - 1] == '\n');
}

/* Whether `mark` is the mark of this line as we wrote it. */
static bool marks(const Line *mark, const Line *line) {
    return tab_mark_is(mark->text, mark->size, line->text, line->size);
}

static bool is_octal(const char *s) {
    return s[0] >= '0' && s[0] <= '3' && s[1] >= '0' && s[1] <= '7' && s[2] >= '0' && s[2] <= '7';
}

/* fstab(5): blanks and the like are written as \040. */
static void unescape(char *s) {
    char *out = s;

    while (*s)
        if (*s == '\\' && is_octal(s + 1)) {
            *out++ = (char)((s[1] - '0') * 64 + (s[2] - '0') * 8 + (s[3] - '0'));
            s += 4;
        } else
            *out++ = *s++;
    *out = 0;
}

/* The next field; NULL: there is none, or no memory. */
static char *take_field(const char **p, const char *end) {
    const char *begin;
    char *field;

    while (*p < end && isspace((unsigned char)**p))
        (*p)++;
    begin = *p;
    while (*p < end && !isspace((unsigned char)**p))
        (*p)++;
    if (*p == begin)
        return NULL;
    field = strndup(begin, (size_t)(*p - begin));
    if (field)
        unescape(field);
    return field;
}

void tab_entry_done(TabEntry *e) {
    free(e->source);
    free(e->target);
    free(e->fs_type);
    free(e->options);
    *e = (TabEntry){};
}

/* "/data/" is the mount point "/data". */
static void tidy(char *path) {
    size_t size = strlen(path);

    while (size > 1 && path[size - 1] == '/')
        path[--size] = 0;
}

/* The order differs: fstab has the device first, crypttab the name. False: no entry, but a comment
 * or an empty or incomplete line. */
static bool parse_line(const Line *l, TabType type, TabEntry *ret) {
    const char *p = l->text, *end = l->text + size_without_newline(l);
    char *first, *second, *third;

    *ret = (TabEntry){};
    first = take_field(&p, end);
    second = first && *first != '#' ? take_field(&p, end) : NULL;
    if (!second) {
        free(first);
        return false;
    }
    third = take_field(&p, end);
    *ret = (TabEntry){.source = type == TAB_FSTAB ? first : second,
                      .target = type == TAB_FSTAB ? second : first,
                      .options = take_field(&p, end)};
    if (type == TAB_FSTAB) {
        ret->fs_type = third;
        tidy(second);
    } else
        free(third); /* the place of a key */
    return true;
}

/* --- a table -------------------------------------------------------------------------------- */

void tab_entries_free(TabEntry *entries, size_t n) {
    for (size_t i = 0; i < n; i++)
        tab_entry_done(&entries[i]);
    free(entries);
}

int tab_parse(const char *text, TabType type, TabEntry **ret, size_t *ret_n) {
    TabEntry *entries = NULL, entry;
    size_t n = 0, allocated = 0;
    Line line, above = {"", 0};
    int r = 0;

    while (r >= 0 && next_line(&text, &line)) {
        if (parse_line(&line, type, &entry)) {
            entry.ours = marks(&above, &line);
            r = array_reserve(&entries, &allocated, n + 1, TAB_LINES_MAX);
            if (r < 0)
                tab_entry_done(&entry);
            else
                entries[n++] = entry;
        }
        above = line;
    }
    if (r < 0) {
        tab_entries_free(entries, n);
        return r;
    }
    *ret = entries;
    *ret_n = n;
    return 0;
}

/* A slash at the end of a mount point means nothing. */
static bool same_target(const char *a, const char *b) {
    size_t size_a = strlen(a), size_b = strlen(b);

    while (size_a > 1 && a[size_a - 1] == '/')
        size_a--;
    while (size_b > 1 && b[size_b - 1] == '/')
        size_b--;
    return size_a == size_b && strncmp(a, b, size_a) == 0;
}

static bool is_for(const Line *l, TabType type, const char *target) {
    TabEntry e;
    bool is;

    if (!parse_line(l, type, &e))
        return false;
    is = same_target(e.target, target);
    tab_entry_done(&e);
    return is;
}

int tab_remove(const char *text, TabType type, const char *target, char **ret, bool *ret_foreign) {
    _cleanup_free_ char *out = malloc(strlen(text) + 1);
    bool foreign = false, removed = false;
    Line line, above = {"", 0};
    char *p = out;

    if (!out)
        return -ENOMEM;
    while (next_line(&text, &line)) {
        bool is_target = is_for(&line, type, target);

        if (is_target && marks(&above, &line)) {
            p -= above.size; /* the mark goes with its line */
            removed = true;
        } else {
            foreign = foreign || is_target;
            p = mempcpy(p, line.text, line.size);
        }
        above = line;
    }
    *p = 0;
    *ret = TAKE_PTR(out);
    if (ret_foreign)
        *ret_foreign = foreign;
    return removed;
}

static char *escape(char *out, const char *value) {
    for (; *value; value++)
        if (strchr(" \t\\#", *value))
            out += sprintf(out, "\\%03o", (unsigned)(unsigned char)*value);
        else
            *out++ = *value;
    *out = 0;
    return out;
}

static bool is_clean(const char *value) {
    for (; value && *value; value++)
        if (iscntrl((unsigned char)*value) && *value != '\t')
            return false;
    return true;
}

static int escape_new(const char *value, char **ret) {
    char *out;

    if (isempty(value) || !is_clean(value))
        return -EINVAL;
    out = malloc(strlen(value) * 4 + 1);
    if (!out)
        return -ENOMEM;
    (void)escape(out, value);
    *ret = out;
    return 0;
}

static int format_line(const TabLine *l, char **ret) {
    _cleanup_free_ char *source = NULL, *target = NULL, *options = NULL;
    int n;

    TRY(escape_new(l->source, &source));
    TRY(escape_new(l->target, &target));
    TRY(escape_new(l->options, &options));
    /* the last field: the file system is checked after the root, fstab(5) */
    if (l->type == TAB_FSTAB)
        n = asprintf(ret, "%s %s %s %s 0 2", source, target, l->fs_type, options);
    else
        n = asprintf(ret, "%s %s none %s", target, source, options);
    return n < 0 ? -ENOMEM : 0;
}

/* A file whose last line has no newline must get one first. */
int tab_add(const char *text, const TabLine *l, char **ret) {
    _cleanup_free_ char *line = NULL, *rest = NULL, *mark = NULL;
    bool foreign;

    TRY(format_line(l, &line));
    TRY(tab_remove(text, l->type, l->target, &rest, &foreign));
    if (foreign)
        return -EEXIST;
    TRY(tab_mark_format(line, strlen(line), &mark));
    if (asprintf(ret, "%s%s%s\n%s\n", rest, *rest && rest[strlen(rest) - 1] != '\n' ? "\n" : "",
                 mark, line) < 0)
        return -ENOMEM;
    return 0;
}

/* --- files ---------------------------------------------------------------------------------- */

/* Sets what the old file has. An attribute that the file system does not know is none. */
static int copy_label(int from_fd, int to_fd) {
    char label[LABEL_SIZE_MAX];
    ssize_t size = fgetxattr(from_fd, LABEL_ATTRIBUTE, label, sizeof(label));

    if (size < 0)
        return errno == ENODATA || errno == ENOTSUP ? 0 : -errno;
    if (fsetxattr(to_fd, LABEL_ATTRIBUTE, label, (size_t)size, 0) < 0)
        return errno == ENOTSUP ? 0 : -errno;
    return 0;
}

static int copy_owner(int from_fd, int to_fd) {
    struct stat st, own;

    if (fstat(from_fd, &st) < 0 || fstat(to_fd, &own) < 0 || fchmod(to_fd, st.st_mode & 07777) < 0)
        return -errno;
    if ((st.st_uid != own.st_uid || st.st_gid != own.st_gid) &&
        fchown(to_fd, st.st_uid, st.st_gid) < 0)
        return -errno;
    return copy_label(from_fd, to_fd);
}

static int fill(int fd, int old_fd, const char *text) {
    if (old_fd < 0 && fchmod(fd, 0644) < 0)
        return -errno;
    if (old_fd >= 0)
        TRY(copy_owner(old_fd, fd));
    TRY(write_full(fd, text, strlen(text)));
    return fsync(fd) < 0 ? -errno : 0;
}

static int sync_parent(const char *path) {
    _cleanup_free_ char *parent = strndup(path, (size_t)(strrchr(path, '/') - path));
    _cleanup_close_ int fd = -1;

    if (!parent)
        return -ENOMEM;
    fd = open(*parent ? parent : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -errno : fsync_directory(fd);
}

static int replace(const char *path, int old_fd, const char *text) {
    _cleanup_free_ char *temporary = NULL;
    _cleanup_close_ int fd = -1;
    int r;

    if (asprintf(&temporary, "%s.dcm-volume" FILE_NEW_SUFFIX, path) < 0)
        return -ENOMEM;
    fd = open_new(temporary); /* under the lock of all volumes */
    if (fd < 0)
        return fd;
    r = fill(fd, old_fd, text);
    if (r >= 0 && rename(temporary, path) < 0)
        r = -errno;
    if (r < 0) {
        (void)unlink(temporary);
        return r;
    }
    return sync_parent(path);
}

/* An open table; fd is -1 where there is no file yet. */
typedef struct TabFile {
    char *path; /* without links */
    int fd;
    char *text;
} TabFile;

static void tab_file_done(TabFile *f) {
    free(f->path);
    free(f->text);
    safe_close(f->fd);
}

static int tab_file_open(const char *path, TabFile *ret) {
    size_t size = 0;

    *ret = (TabFile){.fd = -1};
    ret->path = realpath(path, NULL);
    if (!ret->path && errno != ENOENT)
        return -errno;
    if (!ret->path) {
        ret->path = strdup(path);
        ret->text = strdup("");
        return ret->path && ret->text ? 0 : -ENOMEM;
    }
    ret->fd = open(ret->path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (ret->fd < 0)
        return -errno;
    TRY(read_fd(ret->fd, TAB_SIZE_MAX, &ret->text, &size));
    return strlen(ret->text) == size ? 0 : -EBADMSG; /* a NUL: not ours to mend */
}

static int tab_file_set(const TabFile *f, const char *text) {
    if (streq(f->text, text))
        return 0;
    TRY(replace(f->path, f->fd, text));
    return 1;
}

int tab_file_add(const char *path, const TabLine *line) {
    _cleanup_(tab_file_done) TabFile f = {.fd = -1};
    _cleanup_free_ char *text = NULL;

    TRY(tab_file_open(path, &f));
    TRY(tab_add(f.text, line, &text));
    return tab_file_set(&f, text);
}

int tab_file_remove(const char *path, TabType type, const char *target, bool *ret_foreign) {
    _cleanup_(tab_file_done) TabFile f = {.fd = -1};
    _cleanup_free_ char *text = NULL;

    TRY(tab_file_open(path, &f));
    TRY(tab_remove(f.text, type, target, &text, ret_foreign));
    return tab_file_set(&f, text);
}

int tab_file_find(const char *path, TabType type, const char *target, TabEntry *ret) {
    _cleanup_(tab_file_done) TabFile f = {.fd = -1};
    TabEntry *entries = NULL;
    size_t n = 0;
    int found = 0;

    TRY(tab_file_open(path, &f));
    TRY(tab_parse(f.text, type, &entries, &n));
    for (size_t i = 0; i < n; i++)
        if (!found && entries[i].ours && same_target(entries[i].target, target)) {
            *ret = entries[i];
            entries[i] = (TabEntry){};
            found = 1;
        }
    tab_entries_free(entries, n);
    return found;
}
