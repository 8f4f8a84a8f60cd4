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

/* UUIDs that the planner has chosen for a record: array, LUKS and file system, as far as there are
 * any, in this order. */
#define U1 "00000000-0000-0000-0000-000000000001"
#define U2 "00000000-0000-0000-0000-000000000002"
#define U3 "00000000-0000-0000-0000-000000000003"
#define U9 "00000000-0000-0000-0000-000000000009"
#define OPEN(name, raw, uuid, more)                                                                \
    "{'name':'dm-0','type':'crypt','size_bytes':" GIB ",'slaves':['" raw "'],'dm_name':'" name     \
    "','dm_uuid':'CRYPT-LUKS2-" uuid "-" name "','links':['mapper/" name "']" more "}"
#define NO_DASH_1 "00000000000000000000000000000001"
#define MD_1 "00000000:00000000:00000000:00000001"
#define MEMBER(more)                                                                               \
    HOLDS("linux_raid_member", "raid", U1) ",'member_level':'raid1','member_disks':2" more
#define ARRAY(state, more)                                                                         \
    "{'name':'md127','type':'array','size_bytes':" GIB ",'slaves':['vdb','vdc'],"                  \
    "'array_level':'raid1','array_state':'" state "','array_uuid':'" MD_1                          \
    "','array_disks':2,'links':['md/data']" more "}"
#define HELD(by) ",'busy':true,'holders':['" by "']"
#define MOUNTED(block, target, fs)                                                                 \
    ",'mounts':[" ROOT_MOUNT ",{'source':'/dev/" block "','block':'" block "','target':'" target   \
    "','fs_type':'" fs "'}]"

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
    g_autofree char *text =
        g_strdup_printf("{'blocks':[" ROOT_DISK "%s%s]%s,'place':'%s'%s%s%s}", *blocks ? "," : "",
                        blocks, strstr(more, "'programs'") ? "" : "," PROGRAMS, place,
                        strstr(more, "'place_type'") ? "" : ",'place_type':'absent'",
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

/* A machine, a request, and what the planner makes of them. */
typedef struct Case {
    const char *name;
    const char *blocks;
    const char *more;
    const char *request;
    bool has_key;
    const char *result; /* the steps, or the code of the refusal */
    const char *text;   /* a part of the refusal */
} Case;

static inline void case_run(gconstpointer data) {
    const Case *c = data;
    _cleanup_(facts_done) Facts f = {};
    _cleanup_(volume_request_done) VolumeRequest q = {};
    _cleanup_(plan_done) Plan p = {};
    _cleanup_(refusal_done) Refusal refusal = {};
    g_autofree char *text = NULL;
    unsigned n = 0;
    int r;

    request_make(c->request, c->has_key, &q);
    machine_make(c->blocks, c->more, q.mount_point, &f);
    r = plan_mount(&f, &q, NULL, 0, next_uuid, &n, &p, &refusal);
    g_assert_cmpint(r, >=, 0);
    text = r == 1 ? g_strdup(refusal.code) : plan_to_text(&p);
    if (r == 1)
        g_test_message("%s", refusal.text);
    g_assert_cmpstr(text, ==, c->result);
    if (c->text && !strstr(refusal.text, c->text))
        g_error("%s: no \"%s\" in: %s", c->name, c->text, refusal.text);
}

static inline void cases_add(const char *prefix, const Case *cases, size_t n) {
    for (size_t i = 0; i < n; i++) {
        g_autofree char *path = g_strdup_printf("%s/%s", prefix, cases[i].name);

        g_test_add_data_func(path, &cases[i], case_run);
    }
}
