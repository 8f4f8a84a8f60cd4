/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-scrub/homes.h"

#include <unistd.h>

#include "basic/fd-util.h"
#include "basic/file-util.h"
#include "basic/strv.h"
#include "dcm-scrub/bounds.h"

typedef struct Homes {
    char **list;
    size_t n;
} Homes;

static bool is_known(const Homes *h, const char *path) {
    for (size_t i = 0; i < h->n; i++)
        if (streq(h->list[i], path))
            return true;
    return false;
}

/* Directories of the system are homes of its own users, who have no shell. */
static bool is_no_home(const char *path) {
    static const char *const others[] = {"dev", "proc", "sys", "run",  "etc",        "usr",
                                         "bin", "sbin", "lib", "boot", "nonexistent"};

    for (size_t i = 0; i < ELEMENTSOF(others); i++) {
        const size_t size = strlen(others[i]);

        if (strncmp(path, others[i], size) == 0 && (!path[size] || path[size] == '/'))
            return true;
    }
    return !*path || strstr(path, "..") || strstr(path, "//");
}

static int add(Homes *h, const char *path) {
    char *home = strdup(path + strspn(path, "/"));

    if (!home)
        return -ENOMEM;
    while (*home && home[strlen(home) - 1] == '/')
        home[strlen(home) - 1] = 0;
    if (is_no_home(home) || is_known(h, home)) {
        free(home);
        return 0;
    }
    if (h->n >= HOMES_MAX) {
        free(home);
        return -ENOBUFS;
    }
    return strv_push(&h->list, &h->n, home);
}

static int add_of_passwd(Homes *h, char *text) {
    char *state = NULL;

    for (char *line = strtok_r(text, "\n", &state); line; line = strtok_r(NULL, "\n", &state)) {
        char *field = line;

        for (int i = 0; i < 5 && field; i++) {
            field = strchr(field, ':');
            field = field ? field + 1 : NULL;
        }
        if (!field)
            continue;
        field[strcspn(field, ":")] = 0;
        TRY(add(h, field));
    }
    return 0;
}

static int read_passwd(const Beneath *b, Homes *h) {
    _cleanup_close_ int parent = -1, fd = -1;
    _cleanup_free_ char *text = NULL;
    const char *name = "";
    size_t size;
    int r = beneath_open_parent(b, "etc/passwd", &parent, &name);

    if (r >= 0)
        r = beneath_open_file(parent, name, &fd);
    if (r == -ENOENT)
        return 0;
    TRY(r);
    TRY(read_fd(fd, PASSWD_SIZE_MAX, &text, &size));
    return add_of_passwd(h, text);
}

/* Of users who are not in passwd. */
static int list_home(const Beneath *b, Homes *h) {
    const struct dirent *entry;
    int fd = -1, r = beneath_open_directory(b, "home", &fd);
    DIR *d;

    if (r == -ENOENT || r == -ESTALE)
        return 0;
    TRY(r);
    d = beneath_list(fd);
    if (!d)
        return -ENOMEM;
    while (r >= 0 && (entry = readdir(d))) {
        _cleanup_free_ char *path = beneath_join("home", entry->d_name);

        if (!path)
            r = -ENOMEM;
        else if (entry->d_name[0] != '.')
            r = add(h, path);
    }
    (void)closedir(d);
    return r;
}

int homes_find(const Beneath *b, char ***ret) {
    Homes h = {};
    int r = add(&h, "root");

    if (r >= 0)
        r = read_passwd(b, &h);
    if (r >= 0)
        r = list_home(b, &h);
    if (r < 0) {
        strv_free(h.list);
        return r;
    }
    *ret = h.list;
    return 0;
}
