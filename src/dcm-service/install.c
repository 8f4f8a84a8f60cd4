/* SPDX-License-Identifier: Apache-2.0 */
/* The image is downloaded and unpacked beside the services, into .install-ID, by a process without
 * rights that has the service's user. The directory then takes the place of the service's, as
 * dcm-service/replace.h says. Killed at any moment, the next install_service begins again, and the
 * service is the old or the new one. */
#include "dcm-service/install.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/bounds.h"
#include "basic/fd-util.h"
#include "basic/file-util.h"
#include "basic/log.h"
#include "basic/memfd-util.h"
#include "dcm-service/control.h"
#include "dcm-service/hook.h"
#include "dcm-service/replace.h"
#include "dcm-service/turn.h"
#include "dcm-service/unit.h"
#include "proto/name.h"
#include "service/archive-rule.h"
#include "service/service-id.h"
#include "site/trusted-file.h"
#include "unit/job-bond.h"
#include "unit/object-failure.h"

#define STATUS_IMAGE 20
#define UNPACK_SEC 86400u
#define UNPACK_UNIT "dcm-unpack-%s.service"

typedef struct Installation {
    const Services *services;
    struct json_object *arguments;
    const char *id, *user, *image; /* names, of the arguments */
    Replacement replacement;
    uid_t uid;
    gid_t gid; /* of HOOK_USER */
    int turn_fd;
} Installation;

/* --- what is asked for ---------------------------------------------------------------------- */

static int read_arguments(Installation *x) {
    const char *customer = json_get_scalar(x->arguments, "customerId");

    x->id = json_get_string(x->arguments, "serviceId");
    x->user = json_get_string(x->arguments, "runAsUser");
    x->image = json_get_string(x->arguments, "serviceImageFile");
    if (!x->id || !x->user || !x->image || !customer) {
        log_error("customerId, serviceId, runAsUser or serviceImageFile is missing");
        return -EINVAL;
    }
    if (!service_id_is_valid(x->id)) {
        log_error("This is no id of a service: it begins with the letter a and has letters, "
                  "digits, dots, dashes and underscores, at most %zu",
                  SERVICE_ID_MAX);
        return -EINVAL;
    }
    if (!user_name_is_valid(x->user) || strncmp(x->user, "dcm-", 4) == 0) {
        log_error("%s cannot be the user of a service: it is no name of a user, or one of the "
                  "agent's own",
                  x->user);
        return -EINVAL;
    }
    return 0;
}

/* --- the user ------------------------------------------------------------------------------- */

static int find_user(Installation *x) {
    const struct passwd *user = getpwnam(x->user);
    const struct group *group;

    if (!user)
        return -ENOENT;
    x->uid = user->pw_uid;
    group = getgrnam(HOOK_USER);
    if (!group) {
        log_error("There is no group " HOOK_USER "; the package dcm-agent makes it");
        return -EINVAL;
    }
    x->gid = group->gr_gid;
    return 0;
}

static int ensure_user(Installation *x) {
    _cleanup_(arguments_done) Arguments a = {};
    _cleanup_free_ char *path = NULL, *error = NULL;
    _cleanup_close_ int fd = -1;
    int r;

    r = find_user(x);
    if (r != -ENOENT)
        return r;
    r = script_open(script_directories, "addServiceUser", &path, &fd, &error);
    if (r < 0)
        return log_error_errno(r, "The script addServiceUser cannot be run: %s",
                               error ?: strerror(-r));
    arguments_add(&a, "%s", path);
    arguments_add(&a, "%s", x->user);
    arguments_add(&a, "%s/%s", x->services->path, x->id);
    if (program_call(&a) != 0)
        return -EIO;
    r = find_user(x);
    return r == -ENOENT ? log_error_errno(EIO, "addServiceUser has made no user %s", x->user) : r;
}

/* --- the image ------------------------------------------------------------------------------ */

static int fetch_image(const Installation *x) {
    _cleanup_(arguments_done) Arguments a = {};
    _cleanup_(program_result_done) ProgramResult result = {};
    _cleanup_free_ char *reason = NULL;
    _cleanup_close_ int fd = -1;
    const char *text;
    size_t size;
    int r;

    text = json_to_text(x->arguments, &size);
    if (!text)
        return -ENOMEM;
    TRY(memfd_new_sealed("arguments", text, size, &fd));
    arguments_add(&a, PKGLIBDIR "/dcm-object");
    arguments_add(&a, "get");
    arguments_add(&a, "--request=install_service");
    arguments_add(&a, "--place=/dev/stdin");
    arguments_add(&a, "--job-progress");
    arguments_add(&a, "--");
    arguments_add(&a, "%s", x->image);
    arguments_add(&a, "%s", x->replacement.image);
    r = program_run(&a, fd, &result);
    if (r < 0)
        return log_error_errno(r, "dcm-object cannot be run: %m");
    if (result.status == 0)
        return 0;
    TRY(object_failure(&result, &reason));
    log_error("The image %s of the service %s cannot be fetched: %s", x->image, x->id, reason);
    return -EIO;
}

