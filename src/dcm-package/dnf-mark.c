/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-package/dnf-mark.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/boot-id.h"
#include "basic/file-util.h"
#include "basic/log.h"
#include "dcm-package/write-out.h"

/* As little as possible stays: the directory goes with the mark. */
#define DIRECTORY "/var/lib/dcm-packages"
#define MARK DIRECTORY "/changing" /* has the id of the boot */

int dnf_mark_set(void) {
    char id[BOOT_ID_SIZE];

    if (dnf_mark_is_of_earlier_boot())
        return 0; /* what it stands for was not repaired */
    TRY(boot_id_read(id));
    if (mkdir(DIRECTORY, 0700) < 0 && errno != EEXIST)
        return -errno;
    return write_file_alone(MARK, id, strlen(id), 0600);
}

void dnf_mark_clear(void) {
    if (access(DIRECTORY, F_OK) < 0)
        return;
    write_out();
    if ((unlink(MARK) < 0 && errno != ENOENT) || rmdir(DIRECTORY) < 0)
        (void)log_warning_errno(errno,
                                "Cannot remove " MARK "; after the next boot the packages of the "
                                "last change are installed again: %m");
}

bool dnf_mark_is_of_earlier_boot(void) {
    _cleanup_free_ char *text = NULL;
    char id[BOOT_ID_SIZE];

    return read_file_at(AT_FDCWD, MARK, BOOT_ID_SIZE, &text, NULL) >= 0 && boot_id_read(id) >= 0 &&
           !streq(text, id);
}
