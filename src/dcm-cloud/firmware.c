/* SPDX-License-Identifier: Apache-2.0 */
/* Only world-readable files. */
#include "dcm-cloud/firmware.h"

#include <fcntl.h>
#include <stdio.h>

#include "basic/bounds.h"
#include "basic/file-util.h"

static const struct Mark {
    const char *file, *begins, *type;
} marks[] = {
    {"product_name", "SmartDC", "Joyent"},
    {"product_name", "OpenStack", "OpenStack"},
    {"chassis_asset_tag", "OpenStack", "OpenStack"},
    {"product_name", "CloudStack", "CloudStack"},
    {"sys_vendor", "Apache Software Foundation", "CloudStack"},
    {"sys_vendor", "Amazon EC2", "Amazon"},
    {"bios_vendor", "Amazon EC2", "Amazon"},
    {"product_name", "Google", "Google"},
    {"sys_vendor", "DigitalOcean", "DigitalOcean"},
    /* Microsoft's tag, on each machine of Azure and on no other Hyper-V */
    {"chassis_asset_tag", "7783-7084-3265-9085-8269-3286-77", "Azure"},
};

static bool begins(const char *root, const struct Mark *mark) {
    _cleanup_free_ char *path = NULL, *text = NULL;

    return asprintf(&path, "%s/sys/class/dmi/id/%s", root, mark->file) >= 0 &&
           read_file_at(AT_FDCWD, path, CLOUD_VALUE_MAX, &text, NULL) >= 0 &&
           strncmp(text, mark->begins, strlen(mark->begins)) == 0;
}

const char *firmware_find_cloud(const char *root) {
    for (size_t i = 0; i < ELEMENTSOF(marks); i++)
        if (begins(root, &marks[i]))
            return marks[i].type;
    return NULL;
}
