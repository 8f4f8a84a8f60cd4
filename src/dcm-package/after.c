/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-package/after.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/bounds.h"
#include "basic/file-util.h"
#include "basic/time-util.h"
#include "dcm-package/progress.h"
#include "dcm-package/tool.h"
#include "package/process.h"

#define MAPS_MAX ((size_t)16 * 1024 * 1024)
#define CGROUP_MAX ((size_t)16 * 1024)
#define WALK_FDS 16
#define REQUIRED_FILE "/run/reboot-required"
#define REQUIRED_PACKAGES "/run/reboot-required.pkgs"

static int add_text(struct json_object *array, const char *text) {
    struct json_object *o;

    for (size_t i = 0; i < json_object_array_length(array); i++)
        if (streq(json_object_get_string(json_object_array_get_idx(array, i)), text))
            return 0;
    o = json_object_new_string(text);
    if (o && json_object_array_add(array, o) >= 0)
        return 0;
    (void)json_object_put(o);
    return -ENOMEM;
}

/* --- configuration files -------------------------------------------------------------------- */

/* nftw(3) has no argument for its callback. */
static struct json_object *walked;

static int add_mark(struct json_object *marks, const char *path, const struct stat *st) {
    char mark[96];

    (void)snprintf(mark, sizeof(mark), "%ju %jd.%09ld", (uintmax_t)st->st_ino,
                   (intmax_t)st->st_ctim.tv_sec, st->st_ctim.tv_nsec);
    return json_add_string(marks, path, mark);
}

static int on_file(const char *path, const struct stat *st, int type, struct FTW *ftw) {
    static const char *const suffixes[] = {".dpkg-dist", ".ucf-dist", ".rpmnew", ".rpmsave"};
    const size_t size = strlen(path);

    (void)ftw;
    if (type != FTW_F)
        return 0;
    for (size_t i = 0; i < ELEMENTSOF(suffixes); i++)
        if (size > strlen(suffixes[i]) && streq(path + size - strlen(suffixes[i]), suffixes[i]))
            return add_mark(walked, path, st);
    return 0;
}

int after_mark_conffiles(struct json_object **ret) {
    _cleanup_json_ struct json_object *marks = json_object_new_object();
    int r;

    if (!marks)
        return -ENOMEM;
    walked = marks;
    r = nftw("/etc", on_file, WALK_FDS, FTW_PHYS);
    if (r != 0)
        return r == -1 ? -errno : r;
    *ret = TAKE_PTR(marks);
    return 0;
}

int after_find_conffiles(struct json_object *before, struct json_object **ret) {
    _cleanup_json_ struct json_object *marks = NULL, *array = json_object_new_array();

    if (!array)
        return -ENOMEM;
    TRY(after_mark_conffiles(&marks));
    json_object_object_foreach(marks, path, mark) {
        struct json_object *old = json_get(before, path);

        if (!old || !streq(json_object_get_string(old), json_object_get_string(mark)))
            TRY(add_text(array, path));
    }
    *ret = TAKE_PTR(array);
    return 0;
}

/* --- services ------------------------------------------------------------------------------- */

/* False also if the process has ended meanwhile. */
static bool is_stale(const char *pid) {
    _cleanup_free_ char *text = NULL;
    char path[64];

    (void)snprintf(path, sizeof(path), "/proc/%.20s/maps", pid);
    if (read_file_at(AT_FDCWD, path, MAPS_MAX, &text, NULL) < 0)
        return false;
    for (char *line = text, *end; *line; line = end) {
        end = line + strcspn(line, "\n");
        if (*end)
            *end++ = 0;
        if (process_line_is_stale(line))
            return true;
    }
    return false;
}

static int add_service(struct json_object *array, const char *pid) {
    _cleanup_free_ char *text = NULL, *service = NULL;
    char path[64];

    (void)snprintf(path, sizeof(path), "/proc/%.20s/cgroup", pid);
    if (read_file_at(AT_FDCWD, path, CGROUP_MAX, &text, NULL) < 0)
        return 0; /* it has ended */
    TRY(process_find_service(text, &service));
    return isempty(service) ? 0 : add_text(array, service);
}

