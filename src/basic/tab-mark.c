/* SPDX-License-Identifier: Apache-2.0 */
#include "basic/tab-mark.h"

#include <stdio.h>

#include "basic/sha256.h"

#define MARK "# dcm-volume "
#define MARK_END " wrote the next line; unmount_volume removes both, unless you edit it"
#define MARK_HEX 8 /* digits of the line's SHA-256 */

static void checksum(const char *line, size_t size, char ret[static MARK_HEX + 1]) {
    char hex[SHA256_HEX_SIZE];

    sha256_hex(line, size, hex);
    memcpy(ret, hex, MARK_HEX);
    ret[MARK_HEX] = 0;
}

int tab_mark_format(const char *line, size_t size, char **ret) {
    char hex[MARK_HEX + 1];

    checksum(line, size, hex);
    return asprintf(ret, MARK "%s" MARK_END, hex) < 0 ? -ENOMEM : 0;
}

bool tab_mark_is(const char *above, size_t above_size, const char *line, size_t size) {
    char hex[MARK_HEX + 1];

    if (above_size <= strlen(MARK) + MARK_HEX || strncmp(above, MARK, strlen(MARK)) != 0)
        return false;
    checksum(line, size > 0 && line[size - 1] == '\n' ? size - 1 : size, hex);
    return strncmp(above + strlen(MARK), hex, MARK_HEX) == 0;
}
