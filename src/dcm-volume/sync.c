/* SPDX-License-Identifier: Apache-2.0 */
/* md.rst of the kernel documents the files. sync_completed wakes up those who poll(2) it when it
 * has come some way, and when it has ended; that it was missed costs one interval. */
#include "dcm-volume/sync.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "basic/fd-util.h"
#include "basic/file-util.h"
#include "dcm-volume/progress.h"

#define TEXT_MAX ((size_t)256)
#define LOOK_MSEC 2000

static int read_line(const char *directory, const char *file, char ret[static TEXT_MAX]) {
    _cleanup_free_ char *text = NULL;
    char path[512];

    if (snprintf(path, sizeof(path), "%s/%s", directory, file) >= (int)sizeof(path))
        return -ENAMETOOLONG;
    TRY(read_file_at(AT_FDCWD, path, TEXT_MAX - 1, &text, NULL));
    (void)snprintf(ret, TEXT_MAX, "%.*s", (int)strcspn(text, "\n"), text);
    return 0;
}

static unsigned read_number(const char *directory, const char *file) {
    char line[TEXT_MAX];

    return read_line(directory, file, line) < 0 ? 0 : (unsigned)strtoul(line, NULL, 10);
}

static SyncAction action_from_text(const char *text) {
    static const struct {
        const char *text;
        SyncAction action;
    } actions[] = {{"resync", SYNC_RESYNC}, {"recover", SYNC_RECOVER}, {"reshape", SYNC_RESHAPE}};

    for (size_t i = 0; i < ELEMENTSOF(actions); i++)
        if (streq(text, actions[i].text))
            return actions[i].action;
    return SYNC_NONE;
}

int sync_read(const char *directory, SyncState *ret) {
    unsigned long long done, all;
    char line[TEXT_MAX];
    int r;

    *ret = (SyncState){.percent = -1,
                       .n_disks = read_number(directory, "raid_disks"),
                       .n_missing = read_number(directory, "degraded")};
    if (access(directory, F_OK) < 0)
        return -errno;
    r = read_line(directory, "sync_action", line);
    if (r == -ENOENT) /* of RAID 0 */
        return 0;
    TRY(r);
    ret->action = action_from_text(line);
    if (read_line(directory, "sync_completed", line) >= 0 &&
        sscanf(line, "%llu / %llu", &done, &all) == 2 && all > 0)
        ret->percent = (int)(MIN(done, all) * 100 / all);
    return 0;
}

/* --- words ---------------------------------------------------------------------------------- */

static const char *describe(SyncAction action) {
    switch (action) {
    case SYNC_RECOVER:
        return "being rebuilt";
    case SYNC_RESHAPE:
        return "being reshaped";
    default:
        return "being synchronised";
    }
}

static int add_line(Reply *reply, char *text) {
    _cleanup_free_ char *line = text;

    return line ? reply_add_line(reply, line) : -ENOMEM;
}

static int report(const char *device, const SyncState *s, Reply *reply) {
    char percent[32] = "";
    char *text;

    if (s->action == SYNC_NONE)
        return 0;
    if (s->percent >= 0)
        (void)snprintf(percent, sizeof(percent), " (%d %%)", s->percent);
    return add_line(reply, asprintf(&text,
                                    "The array %s is %s%s. The volume can be used, but until that "
                                    "has ended the loss of a disk may be a loss of data; "
                                    "list_devices says how far it is",
                                    device, describe(s->action), percent) < 0
                               ? NULL
                               : text);
}

static int report_end(const char *device, const SyncState *s, Reply *reply) {
    char *text;
    int n = s->n_missing > 0
                ? asprintf(&text,
                           "The array %s lacks %u of its %u disks: it has lost them while "
                           "it was being synchronised",
                           device, s->n_missing, s->n_disks)
                : asprintf(&text, "The array %s is synchronised", device);

    return add_line(reply, n < 0 ? NULL : text);
}

/* --- arrays --------------------------------------------------------------------------------- */

static int find_directory(const char *device, char ret[static 512]) {
    _cleanup_free_ char *real = realpath(device, NULL);

    if (!real)
        return -errno;
    (void)snprintf(ret, 512, "/sys/class/block/%.255s/md", strrchr(real, '/') + 1);
    return 0;
}

int sync_report(const char *device, Reply *reply) {
    char directory[512];
    SyncState s;

    if (find_directory(device, directory) < 0 || sync_read(directory, &s) < 0)
        return 0; /* it is mounted; that is what the reply is about */
    return report(device, &s, reply);
}

/* What poll(2) waits for is a change since the file was read. */
static void wait_for_change(const char *directory) {
    char path[512], text[64];
    _cleanup_close_ int fd = -1;
    struct pollfd polled;

    (void)snprintf(path, sizeof(path), "%.490s/sync_completed", directory);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    polled = (struct pollfd){.fd = fd, .events = POLLPRI};
    if (fd >= 0)
        (void)!read(fd, text, sizeof(text));
    (void)poll(&polled, 1, LOOK_MSEC);
}

int sync_follow_directory(const char *directory, const char *device, Reply *reply) {
    bool was_running = false;
    SyncState s;

    progress_step(0, 1, "synchronising the array");
    for (;;) {
        TRY(sync_read(directory, &s));
        if (s.action == SYNC_NONE)
            break;
        was_running = true;
        if (s.percent >= 0)
            progress_part((unsigned)s.percent, 100);
        wait_for_change(directory);
    }
    return was_running ? report_end(device, &s, reply) : 0;
}

int sync_follow(const char *device, Reply *reply) {
    char directory[512];
    int r = find_directory(device, directory);

    if (r >= 0)
        r = sync_follow_directory(directory, device, reply);
    return r == -ENOMEM ? r : 0; /* it has gone: somebody has unmounted the volume meanwhile */
}
