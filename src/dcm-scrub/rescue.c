/* SPDX-License-Identifier: Apache-2.0 */
/* The outer archive is written in one pass: the length of data.age is filled in when it is known.
 * The file has its name once it is complete and on the disk. */
#include "dcm-scrub/rescue.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "basic/fd-util.h"
#include "basic/file-util.h"
#include "basic/terminal.h"
#include "dcm-scrub/bounds.h"
#include "dcm-scrub/inner-archive.h"

#define BLOCK ((size_t)512)

extern char **environ;

static int complain(const char *path, const char *what, int error) {
    terminal_printf(stderr, "%s %s: %s; nothing is removed\n", path, what, strerror(-error));
    return error;
}

/* --- age ------------------------------------------------------------------------------------ */

static int start_age(const char *keys, int in_fd, int out_fd, pid_t *ret) {
    char name[] = "age", encrypt[] = "--encrypt", file[] = "--recipients-file";
    _cleanup_free_ char *path = strdup(keys);
    char *const argv[] = {name, encrypt, file, path, NULL};
    posix_spawn_file_actions_t actions;
    int r;

    if (!path || posix_spawn_file_actions_init(&actions) != 0)
        return -ENOMEM;
    r = posix_spawn_file_actions_adddup2(&actions, in_fd, STDIN_FILENO);
    if (r == 0)
        r = posix_spawn_file_actions_adddup2(&actions, out_fd, STDOUT_FILENO);
    if (r == 0)
        r = posix_spawnp(ret, name, &actions, NULL, argv, environ);
    (void)posix_spawn_file_actions_destroy(&actions);
    if (r == ENOENT)
        (void)fputs("There is no age, which encrypts the rescue archive; install the package age\n",
                    stderr);
    return -r;
}

static int end_age(pid_t pid) {
    int status;

    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return -errno;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EIO;
}

/* age has said on standard error what is wrong with a key. */
static int try_keys(const char *keys) {
    _cleanup_close_ int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    _cleanup_free_ char *text = NULL;
    size_t size = 0;
    pid_t pid = -1;
    int r;

    r = null < 0 ? -errno : read_file_at(AT_FDCWD, keys, KEY_FILE_MAX, &text, &size);
    if (r < 0)
        return complain(keys, "cannot be read", r);
    assert(text);
    if (strstr(text, "PRIVATE KEY")) {
        terminal_printf(stderr, "%s is a private key; give its public key\n", keys);
        return -EINVAL;
    }
    if (strncmp(text, "-----BEGIN", 10) == 0) {
        terminal_printf(stderr,
                        "%s is a key in PEM, which age does not take; ssh-keygen -i -m PKCS8 -f "
                        "%s prints it as one of SSH\n",
                        keys, keys);
        return -EINVAL;
    }
    TRY(start_age(keys, null, null, &pid));
    r = end_age(pid);
    if (r < 0)
        terminal_printf(stderr,
                        "age does not take the keys of %s: a line each, age1... or ssh-ed25519 or "
                        "ssh-rsa; nothing is removed\n",
                        keys);
    return r;
}

static char *make_new_path(const RescueTarget *t) {
    char *path;

    return asprintf(&path, "%s" FILE_NEW_SUFFIX, t->path) < 0 ? NULL : path;
}

int rescue_check(const RescueTarget *t) {
    _cleanup_free_ char *new_path = make_new_path(t);
    _cleanup_close_ int fd = -1;
    struct stat st;

    if (lstat(t->path, &st) >= 0)
        return complain(t->path, "is there already", -EEXIST);
    TRY(try_keys(t->keys));
    fd = new_path ? open_new(new_path) : -ENOMEM;
    if (fd < 0)
        return complain(t->path, "cannot be written", fd);
    (void)unlink(new_path);
    return 0;
}

/* --- the outer archive ---------------------------------------------------------------------- */

static void octal(char *field, size_t size, uint64_t value) {
    field[--size] = 0;
    while (size > 0) {
        field[--size] = (char)('0' + (value & 7));
        value >>= 3;
    }
}

