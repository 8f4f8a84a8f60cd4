/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-package/dnf-mark.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/boot-id.h"
#include "basic/file-util.h"
#include "basic/log.h"
#include "basic/strv.h"
#include "dcm-package/write-out.h"

/* As little as possible stays: the directory goes with the mark. */
#define DIRECTORY "/var/lib/dcm-packages"
#define MARK DIRECTORY "/changing" /* has the id of the boot */
#define KEPT DIRECTORY "/again"    /* a package a line */
#define KEPT_MAX (4 * 1024 * 1024)

static int make_directory(void) {
    return mkdir(DIRECTORY, 0700) < 0 && errno != EEXIST ? -errno : 0;
}

int dnf_mark_set(void) {
    char id[BOOT_ID_SIZE];

    if (dnf_mark_is_of_earlier_boot())
        return 0; /* what it stands for was not repaired */
    TRY(boot_id_read(id));
    TRY(make_directory());
    return write_file_alone(MARK, id, strlen(id), 0600);
}

void dnf_mark_clear(void) {
    if (access(DIRECTORY, F_OK) < 0)
        return;
    write_out();
    if ((unlink(KEPT) < 0 && errno != ENOENT) || (unlink(MARK) < 0 && errno != ENOENT) ||
        rmdir(DIRECTORY) < 0)
        (void)log_warning_errno(errno,
                                "Cannot remove " MARK "; after the next boot the packages of the "
                                "last change are installed again: %m");
}

int dnf_mark_keep(const char *const *packages) {
    _cleanup_free_ char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);

    if (!f)
        return -errno;
    for (const char *const *package = packages; package && *package; package++)
        (void)fprintf(f, "%s\n", *package);
    if (fclose(f) != 0)
        return -ENOMEM;
    TRY(make_directory());
    return write_file_alone(KEPT, text, size, 0600);
}

int dnf_mark_read_kept(char ***ret) {
    _cleanup_(strv_freep) char **list = NULL;
    _cleanup_free_ char *text = NULL;
    size_t n = 0;
    char *rest;
    int r;

    *ret = NULL;
    r = read_file_at(AT_FDCWD, KEPT, KEPT_MAX, &text, NULL);
    if (r == -ENOENT)
        return 0;
    TRY(r);
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
        TRY(strv_push(&list, &n, strdup(line)));
    *ret = TAKE_PTR(list);
    return 0;
}

bool dnf_mark_is_of_earlier_boot(void) {
    _cleanup_free_ char *text = NULL;
    char id[BOOT_ID_SIZE];

    return read_file_at(AT_FDCWD, MARK, BOOT_ID_SIZE, &text, NULL) >= 0 && boot_id_read(id) >= 0 &&
           !streq(text, id);
}
