/* SPDX-License-Identifier: Apache-2.0 */
#include "job/reboot.h"

#include <signal.h>

#include "basic/boot-id.h"
#include "basic/file-util.h"
#include "proto/message.h"

bool reboot_may_follow(const ExitRecord *r) {
    if (r->reason != EXIT_REASON_NONE)
        return false;
    return r->kind == EXIT_KIND_KILLED
               ? r->status == SIGTERM || r->status == SIGKILL || r->status == SIGHUP
               : r->kind == EXIT_KIND_EXITED && r->status == 0;
}

static int make_reply(const char *former, const char *now, struct json_object **ret) {
    _cleanup_json_ struct json_object *o = json_object_new_object();

    if (!o)
        return -ENOMEM;
    TRY(json_add_string(o, "former_boot_id", former));
    TRY(json_add_string(o, "boot_id", now));
    return reply_new(0, "server_reboot", TAKE_PTR(o), "The server has rebooted.", NULL, ret);
}

int reboot_reply(int dir_fd, struct json_object **ret) {
    char former[BOOT_ID_SIZE], now[BOOT_ID_SIZE];
    _cleanup_free_ char *text = NULL;
    size_t size;
    int r;

    r = read_file_at(dir_fd, "exit", EXIT_RECORD_MAX, &text, &size);
    if (r < 0)
        return r == -ENOENT || r == -EFBIG ? 0 : r;
    exit_record_get_boot_id(text, size, former);
    if (isempty(former) || boot_id_read(now) < 0 || streq(former, now))
        return 0;
    TRY(make_reply(former, now, ret));
    return 1;
}

int reboot_reply_missing(struct json_object **ret) {
    return reply_new(1, "void", NULL, NULL,
                     "The reboot was ordered, but the server has not rebooted within 15 minutes. "
                     "What holds the shutdown up: systemctl list-jobs, journalctl -b",
                     ret);
}