/* Of POSIX.1-1988, which each tar reads. */
static void make_header(char h[static BLOCK], const char *name, unsigned mode, uint64_t size) {
    static const char magic[] = {'u', 's', 't', 'a', 'r', 0, '0', '0'};
    unsigned sum = 0;

    memset(h, 0, BLOCK);
    (void)stpncpy(h, name, 99);
    octal(h + 100, 8, mode);
    octal(h + 108, 8, 0);
    octal(h + 116, 8, 0);
    octal(h + 124, 12, size);
    octal(h + 136, 12, 0); /* the file itself says when it was made */
    memset(h + 148, ' ', 8);
    h[156] = '0';
    memcpy(h + 257, magic, sizeof(magic));
    for (size_t i = 0; i < BLOCK; i++)
        sum += (unsigned char)h[i];
    octal(h + 148, 7, sum);
    h[155] = ' ';
}

static int fill_up(int fd, size_t blocks) {
    static const char zeros[BLOCK];
    const off_t at = lseek(fd, 0, SEEK_CUR);

    if (at < 0)
        return -errno;
    if (at % (off_t)BLOCK != 0)
        TRY(write_full(fd, zeros, BLOCK - (size_t)(at % (off_t)BLOCK)));
    while (blocks-- > 0)
        TRY(write_full(fd, zeros, BLOCK));
    return 0;
}

static int write_script(int fd, const char *path) {
    _cleanup_free_ char *text = NULL;
    char header[BLOCK];
    size_t size;

    TRY(read_file_at(AT_FDCWD, path, RECOVERY_SCRIPT_MAX, &text, &size));
    make_header(header, "recovery.sh", 0755, size);
    TRY(write_full(fd, header, BLOCK));
    TRY(write_full(fd, text, size));
    return fill_up(fd, 0);
}

static int encrypt(const RescueTarget *t, const Beneath *b, const Plan *p, int fd) {
    int ends[2] = {-1, -1}, r, ended;
    pid_t pid = -1;

    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    r = start_age(t->keys, ends[0], fd, &pid);
    safe_close(ends[0]);
    if (r < 0) {
        safe_close(ends[1]);
        return r;
    }
    r = inner_archive_write(b, p, ends[1]);
    if (r < 0)
        (void)kill(pid, SIGTERM); /* it must not take this for the end */
    safe_close(ends[1]);
    ended = end_age(pid);
    /* what age has said is the reason of a broken pipe */
    return r == -EPIPE || r >= 0 ? ended : r;
}

static int write_data(const RescueTarget *t, const Beneath *b, const Plan *p, int fd) {
    char header[BLOCK];
    const off_t begin = lseek(fd, 0, SEEK_CUR);
    off_t end;

    if (begin < 0)
        return -errno;
    make_header(header, "data.age", 0600, 0);
    TRY(write_full(fd, header, BLOCK));
    TRY(encrypt(t, b, p, fd));
    end = lseek(fd, 0, SEEK_CUR);
    if (end < 0)
        return -errno;
    if ((uint64_t)(end - begin) - BLOCK > RESCUE_SIZE_MAX)
        return -EFBIG;
    TRY(fill_up(fd, 2));
    make_header(header, "data.age", 0600, (uint64_t)(end - begin) - BLOCK);
    return pwrite(fd, header, BLOCK, begin) == (ssize_t)BLOCK ? 0 : -EIO;
}

static int give_name(const char *new_path, const char *path, int fd) {
    if (fsync(fd) < 0 || link(new_path, path) < 0)
        return -errno;
    return unlink(new_path) < 0 ? -errno : 0;
}

int rescue_write(const RescueTarget *t, const Beneath *b, const Plan *p) {
    _cleanup_free_ char *new_path = make_new_path(t);
    _cleanup_close_ int fd = -1;
    int r;

    r = fd = new_path ? open_new(new_path) : -ENOMEM;
    if (r < 0)
        return complain(t->path, "cannot be written", r);
    r = write_script(fd, t->script);
    if (r >= 0)
        r = write_data(t, b, p, fd);
    if (r >= 0)
        r = give_name(new_path, t->path, fd);
    if (r < 0) {
        (void)unlink(new_path);
        return complain(t->path, "cannot be written", r);
    }
    sync(); /* its directory entry, too, before anything is removed */
    return 0;
}
