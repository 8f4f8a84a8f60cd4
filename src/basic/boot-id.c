/* SPDX-License-Identifier: Apache-2.0 */
#include "basic/boot-id.h"

#include <fcntl.h>

#include "basic/file-util.h"

bool boot_id_is_valid(const char *s) {
    return strlen(s) == BOOT_ID_SIZE - 1 && strspn(s, "0123456789abcdef") == BOOT_ID_SIZE - 1;
}

int boot_id_read(char ret[static BOOT_ID_SIZE]) {
    _cleanup_free_ char *text = NULL;
    size_t size, n = 0;

    TRY(read_file_at(AT_FDCWD, "/proc/sys/kernel/random/boot_id", 64, &text, &size));
    for (const char *p = text; *p && *p != '\n' && n < BOOT_ID_SIZE - 1; p++)
        if (*p != '-')
            ret[n++] = *p;
    ret[n] = 0;
    return boot_id_is_valid(ret) ? 0 : -EBADMSG;
}
