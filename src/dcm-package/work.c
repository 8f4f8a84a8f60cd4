/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-package/work.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "basic/bounds.h"
#include "basic/fd-util.h"
#include "basic/file-util.h"
#include "basic/time-util.h"
#include "basic/utf8.h"
#include "dcm-package/progress.h"
#include "dcm-package/tool.h"

#define OWN_LOCK "/run/dcm-agent-packages.lock"
#define REASON_MAX ((size_t)1500)
#define TRY_MSEC 250

void work_done(Work *w) {
    package_request_done(&w->request);
    policy_freep(&w->policy);
    free(w->reason);
    w->own_lock_fd = safe_close(w->own_lock_fd);
}

int work_fail(Work *w, int status, const char *code, const char *format, ...) {
    _cleanup_free_ char *text = NULL;
    va_list list;
    int n;

    va_start(list, format);
    n = vasprintf(&text, format, list);
    va_end(list);
    if (n < 0) {
        text = NULL;
        return -ENOMEM;
    }
    TRY(reply_set_error(w->reply, status, code, text));
    return -EINVAL;
}

int work_fail_missing(Work *w, const char *name, const char *version, const char *newest) {
    const char *old = w->request.dry_run    ? ", whose lists a dry run does not fetch"
                      : !w->request.refresh ? ", whose lists were not fetched for this"
                                            : "";

    if (isempty(version))
        return work_fail(w, REPLY_REFUSED, "missing",
                         "There is no package %s in the repositories of this server%s; nothing was "
                         "changed",
                         name, old);
    return work_fail(
        w, REPLY_REFUSED, "missing",
        "There is no version %s of %s in the repositories of this server%s; the newest "
        "is %s; nothing was changed",
        version, name, old, newest);
}

int work_fail_tool(Work *w, int status, const char *text) {
    if (status < 0)
        return status == -ENOENT ? work_fail(w, REPLY_FAILED, "failed",
                                             "%s: the program for it is not installed", text)
                                 : status;
    if (tool_is_cancelled())
        return work_fail(w, REPLY_FAILED, "cancelled",
                         "%s: the command was asked to end; the package database is consistent",
                         text);
    if (w->reason)
        return work_fail(w, REPLY_FAILED, "failed", "%s: %s", text, w->reason);
    return work_fail(w, REPLY_FAILED, "failed", "%s: exit status %d", text, status);
}

static int load_policy(Work *w) {
    _cleanup_free_ char *error = NULL;
    int r = policy_load(CONFDIR "/policy.conf", CONFDIR "/policy.conf.d", &w->policy, &error);

    return r == -EINVAL ? work_fail(w, REPLY_REFUSED, "policy",
                                    "The policy of this server is not valid, so it allows nothing: "
                                    "%s",
                                    strempty(error))
                        : r;
}

int work_init(Work *w, Reply *reply) {
    struct utsname name;

    *w = (Work){.reply = reply, .own_lock_fd = -1, .percent_to = 100};
    if (uname(&name) < 0)
        return -errno;
    (void)utf8_format(w->release, sizeof(w->release), "%s", name.release);
    return load_policy(w);
}

/* --- what tools say ------------------------------------------------------------------------- */

int work_add_reason(Work *w, const char *reason) {
    char *all;

    if (w->reason && (strstr(w->reason, reason) || strlen(w->reason) > REASON_MAX))
        return 0;
    if (asprintf(&all, "%s%s%.*s", strempty(w->reason), w->reason ? "; " : "",
                 UTF8_SHORT(reason, REASON_MAX)) < 0)
        return -ENOMEM;
    free(w->reason);
    w->reason = all;
    return 0;
}

