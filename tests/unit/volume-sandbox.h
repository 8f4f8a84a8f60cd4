/* SPDX-License-Identifier: Apache-2.0 */
/* A mount namespace of the test's own, in which /etc, /run and /var/lib are empty and in memory:
 * there steps of a volume write as they do on a machine. Programs in /run/tools take the place of
 * those of the system, and log their arguments. */
#pragma once

#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/macro.h"
#include "dcm-volume/work.h"

static inline bool sandbox_write(const char *path, const char *text) {
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool is_written = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

    if (fd >= 0)
        (void)close(fd);
    return is_written;
}

/* Root of a user namespace, where the test is not root. */
static inline bool sandbox_become_root(void) {
    g_autofree char *uids = g_strdup_printf("0 %u 1", (unsigned)geteuid()),
                    *gids = g_strdup_printf("0 %u 1", (unsigned)getegid());

    if (geteuid() == 0)
        return unshare(CLONE_NEWNS) == 0;
    return unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 &&
           sandbox_write("/proc/self/setgroups", "deny") &&
           sandbox_write("/proc/self/uid_map", uids) && sandbox_write("/proc/self/gid_map", gids);
}

/* Before the first test: it has one thread then. False: the kernel, or a container, does not allow
 * it. */
static inline bool sandbox_enter(void) {
    static const char *const directories[] = {"/etc", "/run", "/var/lib"};

    if (!sandbox_become_root() || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return false;
    for (size_t i = 0; i < ELEMENTSOF(directories); i++)
        if (mount("tmpfs", directories[i], "tmpfs", 0, "mode=0755") < 0)
            return false;
    return g_mkdir_with_parents(CONFDIR "/scripts", 0755) == 0 &&
           g_mkdir("/run/tools", 0755) == 0 && g_mkdir("/run/dev", 0755) == 0 &&
           g_mkdir("/etc/systemd", 0755) == 0 && g_mkdir("/etc/systemd/system", 0755) == 0 &&
           g_mkdir("/var/lib/dcm-volumes", 0700) == 0 &&
           g_setenv("PATH", "/run/tools:/usr/sbin:/usr/bin:/sbin:/bin", true);
}

/* A program or a script that logs its name and arguments to /run/log, and then does `body`, in a
 * shell. */
static inline void sandbox_program(const char *directory, const char *name, const char *body) {
    g_autofree char *path = g_build_filename(directory, name, NULL),
                    *text =
                        g_strdup_printf("#!/bin/sh\necho \"%s $*\" >>/run/log\n%s\n", name, body);

    g_assert_true(g_file_set_contents(path, text, -1, NULL));
    g_assert_cmpint(g_chmod(path, 0755), ==, 0);
}

static inline void sandbox_tool(const char *name, const char *body) {
    sandbox_program("/run/tools", name, body);
}

static inline void sandbox_script(const char *name, const char *body) {
    sandbox_program(CONFDIR "/scripts", name, body);
}

/* What was called since the last time, one line for each. */
static inline char *sandbox_log(void) {
    char *text = NULL;

    if (!g_file_get_contents("/run/log", &text, NULL, NULL))
        return g_strdup("");
    (void)g_unlink("/run/log");
    return text;
}

static inline void sandbox_forget(void) {
    (void)g_unlink("/run/log");
}

static inline void assert_log(const char *wanted) {
    g_autofree char *found = sandbox_log();

    g_assert_cmpstr(found, ==, wanted);
}

static inline void assert_file(const char *path, const char *wanted) {
    g_autofree char *found = NULL;

    g_assert_true(g_file_get_contents(path, &found, NULL, NULL));
    g_assert_cmpstr(found, ==, wanted);
}

/* A disk of 1 MiB: blank, or with swap's signature and this UUID, which libblkid finds. */
static inline void sandbox_disk(const char *path, const char *uuid) {
    g_autofree char *bytes = g_malloc0(1 << 20);
    const uint32_t version = 1, last = 255;
    unsigned n = 0;

    for (const char *p = uuid; p && *p; p++)
        if (g_ascii_isxdigit(*p) && n < 32) {
            char *byte = bytes + 1036 + n / 2;

            *byte = (char)(*byte << 4 | g_ascii_xdigit_value(*p));
            n++;
        }
    if (uuid) {
        memcpy(bytes + 4096 - 10, "SWAPSPACE2", 10);
        memcpy(bytes + 1024, &version, sizeof(version));
        memcpy(bytes + 1028, &last, sizeof(last));
    }
    g_assert_true(g_file_set_contents(path, bytes, 1 << 20, NULL));
}

/* A run whose plan says this; strings are copied. Given back with work_done(). */
static inline void sandbox_work(Work *w) {
    *w = (Work){.key_fd = -1, .plan = calloc(1, sizeof(Plan))};
    w->plan->request.raid_level = -1;
    w->plan->request.mount_point = strdup("/run/data");
    w->plan->request.persistent = true;
    w->plan->fs_type = strdup("ext4");
    w->plan->fs_uuid = strdup("11111111-1111-4111-8111-111111111111");
}

/* It failed, and says this. */
static inline void assert_failed(Work *w, int r, const char *words) {
    g_assert_cmpint(r, ==, -EIO);
    g_assert_nonnull(w->error);
    if (!strstr(w->error, words))
        g_error("no \"%s\" in: %s", words, w->error);
    g_clear_pointer(&w->error, free);
}

static inline void assert_done(Work *w, int r) {
    if (r < 0)
        g_error("%s: %s", g_strerror(-r), w->error ? w->error : "");
    g_assert_null(w->error);
}
