/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-volume/look-key.h"

#include <dirent.h>
#include <stdio.h>
#include <unistd.h>

#include "basic/bounds.h"
#include "basic/strv.h"
#include "dcm-volume/unit-name.h"
#include "volume/block.h"

static int add_name(Facts *f, char *name) {
    size_t n = 0;

    if (list_has(f->sealed, name)) {
        free(name);
        return 0;
    }
    while (f->sealed && f->sealed[n])
        n++;
    if (n < BLOCKS_MAX)
        return strv_push(&f->sealed, &n, name);
    free(name);
    return -E2BIG;
}

/* NAME.cred; also NAME.cred.new, which a cut has left. */
static int take_credential(Facts *f, const char *directory, const char *file) {
    const char *suffix = strstr(file, ".cred");
    char *name;

    if (!suffix || suffix == file || (!streq(suffix, ".cred") && !streq(suffix, ".cred.new")))
        return 0;
    name = strndup(file, (size_t)(suffix - file));
    return name ? add_name(f, name) : -ENOMEM;
}

static int take_drop_in(Facts *f, const char *units, const char *directory) {
    _cleanup_free_ char *path = NULL;
    char *name;
    int r;

    r = unit_name_to_mapping(directory, &name);
    if (r <= 0)
        return r;
    if (asprintf(&path, "%s/%s/dcm-volume.conf", units, directory) < 0) {
        path = NULL;
        free(name);
        return -ENOMEM;
    }
    if (access(path, F_OK) == 0)
        return add_name(f, name);
    free(name);
    return 0;
}

static int visit(Facts *f, const char *path,
                 int (*take)(Facts *f, const char *directory, const char *name)) {
    const struct dirent *e;
    DIR *d = opendir(path);
    int r = 0;

    if (!d)
        return errno == ENOENT ? 0 : -errno;
    for (errno = 0; r >= 0 && (e = readdir(d)); errno = 0)
        r = take(f, path, e->d_name);
    if (r >= 0)
        r = -errno;
    (void)closedir(d);
    return r;
}

int look_sealed(Facts *f, const char *directory, const char *units) {
    TRY(visit(f, directory, take_credential));
    return visit(f, units, take_drop_in);
}