/* --- unpacking ------------------------------------------------------------------------------ */

static const char *const unpack_properties[] = {
    "SupplementaryGroups=",
    "ProtectSystem=strict",
    "ProtectHome=read-only",
    "ProtectProc=invisible",
    "ProcSubset=pid",
    "PrivateDevices=yes",
    "DevicePolicy=closed",
    "PrivateNetwork=yes",
    "PrivateIPC=yes",
    "PrivateTmp=yes",
    "KeyringMode=private",
    "NoNewPrivileges=yes",
    "ProtectKernelTunables=yes",
    "ProtectKernelModules=yes",
    "ProtectKernelLogs=yes",
    "ProtectControlGroups=yes",
    "ProtectClock=yes",
    "ProtectHostname=yes",
    "RestrictNamespaces=uts",
    "RestrictRealtime=yes",
    "RestrictAddressFamilies=AF_UNIX",
    "LockPersonality=yes",
    "MemoryDenyWriteExecute=yes",
    "SystemCallArchitectures=native",
    "SystemCallFilter=@system-service",
    "TasksMax=8",
    "LimitCORE=0",
    "MemorySwapMax=0",
    "UMask=0022",
};

/* It begins as root, and becomes the service's user by itself: so no other process of this user can
 * look into it, or come to the directory by what it has opened. */
static void add_unpack_rights(const Installation *x, Arguments *a) {
    const bool is_root = x->uid == 0;

    arguments_add(a, "--property=CapabilityBoundingSet=%s", is_root ? "" : "CAP_SETUID CAP_SETGID");
    if (is_root)
        arguments_add(a, "--property=Group=" HOOK_USER);
}

static void add_unpack_unit(const Installation *x, Arguments *a) {
    const char *new = x->replacement.new;

    unit_add_run(a);
    arguments_add(a, "--unit=" UNPACK_UNIT, x->id);
    arguments_add(a, "--description=Unpacking of the service %s", x->id);
    arguments_add(a, "--slice=dcm-jobs.slice");
    arguments_add(a, "--working-directory=%s", new);
    arguments_add(a, "--property=ReadWritePaths=%s", new);
    arguments_add(a, "--property=TimeoutStartSec=%u", UNPACK_SEC);
    arguments_add(a, "--property=TimeoutStopSec=10");
    arguments_add(a, "--property=MemoryMax=%llu", (unsigned long long)ARCHIVE_MEMORY_MAX);
    for (size_t i = 0; i < ELEMENTSOF(unpack_properties); i++)
        arguments_add(a, "--property=%s", unpack_properties[i]);
    add_unpack_rights(x, a);
    unit_bind_to_job(a);
}

static bool is_true(struct json_object *arguments, const char *name) {
    struct json_object *o = json_get(arguments, name);

    return o && json_object_get_boolean(o);
}

static void add_unpack_command(const Installation *x, ArchiveKind kind, Arguments *a) {
    int64_t size_max;

    arguments_add(a, "--");
    arguments_add(a, PKGLIBDIR "/dcm-unpack");
    arguments_add(a, "--kind=%s", archive_kind_name(kind));
    if (x->uid != 0) {
        arguments_add(a, "--uid=%u", x->uid);
        arguments_add(a, "--gid=%u", x->gid);
    }
    if (json_to_integer(json_get(x->arguments, "unpackedSizeMax"), &size_max) >= 0)
        arguments_add(a, "--size-max=%lld", (long long)size_max);
    if (is_true(x->arguments, "keepSetuid"))
        arguments_add(a, "--keep-setuid");
}

/* Its exit status. */
static int unpack(const Installation *x, int image_fd, ArchiveKind kind) {
    _cleanup_(arguments_done) Arguments a = {};
    _cleanup_(program_result_done) ProgramResult result = {};
    int r;

    add_unpack_unit(x, &a);
    add_unpack_command(x, kind, &a);
    r = program_run(&a, image_fd, &result);
    if (r < 0)
        return log_error_errno(r, "systemd-run cannot be run: %m");
    program_result_pass_on(&result);
    return result.status;
}

