/* SPDX-License-Identifier: Apache-2.0 */
#include "basic/guid.h"

#include <stdio.h>

#include "basic/sha256.h"
#include "basic/utf8.h"

static bool is_plain(const char *guid) {
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    size_t size = strlen(guid);

    return size <= GUID_PLAIN_MAX && strspn(guid, allowed) == size && guid[0] != '.' &&
           strncmp(guid, "h-", 2) != 0;
}

bool guid_is_valid(const char *guid) {
    size_t size = strnlen(guid, GUID_SIZE_MAX + 1);

    if (size == 0 || size > GUID_SIZE_MAX)
        return false;
    for (size_t n; size > 0; guid += n, size -= n) {
        uint32_t c;

        n = utf8_decode(guid, size, &c);
        if (n == 0 || c < 0x20 || c == 0x7f || utf8_is_noncharacter(c))
            return false;
    }
    return true;
}

void guid_to_job_name(const char *guid, char ret[static JOB_NAME_SIZE]) {
    if (is_plain(guid)) {
        memcpy(ret, guid, strlen(guid) + 1);
        return;
    }
    ret[0] = 'h';
    ret[1] = '-';
    sha256_hex(guid, strlen(guid), ret + 2);
}

void guid_to_unit_name(const char *guid, char ret[static JOB_UNIT_SIZE]) {
    char name[JOB_NAME_SIZE];

    guid_to_job_name(guid, name);
    (void)snprintf(ret, JOB_UNIT_SIZE, "dcm-job-%s.service", name);
}

void guid_to_fetch_unit_name(const char *guid, char ret[static FETCH_UNIT_SIZE]) {
    char name[JOB_NAME_SIZE];

    guid_to_job_name(guid, name);
    (void)snprintf(ret, FETCH_UNIT_SIZE, "dcm-fetch-%s.service", name);
}
