/* SPDX-License-Identifier: Apache-2.0 */
/* Proves what the planner decides on machines of every kind that its rules name: one row for each,
 * with the steps that it plans, or the code of the refusal and a part of its text. */
#include "volume-machine.h"

#define FORMAT(fs, more)                                                                           \
    "{'formatVolume':true,'fileSystem':'" fs "','raidLevel':'NONE','devices':['vdb']" more "}"
#define EXISTING(fs, more)                                                                         \
    "{'formatVolume':false,'fileSystem':'" fs "','raidLevel':'NONE','devices':['vdb']" more "}"
#define UUID1 "00000000-0000-0000-0000-000000000001"

typedef struct Case {
    const char *name;
    const char *blocks;
    const char *more;
    const char *request;
    bool has_key;
    const char *result; /* the steps, or the code of the refusal */
    const char *text;   /* a part of the refusal */
} Case;

static const Case cases[] = {
    {"plain", DISK("vdb", ""), "", FORMAT("ext4", ""), false, "format directory fstab mount", NULL},
    {"plain, not persistent", DISK("vdb", ""), "", FORMAT("xfs", ",'persistent':false"), false,
     "format directory mount", NULL},
    {"encrypted", DISK("vdb", ""), "", FORMAT("xfs", ""), true,
     "luks-format luks-open format crypttab directory fstab mount", NULL},
    {"encrypted, unlocked at boot", DISK("vdb", ""), "", FORMAT("xfs", ",'unlock_at_boot':true"),
     true, "luks-format luks-open format seal-key crypttab directory fstab mount", NULL},
    {"empty directory", DISK("vdb", ""), ",'place_type':'empty'", FORMAT("btrfs", ""), false,
     "format fstab mount", NULL},
    {"holds something", DISK("vdb", HOLDS("ext4", "filesystem", "2-2")), "", FORMAT("ext4", ""),
     false, "signature", "ext4, UUID 2-2"},
    {"holds something, force", DISK("vdb", HOLDS("ext4", "filesystem", "2-2")), "",
     FORMAT("ext4", ",'force':true"), false, "wipe format directory fstab mount", NULL},
    {"existing", DISK("vdb", HOLDS("ext4", "filesystem", "2-2")), "", EXISTING("ext4", ""), false,
     "directory fstab mount", NULL},
    {"existing, another file system", DISK("vdb", HOLDS("xfs", "filesystem", "2-2")), "",
     EXISTING("ext4", ""), false, "file-system", "holds xfs, UUID 2-2, not ext4"},
    {"existing, closed", DISK("vdb", HOLDS("crypto_LUKS", "crypto", "2-2")), "",
     EXISTING("ext4", ""), true, "luks-open ...", NULL},
    {"existing, without key", DISK("vdb", HOLDS("crypto_LUKS", "crypto", "2-2")), "",
     EXISTING("ext4", ""), false, "encrypted", "encryptedFsEncryptionKey"},
    {"key, but no LUKS", DISK("vdb", HOLDS("ext4", "filesystem", "2-2")), "", EXISTING("ext4", ""),
     true, "not-encrypted", NULL},
    {"missing", DISK("vdc", ""), "", FORMAT("ext4", ""), false, "missing", "vda (root disk), vdc"},
    {"root disk", "", "",
     "{'formatVolume':true,'fileSystem':'ext4','devices':['vda'],'force':true}", false, "root-disk",
     NULL},
    {"partition of the root disk", "", "",
     "{'formatVolume':true,'fileSystem':'ext4','devices':['/dev/vda1'],'force':true}", false,
     "root-disk", NULL},
};

static void run_case(gconstpointer data) {
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

int main(int argc, char *argv[]) {
    g_test_init(&argc, &argv, NULL);
    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        g_autofree char *path = g_strdup_printf("/volume-plan/%s", cases[i].name);

        g_test_add_data_func(path, &cases[i], run_case);
    }
    return g_test_run();
}