int work_add_reasons(Work *w, const char *output) {
    _cleanup_free_ char *copy = strdup(output);
    char *rest;

    if (!copy)
        return -ENOMEM;
    for (char *line = strtok_r(copy, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
        if (w->backend->find_reason(line))
            TRY(work_add_reason(w, w->backend->find_reason(line)));
    return 0;
}

void work_forget_reason(Work *w) {
    free(w->reason);
    w->reason = NULL;
}

int work_tell_reason(Work *w, const char *text) {
    _cleanup_free_ char *line = NULL;

    if (asprintf(&line, "%s: %s", text, strempty(w->reason)) < 0) {
        line = NULL;
        return -ENOMEM;
    }
    return reply_add_line(w->reply, line);
}

void work_on_line(const char *line, void *userdata) {
    Work *w = userdata;
    const char *reason = w->backend->find_reason(line);

    progress_line(line);
    if (reason)
        (void)work_add_reason(w, reason); /* the line is in the output anyway */
}

int work_tell_repair(Work *w, bool is_done, const char *names) {
    static const char left[] = "An earlier run has left the package database in between; this";
    _cleanup_free_ char *text = NULL;
    int n = is_done ? asprintf(&text, "%s was repaired first: %s", left, names)
                    : asprintf(&text, "%s could not be repaired: %s: %s", left, names,
                               w->reason ?: "the program for it has failed");

    if (n < 0) {
        text = NULL;
        return -ENOMEM;
    }
    progress_say(text);
    return reply_add_line(w->reply, text);
}

void work_tell_progress(const Work *w, unsigned percent, const char *text) {
    progress_tell(w->percent_from + (w->percent_to - w->percent_from) * percent / 100, text);
}

int work_get_object(Work *w, const char *type, struct json_object **ret) {
    if (!w->reply->object)
        w->reply->object = json_object_new_object();
    *ret = w->reply->object;
    if (w->reply->status == 0)
        w->reply->reply_type = type;
    return w->reply->object ? 0 : -ENOMEM;
}

/* --- locks ---------------------------------------------------------------------------------- */

void work_describe_process(pid_t pid, char *buf, size_t size) {
    _cleanup_free_ char *name = NULL;
    char path[64];

    (void)snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
    if (pid > 0 && read_file_at(AT_FDCWD, path, 64, &name, NULL) >= 0)
        (void)utf8_format(buf, size, "%.*s (%d)", (int)strcspn(name, "\n"), name, (int)pid);
    else
        (void)utf8_format(buf, size, "another program");
}

bool work_find_lock(const char *const *paths, char *buf, size_t size) {
    for (const char *const *path = paths; *path; path++) {
        struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
        _cleanup_close_ int fd = open(*path, O_RDWR | O_CLOEXEC);

        if (fd < 0 || fcntl(fd, F_GETLK, &lock) < 0 || lock.l_type == F_UNLCK)
            continue;
        work_describe_process(lock.l_pid, buf, size);
        return true;
    }
    return false;
}

static bool is_busy(const Work *w, char *buf, size_t size) {
    if (flock(w->own_lock_fd, LOCK_EX | LOCK_NB) < 0 && (errno == EWOULDBLOCK || errno == EINTR)) {
        (void)utf8_format(buf, size, "another command about packages");
        return true;
    }
    return w->backend->find_holder(buf, size);
}

int work_wait_locks(Work *w) {
    const uint64_t begin_usec = now_usec(CLOCK_BOOTTIME);
    char holder[64] = "", told[64] = "", text[128];

    w->own_lock_fd = open(OWN_LOCK, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (w->own_lock_fd < 0)
        return -errno;
    while (is_busy(w, holder, sizeof(holder))) {
        if (now_usec(CLOCK_BOOTTIME) - begin_usec >= w->request.lock_usec)
            return work_fail(w, REPLY_REFUSED, "locked",
                             "%s works with packages, and has not ended within %" PRIu64
                             " s: nothing was changed; repeat this later",
                             holder, w->request.lock_usec / USEC_PER_SEC);
        (void)utf8_format(text, sizeof(text), "waiting for %s, which works with packages", holder);
        if (!streq(holder, told)) {
            progress_tell(0, text);
            progress_say(text);
        }
        (void)utf8_format(told, sizeof(told), "%s", holder);
        if (tool_pause(TRY_MSEC))
            return work_fail(w, REPLY_FAILED, "cancelled",
                             "The command was asked to end while it was waiting for %s; nothing "
                             "was changed",
                             holder);
    }
    return 0;
}

/* --- policy --------------------------------------------------------------------------------- */

static int refuse(Work *w, const char *what, const char *rule) {
    const char *place = policy_get_place(w->policy, rule);

    return work_fail(w, REPLY_REFUSED, "policy",
                     "The policy of this server does not allow %s: %s in %s; nothing was changed",
                     what, rule, place ?: "policy.conf(5)");
}

int work_check_kind(Work *w, PackageChangeKind kind) {
    const char *rule;

    return policy_allows_package_change(w->policy, kind, &rule)
               ? 0
               : refuse(w, "this kind of change of packages", rule);
}

int work_check_package(Work *w, const char *name, bool is_new) {
    char base[PACKAGE_NAME_MAX + 1];
    const char *rule;

    (void)utf8_format(base, sizeof(base), "%.*s", (int)strcspn(name, ":"), name);
    return policy_allows_package(w->policy, base, is_new, &rule) ? 0 : refuse(w, base, rule);
}
