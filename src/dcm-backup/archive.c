/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-backup/archive.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "basic/strv.h"
#include "dcm-backup/confine.h"
#include "dcm-backup/object.h"
#include "dcm-backup/seclude.h"

#define TAR_CHANGED 1 /* files changed while they were read */
#define LAYERS_MAX 4  /* of encryption and compression */

typedef struct List {
    char **texts;
    size_t n;
    int r;
} List;

static void list_done(List *l) {
    strv_free(l->texts);
}

static void add(List *l, const char *text) {
    if (l->r >= 0)
        l->r = strv_push(&l->texts, &l->n, strdup(text));
}

static void add_two(List *l, const char *option, const char *value) {
    char *text;

    if (l->r >= 0)
        l->r =
            strv_push(&l->texts, &l->n, asprintf(&text, "%s%s", option, value) < 0 ? NULL : text);
}

/* Names in the archive are relative: those below the root directory. Where that is backed up
 * itself they begin with "./". */
static const char *relative(const char *path) {
    return path[1] ? path + 1 : ".";
}

static void add_exclude(List *l, const char *pattern, bool is_root) {
    add(l, *pattern == '/' ? "--anchored" : "--no-anchored");
    add_two(l, *pattern == '/' && is_root ? "--exclude=./" : "--exclude=",
            *pattern == '/' ? relative(pattern) : pattern);
}

static bool has_root(char *const *paths) {
    for (char *const *s = paths; s && *s; s++)
        if (streq(*s, "/"))
            return true;
    return false;
}

typedef struct Reader {
    const Guard *guard;
    char *const *paths;
} Reader;

static int prepare_tar(const void *userdata) {
    const Reader *r = userdata;
    const bool has_mounts = guard_has_snapshots(r->guard);

    TRY(has_mounts ? guard_enter(r->guard) : 0);
    return confine_reader(has_mounts, r->paths);
}

int archive_add_tar(Pipeline *p, const Work *w, const Guard *g, const char *directory,
                    char *const *paths) {
    static const char *const options[] = {
        "tar",      "--create",           "--format=posix", "--acls",
        "--xattrs", "--xattrs-include=*", "--sparse",       "--warning=no-file-ignored"};
    _cleanup_(list_done) List l = {};
    char *const only[] = {(char *)(uintptr_t)directory, NULL};
    const Reader reader = {g, directory ? only : paths};
    Stage stage = {.name = "tar",
                   .output = STAGE_TO_NEXT,
                   .status_max = TAR_CHANGED,
                   .prepare = prepare_tar,
                   .userdata = &reader};

    for (size_t i = 0; i < ELEMENTSOF(options); i++)
        add(&l, options[i]);
    if (w->request.one_file_system)
        add(&l, "--one-file-system");
    add_two(&l, "--directory=", directory ?: "/");
    for (char *const *e = w->request.excludes; e && *e; e++)
        add_exclude(&l, *e, has_root(paths));
    if (guard_has_snapshots(g)) /* those of other runs, which are empty in this one */
        add_exclude(&l, ".dcm-backup-[0-9]*.[0-9]*.[0-9]*-*", false);
    add(&l, "--file=-");
    add(&l, "--");
    if (directory)
        add(&l, ".");
    for (char *const *s = paths; s && *s; s++)
        add(&l, relative(*s));
    TRY(l.r);
    stage.argv = (const char *const *)l.texts;
    return pipeline_add(p, &stage);
}

bool archive_has_filters(const BackupRequest *q) {
    return q->compression == COMPRESSION_ZSTD || q->recipients;
}

static int add_filter(Pipeline *p, const char *const *argv, int in_fd) {
    const Stage stage = {
        .name = streq(argv[0], "sh") ? "zstd" : argv[0],
        .argv = argv,
        .input = in_fd >= 0 ? STAGE_FROM_FD : STAGE_FROM_PREVIOUS,
        .in_fd = in_fd,
        .output = STAGE_TO_NEXT,
        .prepare = confine_filter,
    };

    return pipeline_add(p, &stage);
}

static int add_age(Pipeline *p, const BackupRequest *q, int in_fd) {
    _cleanup_(list_done) List l = {};

    add(&l, "age");
    for (char *const *s = q->recipients; *s; s++) {
        add(&l, "-r");
        add(&l, *s);
    }
    TRY(l.r);
    return add_filter(p, (const char *const *)l.texts, in_fd);
}

/* A frame that zstd(1) skips says that it was this program which compressed: CONTENT_ZSTD_OURS. */
static const char *const zstd[] = {
    "sh", "-c", "printf 'P\\052M\\030\\014\\000\\000\\000dcm-backup/1' && exec zstd -q -c", NULL};

int archive_add_filters(Pipeline *p, const BackupRequest *q, int in_fd) {
    if (q->compression == COMPRESSION_ZSTD) {
        TRY(add_filter(p, zstd, in_fd));
        in_fd = -1;
    }
    return q->recipients ? add_age(p, q, in_fd) : 0;
}

typedef struct Zip {
    const Guard *guard;
    const char *directory;
} Zip;

/* tar does not follow links when it descends; zip opens what it has looked at again, by its path.
 */
static int prepare_zip(const void *userdata) {
    const Zip *z = userdata;

    TRY(guard_has_snapshots(z->guard) ? guard_enter(z->guard) : 0);
    TRY(seclude(z->directory));
    return confine_secluded();
}

