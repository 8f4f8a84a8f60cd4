/* SPDX-License-Identifier: Apache-2.0 */
#include "backup/content.h"

#define TAR_NAME_MAX ((size_t)100)

static const struct {
    ContentType type;
    const char *name;
    size_t offset, size;
    const char *magic;
} types[] = {
    {CONTENT_AGE, "age", 0, 22, "age-encryption.org/v1\n"},
    {CONTENT_ZSTD, "zstd", 0, 4, "\x28\xb5\x2f\xfd"},
    {CONTENT_ZSTD_OURS, "zstd", 0, 20, "P\x2aM\x18\x0c\0\0\0dcm-backup/1"},
    {CONTENT_ZIP, "zip", 0, 4, "PK\003\004"},
    {CONTENT_ZIP, "zip", 0, 4, "PK\005\006"}, /* one without members */
    {CONTENT_GZIP, "gzip", 0, 2, "\x1f\x8b"},
    {CONTENT_TAR, "tar", 257, 5, "ustar"},
};

ContentType content_type_of(const void *data, size_t size) {
    for (size_t i = 0; i < ELEMENTSOF(types); i++)
        if (size >= types[i].offset + types[i].size &&
            memcmp((const char *)data + types[i].offset, types[i].magic, types[i].size) == 0)
            return types[i].type;
    return CONTENT_OTHER;
}

/* The first entry can be one with attributes, which GNU tar calls ./PaxHeaders/. there, but
 * ./PaxHeaders/NAME where it belongs to a directory of the root. */
bool content_is_root(const void *data, size_t size) {
    static const char attributes[] = "./PaxHeaders";
    const char *name = data;
    const size_t n = strnlen(name, MIN(size, TAR_NAME_MAX));

    if (n == 2)
        return memcmp(name, "./", 2) == 0;
    return n > sizeof(attributes) && memcmp(name, attributes, strlen(attributes)) == 0 &&
           memcmp(name + n - 2, "/.", 2) == 0;
}

const char *content_type_name(ContentType type) {
    for (size_t i = 0; i < ELEMENTSOF(types); i++)
        if (types[i].type == type)
            return types[i].name;
    return "other";
}
