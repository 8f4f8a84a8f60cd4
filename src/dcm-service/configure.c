/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-service/configure.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>

#include "basic/bounds.h"
#include "basic/fd-util.h"
#include "basic/file-util.h"
#include "basic/log.h"
#include "dcm-service/control.h"
#include "dcm-service/turn.h"

#define CONFIGURE_SEC 3600u
#define DATABASE_SEC 600u

static int open_service(const Services *s, struct json_object *arguments, const char **ret_id,
                        int *ret_fd) {
    *ret_id = json_get_string(arguments, "serviceId");
    return service_open(s, strempty(*ret_id), ret_fd);
}

/* The same, while no other request replaces or configures it. */
static int take_service(const Services *s, struct json_object *arguments, const char **ret_id,
                        int *ret_turn, int *ret_fd) {
    _cleanup_close_ int turn = -1, fd = -1;

    TRY(open_service(s, arguments, ret_id, &fd));
    TRY(turn_take(*ret_id, "configure_service", &turn));
    TRY(open_service(s, arguments, ret_id, ret_fd)); /* it may have been replaced meanwhile */
    *ret_turn = TAKE_FD(turn);
    return 0;
}

/* --- settings ------------------------------------------------------------------------------- */

static int find_owner(const char *name, uid_t *ret_uid, gid_t *ret_gid) {
    const struct passwd *user = getpwnam(name);
    const struct group *group;

    if (!user) {
        log_error("There is no user %s; install_service makes it", name);
        return -EINVAL;
    }
    *ret_uid = user->pw_uid;
    group = getgrnam(HOOK_USER);
    if (!group) {
        log_error("There is no group " HOOK_USER "; the package dcm-agent makes it");
        return -EINVAL;
    }
    *ret_gid = group->gr_gid;
    return 0;
}

static size_t remove_returns(char *text, size_t size) {
    size_t n = 0;

    for (size_t i = 0; i < size; i++)
        if (text[i] != '\r')
            text[n++] = text[i];
    return n;
}

/* The Python agent wrote one of these names, and its hooks were told of the other: both have the
 * same. */
static int write_settings(int fd, const char *user, char *text, size_t size) {
    uid_t uid;
    gid_t gid;
    int r;

    TRY(find_owner(user, &uid, &gid));
    r = service_write_setting(fd, "enstratiusinitd.cfg", text, size, uid, gid);
    if (r >= 0)
        r = service_write_setting(fd, "enstratus.cfg", text, remove_returns(text, size), uid, gid);
    return r < 0 ? log_error_errno(r, "The settings in cfg cannot be written: %m") : 0;
}

static int read_settings(int fd, const char *user) {
    _cleanup_free_ char *path = NULL, *text = NULL;
    size_t size = 0;
    int r;

    TRY(secret_path("configurationData", &path));
    if (!path) {
        log_error("There is no configurationData");
        return -EINVAL;
    }
    r = read_file_at(AT_FDCWD, path, JOB_SECRETS_SIZE_MAX, &text, &size);
    if (r < 0)
        return log_error_errno(r, "configurationData cannot be read: %m");
    r = write_settings(fd, user, text, size);
    explicit_bzero(text, size);
    return r;
}

/* --- the hooks ------------------------------------------------------------------------------ */

typedef struct Certificates {
    char *public_path, *private_path, *chain_path;
    char names[3][SERVICE_ID_MAX + 16];
} Certificates;

static void certificates_done(Certificates *c) {
    free(c->public_path);
    free(c->private_path);
    free(c->chain_path);
}

static int find_certificates(const char *id, Certificates *c) {
    TRY(secret_path("sslPublic", &c->public_path));
    TRY(secret_path("sslPrivate", &c->private_path));
    TRY(secret_path("sslChain", &c->chain_path));
    (void)snprintf(c->names[0], sizeof(c->names[0]), "%s.cert", id);
    (void)snprintf(c->names[1], sizeof(c->names[1]), "%s.key", id);
    (void)snprintf(c->names[2], sizeof(c->names[2]), "%s.chained", id);
    return 0;
}

