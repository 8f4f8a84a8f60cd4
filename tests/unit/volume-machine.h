/* SPDX-License-Identifier: Apache-2.0 */
/* Machines, requests and plans as short texts, for tests of the planner. JSON is written with ' in
 * place of ". */
#pragma once

#include <glib.h>

#include "volume/plan-mount.h"

#define GIB "1073741824"

/* A blank disk of 10 GiB, with what else is said of it. */
#define DISK(name, more)                                                                           \
    "{'name':'" name "','type':'disk','size_bytes':10737418240,'serial':'S" name                   \
    "','links':['disk/by-id/virtio-S" name "']" more "}"
#define SIGNATURE(type, usage, uuid) "{'type':'" type "','usage':'" usage "','uuid':'" uuid "'}"
#define HOLDS(type, usage, uuid) ",'signatures':[" SIGNATURE(type, usage, uuid) "]"
#define ROOT_DISK                                                                                  \
    DISK("vda", ",'is_root':true,'busy':true" HOLDS("gpt", "partition-table", "0-0"))              \
    ","                                                                                            \
    "{'name':'vda1','type':'partition','size_bytes':9737418240,'parent':'vda','is_root':true,"     \
    "'busy':true" HOLDS("ext4", "filesystem", "1-1") "}"
#define ROOT_MOUNT "{'source':'/dev/vda1','block':'vda1','target':'/','fs_type':'ext4'}"
#define PROGRAMS                                                                                   \
    "'programs':['mdadm','cryptsetup','mkfs.ext3','mkfs.ext4','mkfs.xfs','mkfs.btrfs',"            \
    "'systemd-creds','resize2fs','xfs_growfs','btrfs']"

static inline struct json_object *json_of(const char *text) {
    g_autofree char *copy = g_strdelimit(g_strdup(text), "'", '"');
    struct json_object *o = NULL;
    int r = json_parse_stored(copy, strlen(copy), &o);

    if (r < 0)
        g_error("%s: %s", g_strerror(-r), copy);
    return o;
}

/* `blocks` besides the root disk; `more`: further keys of the facts, each after a comma. */
static inline void machine_make(const char *blocks, const char *more, const char *place,
                                Facts *ret) {
    g_autofree char *text = g_strdup_printf(
        "{'blocks':[" ROOT_DISK "%s%s]," PROGRAMS ",'place':'%s'%s%s%s}", *blocks ? "," : "",
        blocks, place, strstr(more, "'place_type'") ? "" : ",'place_type':'absent'",
        strstr(more, "'mounts'") ? "" : ",'mounts':[" ROOT_MOUNT "]", more);
    _cleanup_json_ struct json_object *o = json_of(text);

    if (facts_from_json(o, ret) < 0)
        g_error("not facts: %s", text);
}

static inline void request_make(const char *text, bool has_key, VolumeRequest *ret) {
    _cleanup_json_ struct json_object *o = json_of(text);
    char *problem = NULL;

    if (volume_request_parse(o, "/data", has_key, ret, &problem) < 0)
        g_error("not a request: %s: %s", text, problem);
}

/* 00000000-0000-0000-0000-000000000001 and so on. */
static inline int next_uuid(void *userdata, char ret[static 37]) {
    g_snprintf(ret, 37, "00000000-0000-0000-0000-%012u", ++*(unsigned *)userdata);
    return 0;
}

/* "raid-create format+ mount ..." : + done, ~ begun, ! wiped first, ... more to come, = complete */
static inline char *plan_to_text(const Plan *p) {
    GString *s = g_string_new(NULL);

    for (size_t i = 0; i < p->n_steps; i++) {
        static const char marks[][2] = {"", "~", "+"};

        g_string_append_printf(s, "%s%s%s%s", i > 0 ? " " : "",
                               step_type_to_string(p->steps[i].type), marks[p->steps[i].state],
                               p->steps[i].wipe_first ? "!" : "");
    }
    g_string_append(s, p->more ? " ..." : p->complete ? " =" : "");
    return g_string_free(s, FALSE);
}