static int add_services(DIR *d, struct json_object *array) {
    for (const struct dirent *e; (e = readdir(d));)
        if (isdigit((unsigned char)*e->d_name) && is_stale(e->d_name))
            TRY(add_service(array, e->d_name));
    return 0;
}

int after_find_services(struct json_object **ret) {
    _cleanup_json_ struct json_object *array = json_object_new_array();
    DIR *d;
    int r;

    if (!array)
        return -ENOMEM;
    d = opendir("/proc");
    r = d ? add_services(d, array) : -errno;
    if (d)
        (void)closedir(d);
    if (r >= 0)
        *ret = TAKE_PTR(array);
    return r;
}

static int tell_not_restarted(Work *w, const char *service) {
    _cleanup_free_ char *text = NULL;

    if (asprintf(&text, "%s could not be restarted; see systemctl status %s", service, service) <
        0) {
        text = NULL;
        return -ENOMEM;
    }
    return reply_add_line(w->reply, text);
}

/* Not one that was stopped meanwhile, hence try-restart. */
static int restart(Work *w, const char *service, struct json_object *restarted) {
    const char *const argv[] = {"systemctl", "try-restart", "--", service, NULL};
    const Tool t = {.argv = argv, .cancel_signal = SIGTERM, .on_line = work_on_line, .userdata = w};
    char text[300];
    int r;

    (void)snprintf(text, sizeof(text), "restarting %.200s", service);
    progress_tell(98, text);
    r = tool_run(&t);
    if (r < 0)
        return r;
    return r == 0 ? add_text(restarted, service) : tell_not_restarted(w, service);
}

int after_restart_services(Work *w, struct json_object *services, struct json_object **ret) {
    _cleanup_json_ struct json_object *restarted = json_object_new_array();

    if (!restarted)
        return -ENOMEM;
    for (size_t i = 0; i < json_object_array_length(services) && !tool_is_cancelled(); i++) {
        const char *name = json_object_get_string(json_object_array_get_idx(services, i));

        if (!process_service_is_kept(name))
            TRY(restart(w, name, restarted));
    }
    *ret = TAKE_PTR(restarted);
    return 0;
}

/* --- reboot --------------------------------------------------------------------------------- */

static int add_required_packages(struct json_object *packages) {
    _cleanup_free_ char *text = NULL;
    int r = read_file_at(AT_FDCWD, REQUIRED_PACKAGES, CONFIG_FILE_MAX, &text, NULL);

    if (r < 0)
        return r == -ENOENT ? 0 : r;
    for (char *line = text, *end; *line; line = end) {
        end = line + strcspn(line, "\n");
        if (*end)
            *end++ = 0;
        if (package_name_is_valid(PACKAGE_DEB, line))
            TRY(add_text(packages, line));
    }
    return 0;
}

static int find_reasons(const Work *w, const PackageList *installed, struct json_object *reasons,
                        struct json_object *packages) {
    const int64_t boot_sec =
        (int64_t)((now_usec(CLOCK_REALTIME) - now_usec(CLOCK_BOOTTIME)) / USEC_PER_SEC);

    if (access(REQUIRED_FILE, F_OK) >= 0) {
        TRY(add_text(reasons, "a package has asked for it (" REQUIRED_FILE ")"));
        TRY(add_required_packages(packages));
    }
    for (size_t i = 0; i < installed->n; i++)
        if (w->backend->needs_reboot(&installed->items[i], w->release, boot_sec)) {
            TRY(add_text(reasons, w->backend->reboot_reason));
            TRY(add_text(packages, installed->items[i].name));
        }
    return 0;
}

int after_find_reboot(Work *w, const PackageList *installed, struct json_object **ret) {
    _cleanup_json_ struct json_object *o = json_object_new_object(),
                                      *reasons = json_object_new_array(),
                                      *packages = json_object_new_array();

    if (!o || !reasons || !packages)
        return -ENOMEM;
    TRY(find_reasons(w, installed, reasons, packages));
    TRY(json_add_bool(o, "required", json_object_array_length(reasons) > 0));
    TRY(json_add_string(o, "running_kernel", w->release));
    TRY(json_add(o, "reasons", TAKE_PTR(reasons)));
    TRY(json_add(o, "packages", TAKE_PTR(packages)));
    *ret = TAKE_PTR(o);
    return 0;
}