static int run_configure(const Services *s, const char *id, const char *address,
                         const Certificates *c, ProgramResult *ret) {
    _cleanup_free_ char *settings = NULL;
    const bool has_ssl = !isempty(address) && c->public_path && c->private_path;
    const bool has_chain = has_ssl && c->chain_path;
    const char *const arguments[] = {
        id,           NULL,        has_ssl ? address : NULL,        HOOK_PATH_OF, c->names[0],
        HOOK_PATH_OF, c->names[1], has_chain ? HOOK_PATH_OF : NULL, c->names[2],  NULL};
    const char *list[ELEMENTSOF(arguments)];
    HookCall call = {.id = id,
                     .name = "configure",
                     .user = "root",
                     .arguments = list,
                     .timeout_sec = CONFIGURE_SEC};

    if (asprintf(&settings, "%s/%s/cfg/enstratus.cfg", s->path, id) < 0)
        return -ENOMEM;
    memcpy(list, arguments, sizeof(list));
    list[1] = settings;
    if (has_ssl) {
        call.credentials[0] = (HookCredential){c->names[0], c->public_path};
        call.credentials[1] = (HookCredential){c->names[1], c->private_path};
    }
    if (has_chain)
        call.credentials[2] = (HookCredential){c->names[2], c->chain_path};
    return hook_run(s, &call, ret);
}

/* The hook is not run, and that is a failure. */
static int refuse(ProgramResult *ret, const char *id, const char *name, const char *why) {
    const int n = asprintf(&ret->err, "The hook bin/enstratus-%s of %s cannot be executed: %s\n",
                           name, id, why);

    if (n < 0) {
        ret->err = NULL;
        return -ENOMEM;
    }
    ret->err_size = (size_t)n;
    ret->status = STATUS_NO_HOOK;
    return 0;
}

int service_configure(const Services *s, struct json_object *arguments, ProgramResult *ret) {
    _cleanup_(certificates_done) Certificates c = {};
    _cleanup_close_ int turn = -1, fd = -1;
    const char *id, *why = "it is not known who can change it";

    *ret = (ProgramResult){};
    TRY(take_service(s, arguments, &id, &turn, &fd));
    TRY(read_settings(fd, strempty(json_get_string(arguments, "runAsUser"))));
    switch (hook_look(fd, "configure")) {
    case HOOK_ABSENT:
        return 0;
    case HOOK_NOT_EXECUTABLE:
        return refuse(ret, id, "configure", "chmod it");
    default:
        break;
    }
    if (hook_check_for_root(fd, "configure", &why) < 0)
        return refuse(ret, id, "configure", why);
    TRY(find_certificates(id, &c));
    return run_configure(s, id, json_get_string(arguments, "sslAddress"), &c, ret);
}

int service_database(const Services *s, struct json_object *arguments, const char *hook,
                     const char *secret, ProgramResult *ret) {
    _cleanup_close_ int fd = -1;
    _cleanup_free_ char *path = NULL;
    const char *id;

    *ret = (ProgramResult){};
    TRY(open_service(s, arguments, &id, &fd));
    switch (hook_look(fd, hook)) {
    case HOOK_ABSENT:
        return 0;
    case HOOK_NOT_EXECUTABLE:
        return refuse(ret, id, hook, "chmod it");
    default:
        break;
    }
    TRY(secret_path(secret, &path));
    if (!path) {
        log_error("There is no %s", secret);
        return -EINVAL;
    }
    return hook_run(
        s,
        &(HookCall){.id = id,
                    .name = hook,
                    .arguments = (const char *const[]){id, HOOK_PATH_OF, "database.cfg", NULL},
                    .credentials = {{"database.cfg", path}},
                    .timeout_sec = DATABASE_SEC},
        ret);
}
