/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-config/reader.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/fd-util.h"
#include "basic/utf8.h"

#define SERVICE_USER "dcm-agent"

void reader_init(Reader *ret) {
    const struct passwd *user = geteuid() == 0 ? getpwnam(SERVICE_USER) : NULL;

    *ret = (Reader){.user = SERVICE_USER};
    if (user)
        *ret = (Reader){
            .is_known = true, .user = SERVICE_USER, .uid = user->pw_uid, .gid = user->pw_gid};
}

/* Opening tells what modes, groups, ACLs and the directories above allow together. */
static int try_to_open(const Reader *r, const char *path) {
    _cleanup_close_ int fd = -1;
    gid_t *groups = NULL;
    int n, k = 0;

    n = getgroups(0, NULL);
    groups = n >= 0 ? calloc((size_t)n + 1, sizeof(*groups)) : NULL;
    if (!groups || getgroups(n, groups) < 0) {
        free(groups);
        return -errno;
    }
    if (initgroups(r->user, r->gid) < 0 || setegid(r->gid) < 0 || seteuid(r->uid) < 0)
        k = -errno;
    if (k >= 0)
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (k >= 0 && fd < 0)
        k = -errno;
    if (seteuid(0) < 0 || setegid(0) < 0 || setgroups((size_t)n, groups) < 0)
        abort(); /* what follows must not be done as somebody else */
    free(groups);
    return k;
}

static const char *name_user(uid_t uid, char buf[static 32]) {
    const struct passwd *p = getpwuid(uid);

    if (p)
        (void)snprintf(buf, 32, "%.31s", p->pw_name);
    else
        (void)snprintf(buf, 32, "%u", uid);
    return buf;
}

static const char *name_group(gid_t gid, char buf[static 32]) {
    const struct group *g = getgrgid(gid);

    if (g)
        (void)snprintf(buf, 32, "%.31s", g->gr_name);
    else
        (void)snprintf(buf, 32, "%u", gid);
    return buf;
}

static void describe(const Reader *r, const char *path, const struct stat *st, bool is_secret,
                     Findings *findings) {
    char text[1024], user[32], group[32];
    bool is_directory = S_ISDIR(st->st_mode);
    const char *mode = is_directory ? "0755" : "0644";

    if (is_secret && !is_directory)
        (void)utf8_format(text, sizeof(text),
                          "user %s cannot read it: it belongs to %s:%s and has mode %04o; run: "
                          "chgrp %s %s && chmod 0640 %s",
                          r->user, name_user(st->st_uid, user), name_group(st->st_gid, group),
                          st->st_mode & 07777, r->user, path, path);
    else
        (void)utf8_format(text, sizeof(text),
                          "user %s cannot %s it: it belongs to %s:%s and has mode %04o; run: "
                          "chmod %s %s",
                          r->user, is_directory ? "look into" : "read", name_user(st->st_uid, user),
                          name_group(st->st_gid, group), st->st_mode & 07777, mode, path);
    findings_add(findings, path, 0, text);
}

/* The first directory on the way that the user cannot enter; NULL: none. The caller frees. */
static char *find_obstacle(const Reader *r, const char *path) {
    _cleanup_free_ char *way = strdup(path);

    for (char *slash = way ? strchr(way + 1, '/') : NULL; slash; slash = strchr(slash + 1, '/')) {
        _cleanup_free_ char *inside = NULL;

        *slash = 0;
        if (asprintf(&inside, "%s/.", way) >= 0 && try_to_open(r, inside) == -EACCES &&
            try_to_open(r, way) == -EACCES)
            return TAKE_PTR(way);
        *slash = '/';
    }
    return NULL;
}

void reader_check(const Reader *r, const char *path, bool is_secret, Findings *findings) {
    _cleanup_free_ char *obstacle = NULL;
    struct stat st;

    if (!r->is_known || stat(path, &st) < 0 || try_to_open(r, path) != -EACCES)
        return;
    obstacle = find_obstacle(r, path);
    if (!obstacle)
        describe(r, path, &st, is_secret, findings);
    else if (stat(obstacle, &st) >= 0)
        describe(r, obstacle, &st, is_secret, findings);
}