/* --- the place of the old one --------------------------------------------------------------- */

/* The text of the unit that the archive has, or NULL. */
static int read_unit(const Installation *x, char **ret, size_t *ret_size) {
    _cleanup_close_ int dir_fd =
        open(x->replacement.new, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    _cleanup_close_ int fd = -1;
    struct stat st;
    int r;

    if (dir_fd < 0)
        return log_error_errno(errno, "%s cannot be opened: %m", x->replacement.new);
    fd = openat(dir_fd, "dcm-service.unit", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return 0;
    /* another name of somebody else's file would be shown to everybody */
    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != x->uid ||
        st.st_nlink != 1)
        return log_error_errno(EINVAL, "dcm-service.unit of the archive is not a file of its own");
    r = read_fd(fd, SERVICE_UNIT_MAX, ret, ret_size);
    return r < 0 ? log_error_errno(r, "dcm-service.unit of the archive cannot be read: %m") : 0;
}

/* What can be refused is refused before the service is stopped. */
static int replace(Installation *x, const char *unit_text, size_t unit_size) {
    bool has_stopped = false;
    int r;

    TRY(service_check_unit(x->services, x->id, x->user, unit_text, unit_size));
    TRY(service_stop_to_replace(x->services, x->id, &has_stopped));
    r = replacement_commit(&x->replacement);
    if (has_stopped)
        printf("%s was running and has been stopped; start_service starts it\n", x->id);
    return r;
}

static int put_into_place(Installation *x) {
    _cleanup_free_ char *text = NULL;
    _cleanup_close_ int fd = -1;
    size_t size = 0;
    int r;

    TRY(read_unit(x, &text, &size));
    TRY(turn_wait(x->id, &fd));
    TRY(replace(x, text, size));
    r = service_set_unit(x->services, x->id, x->user, text, size);
    if (r < 0) {
        log_error("The image is in the place of the service %s, but its unit is not as the image "
                  "wants it; install_service can be repeated",
                  x->id);
        return r;
    }
    replacement_finish(&x->replacement);
    return 0;
}

/* --- all of it ------------------------------------------------------------------------------ */

/* As the Python agent: an archive that it did not know was no failure, and the directory is
 * there. */
static int leave_unknown(const Installation *x) {
    if (mkdirat(x->services->fd, x->id, 0755) < 0 && errno != EEXIST)
        return log_error_errno(errno, "The directory of %s cannot be made: %m", x->id);
    printf("Nothing was unpacked: %s ends in none of .tar.gz, .tgz, .tar.bz2, .tar.xz, .tar.zst, "
           ".tar and .zip\n",
           x->image);
    return 0;
}

static int install_image(Installation *x) {
    const ArchiveKind kind = archive_kind_of(x->image);
    _cleanup_close_ int fd = -1;
    int status;

    fd = open(x->replacement.image, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        (void)log_error_errno(errno, "The image %s cannot be read: %m", x->image);
        return STATUS_IMAGE;
    }
    if (kind == ARCHIVE_KIND_UNKNOWN)
        return leave_unknown(x);
    TRY(replacement_make_new(&x->replacement, x->uid, x->gid));
    TRY(status = unpack(x, fd, kind));
    if (status != 0)
        return status;
    return put_into_place(x);
}

/* Of an install_service that was killed without a job to which it was bound. */
static int end_other_unpacking(const Installation *x) {
    _cleanup_free_ char *unit = NULL;
    UnitState u;

    if (asprintf(&unit, UNPACK_UNIT, x->id) < 0) {
        unit = NULL;
        return -ENOMEM;
    }
    TRY(unit_look(unit, &u));
    return streq(u.active, "inactive") || systemctl("stop", unit) == 0 ? 0 : -EIO;
}

static int install(Installation *x) {
    TRY(read_arguments(x));
    TRY(turn_take(x->id, "install_service", &x->turn_fd));
    TRY(end_other_unpacking(x));
    TRY(ensure_user(x));
    TRY(replacement_begin(x->services, x->id, &x->replacement));
    TRY(fetch_image(x));
    return install_image(x);
}

int service_install(const Services *s, struct json_object *arguments) {
    Installation x = {
        .services = s, .arguments = arguments, .replacement = REPLACEMENT_INIT, .turn_fd = -1};
    const int r = install(&x);

    replacement_done(&x.replacement);
    safe_close(x.turn_fd);
    return r < 0 ? STATUS_FAILED : r;
}
