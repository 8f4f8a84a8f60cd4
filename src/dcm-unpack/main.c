/* SPDX-License-Identifier: Apache-2.0 */
/* dcm-unpack - unpacks the archive on standard input into the working directory; for
 * dcm-service. */
#include <fcntl.h>
#include <getopt.h>
#include <grp.h>
#include <locale.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "basic/bounds.h"
#include "basic/fd-util.h"
#include "basic/log.h"
#include "basic/option-table.h"
#include "basic/parse-util.h"
#include "basic/terminal.h"
#include "dcm-unpack/unpack.h"

#define EXIT_DAMAGED 2 /* as tar(1) has it */

typedef struct Options {
    ArchiveKind kind;
    ArchiveLimits limits;
    uint64_t uid, gid; /* 0: the user stays */
} Options;

static int parse_kind(const char *text, void *ret) {
    const ArchiveKind kind = archive_kind_from_name(text);

    if (kind == ARCHIVE_KIND_UNKNOWN) {
        terminal_printf(stderr, "dcm-unpack: not a kind of archive: %s\n", text);
        return -EINVAL;
    }
    *(ArchiveKind *)ret = kind;
    return 0;
}

static int parse_number(const char *text, void *ret) {
    uint64_t number;

    if (parse_size(text, &number) < 0 || number > ARCHIVE_SIZE_MAX) {
        terminal_printf(stderr, "dcm-unpack: not a number, or too large: %s\n", text);
        return -EINVAL;
    }
    *(uint64_t *)ret = number;
    return 0;
}

static const Option options[] = {
    {"kind", "KIND", offsetof(Options, kind), parse_kind,
     "tar, tar-gzip, tar-bzip2, tar-xz, tar-zstd or zip"},
    {"size-max", "BYTES", offsetof(Options, limits.size_max), parse_number, "of all files together",
     "10G"},
    {"entries-max", "NUMBER", offsetof(Options, limits.entries_max), parse_number,
     "of files, directories and links", "1000000"},
    {"uid", "NUMBER", offsetof(Options, uid), parse_number, "the user to become"},
    {"gid", "NUMBER", offsetof(Options, gid), parse_number, "the group to become, and no other"},
    {"keep-setuid", NULL, offsetof(Options, limits.keep_setuid), option_set_flag,
     "leave the bits setuid, setgid and sticky"},
    OPTION_VERSION,
    OPTION_HELP,
};

static const OptionTable table = {
    .program = "dcm-unpack",
    .about = "For dcm-service: unpacks the archive on standard input into the working directory.",
    .options = options,
    .n_options = ELEMENTSOF(options),
    .notes = "Exit status: 0 done, 1 other, 2 damaged or refused.",
};

/* From here on, other processes of this user see nothing of this one: the kernel keeps them from a
 * process that has changed its user, and that must not be dumped. */
static int become_user(const Options *o) {
    const gid_t gid = (gid_t)o->gid;
    const uid_t uid = (uid_t)o->uid;

    if (uid == 0 && gid == 0)
        return 0;
    if (uid == 0 || gid == 0 || o->uid >= UINT32_MAX || o->gid >= UINT32_MAX)
        return log_error_errno(EINVAL, "--uid and --gid are numbers of a user and a group");
    if (setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
        return log_error_errno(errno, "The user %u cannot be taken on: %m", uid);
    return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ? -errno : 0;
}

static int unpack(const Options *o) {
    _cleanup_close_ int root = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    UnpackResult result = {};
    int r;

    if (root < 0)
        return log_error_errno(errno, "The directory cannot be opened: %m");
    TRY(become_user(o));
    r = unpack_archive(STDIN_FILENO, o->kind, root, &o->limits, &result);
    if (r >= 0 && syncfs(root) < 0)
        r = -errno;
    if (r >= 0)
        printf("%llu entries with %llu bytes were unpacked\n",
               (unsigned long long)result.count.entries, (unsigned long long)result.count.size);
    if (r >= 0 && result.n_stripped > 0)
        printf("%llu files have lost the bits setuid and setgid\n",
               (unsigned long long)result.n_stripped);
    if (r < 0)
        (void)log_error_errno(r, "The archive is not unpacked: %s", result.problem ?: strerror(-r));
    free(result.problem);
    return r;
}

int main(int argc, char *argv[]) {
    Options o = {.limits = {.size_max = ARCHIVE_SIZE_DEFAULT, .entries_max = ARCHIVE_ENTRIES_MAX}};
    int r;

    log_set_identifier("dcm-unpack");
    (void)umask(022);
    (void)setlocale(LC_CTYPE, "C.UTF-8"); /* else libarchive has no names beyond ASCII */
    r = option_table_parse(&table, argc, argv, &o);
    if (r <= 0)
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
    if (optind < argc || o.kind == ARCHIVE_KIND_UNKNOWN) {
        (void)fputs("dcm-unpack: --kind is missing, or there is an operand\n", stderr);
        return EXIT_FAILURE;
    }
    r = unpack(&o);
    if (r >= 0)
        return EXIT_SUCCESS;
    return r == -EINVAL || r == -EBADMSG || r == -EFBIG ? EXIT_DAMAGED : EXIT_FAILURE;
}
