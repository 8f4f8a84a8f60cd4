/* SPDX-License-Identifier: Apache-2.0 */
/* A repository is two files, whose first line or name says whose they are: the key, and the source.
 * The key comes first and goes last, so that no source is without one. */
#include "dcm-package/repositories.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/bounds.h"
#include "basic/file-util.h"
#include "package/repository.h"

typedef struct Files {
    RepositoryPaths paths;
    char *old_source, *old_key; /* their texts before; NULL: there was none */
} Files;

static void files_done(Files *f) {
    free(f->paths.id);
    free(f->paths.source);
    free(f->paths.key);
    free(f->old_source);
    free(f->old_key);
    *f = (Files){};
}

static int read_old(const char *path, size_t size_max, char **ret) {
    int r = read_file_at(AT_FDCWD, path, size_max, ret, NULL);

    return r == -ENOENT ? 0 : r;
}

static int make_path(const char *directory, const char *name, const char *suffix, char **ret) {
    if (asprintf(ret, "%s/dcm-%s%s", directory, name, suffix) >= 0)
        return 0;
    *ret = NULL;
    return -ENOMEM;
}

static int files_init(const Backend *b, const char *name, Files *f) {
    if (asprintf(&f->paths.id, "dcm-%s", name) < 0) {
        f->paths.id = NULL;
        return -ENOMEM;
    }
    TRY(make_path(b->sources, name, b->source_suffix, &f->paths.source));
    TRY(make_path(b->keys, name, b->key_suffix, &f->paths.key));
    TRY(read_old(f->paths.source, CONFIG_FILE_MAX, &f->old_source));
    return read_old(f->paths.key, REPOSITORY_KEY_MAX, &f->old_key);
}

static int check_ours(Work *w, const Files *f, const char *name) {
    return !f->old_source || repository_is_ours(f->old_source, name)
               ? 0
               : work_fail(w, REPLY_REFUSED, "foreign",
                           "%s was not made by add_repository, or was changed; nothing was changed",
                           f->paths.source);
}

static int unlink_it(const char *path) {
    return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
}

static int put_back(const char *path, const char *old) {
    return old ? write_file_atomic(path, old, strlen(old), 0644) : unlink_it(path);
}

/* After a failure: as it was before. */
static int undo(Work *w, const Files *f) {
    int r = put_back(f->paths.source, f->old_source), other = put_back(f->paths.key, f->old_key);

    r = r < 0 ? r : other;
    return r < 0 ? work_fail(w, REPLY_FAILED, "failed", "%s; and %s could not be put back: %s",
                             strempty(w->reply->error_message), f->paths.source, strerror(-r))
                 : 0;
}

static int write_files(const Backend *b, const Repository *repository, const Files *f) {
    _cleanup_free_ char *text = NULL;

    TRY(b->write_repository(repository, f->paths.key, &text));
    if (mkdir(b->keys, 0755) < 0 && errno != EEXIST)
        return -errno;
    TRY(write_file_atomic(f->paths.key, repository->key, strlen(repository->key), 0644));
    return write_file_atomic(f->paths.source, text, strlen(text), 0644);
}

static int set_object(Work *w, const char *name, const char *path, bool changed) {
    w->reply->object = json_object_new_object();
    if (!w->reply->object)
        return -ENOMEM;
    w->reply->reply_type = "repository";
    TRY(json_add_string(w->reply->object, "name", name));
    TRY(json_add_string(w->reply->object, "file", path));
    TRY(json_add_bool(w->reply->object, "changed", changed));
    return json_add_bool(w->reply->object, "dry_run", w->request.dry_run);
}

/* Also a list that is not signed, if that is how it was found before. */
static int is_same(const Backend *b, const Repository *repository, const Files *f, bool *ret) {
    Repository other = *repository;
    _cleanup_free_ char *text = NULL, *text_unsigned = NULL;

    other.has_unsigned_list = true;
    TRY(b->write_repository(repository, f->paths.key, &text));
    TRY(b->write_repository(&other, f->paths.key, &text_unsigned));
    *ret = streq_ptr(f->old_key, repository->key) &&
           (streq_ptr(f->old_source, text) || streq_ptr(f->old_source, text_unsigned));
    return 0;
}

static int try(Work *w, const Repository *repository, const Files *f) {
    int r = write_files(w->backend, repository, f);

    return r < 0 ? work_fail(w, REPLY_FAILED, "failed", "%s cannot be written: %s", f->paths.source,
                             strerror(-r))
                 : w->backend->refresh(w, &f->paths);
}

