/* SPDX-License-Identifier: Apache-2.0 */
#include "basic/guid.h"

#include <stdio.h>

#include "basic/sha256.h"

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
    for (const unsigned char *p = (const unsigned char *)guid; *p; p++)
        if (*p < 0x20 || *p == 0x7f)
            return false;
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