int archive_make_zip(Work *w, const Guard *g, const char *directory, int out_fd) {
    _cleanup_(pipeline_freep) Pipeline *p = pipeline_new(w->deadline_usec);
    const Zip zip = {g, directory};
    const Stage stage = {
        .name = "zip",
        .argv = (const char *const[]){"zip", "-q", "-r", "-y", "-", ".", NULL},
        .directory = SECLUDED,
        .output = STAGE_TO_FD,
        .out_fd = out_fd,
        .prepare = prepare_zip,
        .userdata = &zip,
    };
    int r;

    if (!p)
        return -ENOMEM;
    r = pipeline_add(p, &stage);
    if (r >= 0)
        r = pipeline_run(p);
    return r < 0 ? work_fail_pipeline(w, p) : 0;
}

/* --- the other way -----------------------------------------------------------------------------
 */

static int add_decryption(Pipeline *p, int identity_fd) {
    const Stage stage = {
        .name = "age",
        .argv = (const char *const[]){"age", "--decrypt", "-i", "/dev/fd/3", NULL},
        .input = STAGE_FROM_PREVIOUS,
        .output = STAGE_TO_NEXT,
        .fds = {identity_fd},
        .n_fds = 1,
        .prepare = confine_filter,
    };

    return pipeline_add(p, &stage);
}

static int add_decompression(Pipeline *p, const char *program) {
    const char *const argv[] = {program, "-d", "-c", "-q", NULL};

    return add_filter(p, argv, -1);
}

static int add_opener(Pipeline *p, Work *w, int identity_fd, ContentType type) {
    if (type == CONTENT_AGE && identity_fd < 0)
        return work_fail(w, "bad-argument",
                         "The backup is encrypted: the argument identity with its secret key is "
                         "missing");
    if (type == CONTENT_AGE)
        return add_decryption(p, identity_fd);
    return add_decompression(p, type == CONTENT_GZIP ? "gzip" : "zstd");
}

static bool is_opened(ContentType type, Opening opening) {
    if (type == CONTENT_AGE || type == CONTENT_ZSTD_OURS)
        return true;
    return opening == OPEN_ALL && (type == CONTENT_ZSTD || type == CONTENT_GZIP);
}

int archive_add_openers(Pipeline *p, Work *w, int identity_fd, Opening opening, Content *ret) {
    char head[CONTENT_PEEK];
    size_t size = 0;

    for (unsigned i = 0; i < LAYERS_MAX; i++) {
        const int r = pipeline_peek(p, head, sizeof(head), &size);

        if (r < 0)
            return object_fail_get(w, p);
        *ret = (Content){content_type_of(head, size), content_is_root(head, size)};
        if (!is_opened(ret->type, opening))
            return 0;
        TRY(add_opener(p, w, identity_fd, ret->type));
    }
    return work_fail(w, "damaged", "The backup is compressed or encrypted more than %d times",
                     LAYERS_MAX);
}

/* "/" has one, too. */
static size_t count_parts(const char *path) {
    size_t n = !path[1];

    for (const char *s = path; *s; s++)
        n += *s == '/' && s[1];
    return n;
}

static int format_member(const char *member, bool is_root, char **ret_strip, char **ret_name) {
    const size_t n = count_parts(member) - 1 + (is_root && member[1]);

    if (asprintf(ret_strip, "--strip-components=%zu", n) < 0) {
        *ret_strip = NULL;
        return -ENOMEM;
    }
    if (asprintf(ret_name, "%s%s", is_root && member[1] ? "./" : "", relative(member)) < 0) {
        *ret_name = NULL;
        return -ENOMEM;
    }
    return 0;
}

/* The directory is its first descriptor. */
static int prepare_writer(const void *nothing) {
    return confine_writer(PROCESS_FIRST_FD);
}

int archive_add_untar(Pipeline *p, int directory_fd, const char *member, bool is_root) {
    _cleanup_free_ char *strip = NULL, *name = NULL;
    const char *argv[] = {"tar",
                          "--extract",
                          "--preserve-permissions",
                          "--same-owner",
                          "--acls",
                          "--xattrs",
                          "--xattrs-include=*",
                          "--sparse",
                          "--file=-",
                          NULL,
                          NULL,
                          NULL,
                          NULL};
    const Stage stage = {.name = "tar",
                         .argv = argv,
                         .input = STAGE_FROM_PREVIOUS,
                         .directory = CONFINED,
                         .fds = {directory_fd},
                         .n_fds = 1,
                         .prepare = prepare_writer};

    if (member) {
        TRY(format_member(member, is_root, &strip, &name));
        argv[9] = strip;
        argv[10] = "--";
        argv[11] = name;
    }
    return pipeline_add(p, &stage);
}

int archive_add_copy(Pipeline *p, int out_fd) {
    const Stage stage = {
        .name = "cat",
        .argv = (const char *const[]){"cat", NULL},
        .input = STAGE_SINK,
        .output = STAGE_TO_FD,
        .out_fd = out_fd,
        .prepare = confine_filter,
    };

    return pipeline_add(p, &stage);
}

int archive_unzip(Work *w, int directory_fd, int file_fd) {
    _cleanup_(pipeline_freep) Pipeline *p = pipeline_new(w->deadline_usec);
    const Stage stage = {
        .name = "unzip",
        .argv = (const char *const[]){"unzip", "-q", "-X", "-K", "-o", "/proc/self/fd/4", NULL},
        .directory = CONFINED,
        .fds = {directory_fd, file_fd},
        .n_fds = 2,
        .prepare = prepare_writer,
    };
    int r;

    if (!p)
        return -ENOMEM;
    r = pipeline_add(p, &stage);
    if (r >= 0)
        r = pipeline_run(p);
    return r < 0 ? work_fail_pipeline(w, p) : 0;
}