/* Many repositories of rpm sign their packages alone. */
static int try_unsigned_list(Work *w, const Repository *repository, const Files *f) {
    Repository other = *repository;

    other.has_unsigned_list = true;
    reply_done(w->reply); /* the error */
    TRY(try(w, &other, f));
    return reply_add_line(w->reply, "The repository does not sign its list of packages: only the "
                                    "signatures of the packages are checked.");
}

/* A repository whose lists cannot be fetched, or have another signature, is not kept. */
static int install(Work *w, const Repository *repository, const Files *f) {
    int r = try(w, repository, f);

    if (r == -EINVAL && w->backend->unsigned_list && w->reason &&
        strstr(w->reason, w->backend->unsigned_list))
        r = try_unsigned_list(w, repository, f);
    if (r == -EINVAL)
        TRY(undo(w, f));
    return r;
}

static int check_policy(Work *w, const char *uri) {
    const char *rule, *place;

    TRY(work_check_kind(w, PACKAGE_CHANGE_REPOSITORY));
    if (policy_allows_repository(w->policy, uri, &rule))
        return 0;
    place = policy_get_place(w->policy, rule);
    return work_fail(w, REPLY_REFUSED, "policy",
                     "The policy of this server does not allow the repository %s: %s in %s; "
                     "nothing was changed",
                     uri, rule, place ?: "policy.conf(5)");
}

static int add(Work *w, const Repository *repository) {
    _cleanup_(files_done) Files f = {};
    bool same;

    TRY(check_policy(w, repository->uri));
    TRY(files_init(w->backend, repository->name, &f));
    TRY(check_ours(w, &f, repository->name));
    TRY(is_same(w->backend, repository, &f, &same));
    if (!w->request.dry_run && !same) {
        TRY(work_wait_locks(w));
        TRY(install(w, repository, &f));
    }
    if (same)
        TRY(reply_add_line(w->reply, "Nothing was to be done."));
    return set_object(w, repository->name, f.paths.source, !same);
}

static int bad_argument(Work *w, int r, char *problem) {
    if (r == -EINVAL && problem)
        r = work_fail(w, REPLY_FAILED, "bad-argument", "%s", problem);
    free(problem);
    return r;
}

static int read_common(Work *w, struct json_object *arguments, const char *const *known) {
    char *problem = NULL;
    int r = package_check_known(arguments, known, &problem);

    if (r >= 0)
        r = package_read_bool(arguments, "dry_run", &w->request.dry_run, &problem);
    w->request.dry_run = w->request.dry_run || !isempty(getenv("DCM_DRY_RUN"));
    w->request.lock_usec = 300 * USEC_PER_SEC;
    return bad_argument(w, r, problem);
}

int repositories_add(Work *w, struct json_object *arguments) {
    static const char *const known[] = {"name", "uri",     "suite", "components",
                                        "key",  "dry_run", NULL};
    _cleanup_(repository_done) Repository repository = {};
    char *problem = NULL;
    int r;

    TRY(read_common(w, arguments, known));
    r = repository_parse(arguments, w->backend->family, &repository, &problem);
    return r < 0 ? bad_argument(w, r, problem) : add(w, &repository);
}

static int drop(Work *w, const char *name) {
    _cleanup_(files_done) Files f = {};
    int r = 0;

    TRY(work_check_kind(w, PACKAGE_CHANGE_REPOSITORY));
    TRY(files_init(w->backend, name, &f));
    TRY(check_ours(w, &f, name));
    if (!w->request.dry_run && (f.old_source || f.old_key)) {
        TRY(work_wait_locks(w));
        r = unlink_it(f.paths.source);
        if (r >= 0)
            r = unlink_it(f.paths.key);
    }
    if (r < 0)
        return work_fail(w, REPLY_FAILED, "failed", "%s cannot be removed: %s", f.paths.source,
                         strerror(-r));
    if (!f.old_source)
        TRY(reply_add_line(w->reply, "There is no such repository: nothing was to be done."));
    return set_object(w, name, f.paths.source, f.old_source);
}

int repositories_remove(Work *w, struct json_object *arguments) {
    static const char *const known[] = {"name", "dry_run", NULL};
    _cleanup_free_ char *name = NULL;
    char *problem = NULL;
    int r;

    TRY(read_common(w, arguments, known));
    r = package_read_text(arguments, "name", REPOSITORY_NAME_MAX, &name, &problem);
    if (r >= 0 && (!name || !repository_name_is_valid(name)))
        r = package_problem(&problem, "name is missing, or is not that of a repository");
    return r < 0 ? bad_argument(w, r, problem) : drop(w, name);
}
