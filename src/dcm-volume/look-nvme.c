/* SPDX-License-Identifier: Apache-2.0 */
/* NVM Express base specification 2.0, 5.17.2.1 (Identify Controller): vendor id in bytes 0 and 1,
 * vendor specific from byte 3072. There Amazon has the name in 32 bytes, padded with blanks, with
 * or without /dev/ ("Identify the EBS device" in the EC2 User Guide). */
#include "dcm-volume/look-nvme.h"

#include <linux/nvme_ioctl.h>
#include <sys/ioctl.h>

#define ADMIN_IDENTIFY 0x06
#define IDENTIFY_CONTROLLER 1
#define TIMEOUT_MSEC 5000
#define VENDOR_AMAZON 0x1d0f
#define NAME_OFFSET 3072
#define NAME_SIZE 32

static bool is_name_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
}

int nvme_parse_identify(const uint8_t answer[static NVME_IDENTIFY_SIZE], char **ret) {
    static const char dev[] = "/dev/";
    char text[NAME_SIZE + 1] = "";
    const char *name = text;
    size_t size = 0;

    *ret = NULL;
    if ((answer[0] | answer[1] << 8) != VENDOR_AMAZON)
        return 0;
    memcpy(text, answer + NAME_OFFSET, NAME_SIZE);
    if (strncmp(name, dev, strlen(dev)) == 0)
        name += strlen(dev);
    while (is_name_character(name[size]))
        size++;
    /* anything but padding behind it: this is no name */
    if (size == 0 || name[size + strspn(name + size, " ")] != '\0')
        return 0;
    *ret = strndup(name, size);
    return *ret ? 0 : -ENOMEM;
}

int nvme_wanted_name(int fd, Block *b) {
    uint8_t answer[NVME_IDENTIFY_SIZE] __attribute__((aligned(NVME_IDENTIFY_SIZE))) = {};
    struct nvme_admin_cmd command = {
        .opcode = ADMIN_IDENTIFY,
        .addr = (uintptr_t)answer,
        .data_len = sizeof(answer),
        .cdw10 = IDENTIFY_CONTROLLER,
        .timeout_ms = TIMEOUT_MSEC,
    };
    int r;

    if (b->type != BLOCK_DISK || strncmp(b->name, "nvme", 4) != 0 ||
        strncmp(strempty(b->model), "Amazon", 6) != 0)
        return 0;
    r = ioctl(fd, NVME_IOCTL_ADMIN_CMD, &command);
    if (r != 0)
        return r < 0 ? -errno : -EIO; /* positive: a status of NVMe */
    return nvme_parse_identify(answer, &b->wanted_name);
}
