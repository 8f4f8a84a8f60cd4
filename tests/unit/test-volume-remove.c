/* SPDX-License-Identifier: Apache-2.0 */
/* Proves which volume a name means, what is unmounted, closed, stopped and removed of it, what is
 * left because somebody else made it, and how volumes are grown. */
#include "volume-machine.h"
#include "volume/find-volume.h"
#include "volume/plan-grow.h"
#include "volume/plan-remove.h"

#define FORMAT_VDB "{'formatVolume':true,'fileSystem':'xfs','devices':['vdb']}"
#define FORMAT_RAID                                                                                \
    "{'formatVolume':true,'fileSystem':'xfs','raidLevel':'RAID1','devices':['vdb','vdc']}"
#define LINE ",'fstab':[{'source':'UUID=" U1 "','target':'/data','ours':true}]"
#define FOREIGN_LINE ",'fstab':[{'source':'UUID=" U1 "','target':'/data'}]"
#define CRYPT_LINE ",'crypttab':[{'source':'UUID=" U1 "','target':'esvdb','ours':true}]"
#define CRYPT_FOREIGN ",'crypttab':[{'source':'UUID=" U1 "','target':'esvdb'}]"
#define PLAIN_VDB DISK("vdb", ",'busy':true" HOLDS("xfs", "filesystem", U1))
#define LUKS_VDB(name)                                                                             \
    DISK("vdb", HELD("dm-0") HOLDS("crypto_LUKS", "crypto", U1))                                   \
    "," OPEN(name, "vdb", NO_DASH_1, HOLDS("xfs", "filesystem", U2))
#define CRYPT_OTHER ",'crypttab':[{'source':'UUID=" U9 "','target':'esvdc','ours':true}]"
#define SEALED ",'sealed':['esvdb']"
#define FSTAB_U9 ",'fstab':[{'source':'UUID=" U9 "','target':'/data','ours':true}]"
#define CLOSED_VDB DISK("vdb", HOLDS("crypto_LUKS", "crypto", U1))
#define RAID_MEMBERS(by) DISK("vdb", MEMBER(HELD(by))) "," DISK("vdc", MEMBER(HELD(by)))
#define RAID RAID_MEMBERS("md127") "," ARRAY("clean", HOLDS("xfs", "filesystem", U2))

typedef struct Row {
    const char *name; /* of the volume */
    const char *blocks, *more;
    const char *request; /* of the record; NULL: there is none */
    bool has_key;
    const char *result; /* steps, or the code of the refusal */
} Row;

static const Row removals[] = {
    {"/data", PLAIN_VDB, MOUNTED("vdb", "/data", "xfs") LINE, FORMAT_VDB, false,
     "unmount fstab-remove"},
    {"vdb", PLAIN_VDB, MOUNTED("vdb", "/data", "xfs") LINE, FORMAT_VDB, false,
     "unmount fstab-remove"},
    {"/dev/vdb", PLAIN_VDB, MOUNTED("vdb", "/data", "xfs") LINE, FORMAT_VDB, false,
     "unmount fstab-remove"},
    {"/dev/disk/by-id/virtio-Svdb", PLAIN_VDB, MOUNTED("vdb", "/data", "xfs") LINE, FORMAT_VDB,
     false, "unmount fstab-remove"},
    {"esvdb", PLAIN_VDB, MOUNTED("vdb", "/data", "xfs") LINE, FORMAT_VDB, false,
     "unmount fstab-remove"},
    {"vdb", PLAIN_VDB, MOUNTED("vdb", "/data", "xfs"), NULL, false, "unmount"},
    {"vdb", PLAIN_VDB, MOUNTED("vdb", "/data", "xfs") FOREIGN_LINE, FORMAT_VDB, false, "unmount"},
    {"vdb", DISK("vdb", HOLDS("xfs", "filesystem", U1)), LINE, FORMAT_VDB, false, "fstab-remove"},
    {"/data", DISK("vdb", ""), LINE, NULL, false, "fstab-remove"},
    {"vdb", DISK("vdb", HOLDS("xfs", "filesystem", U1)), "", FORMAT_VDB, false, " ="},
    /* nothing is there: a repetition of what was done */
    {"vdb", DISK("vdb", ""), "", NULL, false, " ="},
    {"vdb", DISK("vdb", HOLDS("LVM2_member", "raid", "7-7")), "", NULL, false, " ="},
    {"vdb", DISK("vdb", HOLDS("xfs", "filesystem", U1)), LINE, NULL, false, "fstab-remove"},
    {"vdb", DISK("vdb", HOLDS("xfs", "filesystem", "5-5")), LINE, NULL, false, " ="},
    {"vdb", LUKS_VDB("esvdb"), "", NULL, false, "luks-close"},
    {"vdb", LUKS_VDB("vault"), "", NULL, false, " ="},
    {"vdb", LUKS_VDB("esvdb"), CRYPT_FOREIGN, NULL, false, " ="},
    {"vdb", LUKS_VDB("esvdb"), CRYPT_LINE, NULL, false, "luks-close crypttab-remove"},
    {"vdb",
     DISK("vdb", HELD("dm-0") HOLDS("crypto_LUKS", "crypto", U1)) "," OPEN(
         "esvdb", "vdb", NO_DASH_1, ",'swap':true"),
     "", NULL, false, "in-use"},
    /* our lines and the key, without a record */
    {"vdb", CLOSED_VDB, CRYPT_LINE SEALED, NULL, false, "key-remove crypttab-remove"},
    {"esvdb", CLOSED_VDB, CRYPT_LINE SEALED, NULL, false, "key-remove crypttab-remove"},
    {"vdb", CLOSED_VDB, CRYPT_OTHER SEALED, NULL, false, " ="},
    {"vdb", LUKS_VDB("esvdb"), MOUNTED("dm-0", "/data", "xfs") LINE CRYPT_LINE SEALED, NULL, false,
     "unmount luks-close fstab-remove key-remove crypttab-remove"},
    {"vdb", LUKS_VDB("esvdb"), MOUNTED("dm-0", "/data", "xfs") CRYPT_FOREIGN SEALED, NULL, false,
     "unmount"},
    {"vdb", LUKS_VDB("esvdb"), MOUNTED("dm-0", "/data", "xfs") LINE CRYPT_LINE SEALED, FORMAT_VDB,
     true, "unmount luks-close fstab-remove key-remove crypttab-remove"},
    {"/data", CLOSED_VDB, FSTAB_U9 CRYPT_LINE SEALED, FORMAT_VDB, true,
     "fstab-remove key-remove crypttab-remove"},
    {"/data", CLOSED_VDB, FSTAB_U9 CRYPT_LINE SEALED, NULL, false, "fstab-remove"},
    {"/data", DISK("vdb", ""), ",'place_type':'empty'", NULL, false, " ="},
    {"/data", DISK("vdb", ""), ",'place_type':'full'", NULL, false, " ="},
    {"/data", PLAIN_VDB,
     ",'mounts':[" ROOT_MOUNT ",{'source':'server:/x','target':'/data','fs_type':'nfs'}],"
     "'place_type':'mount-point'",
     NULL, false, "missing"},
    {"/data", DISK("vdb", ""), ",'place_type':'absent'", NULL, false, "missing"},
    {"/data", DISK("vdb", ""), ",'place_type':'link'", NULL, false, "missing"},
    {"/other", DISK("vdb", ""), ",'place_type':'empty'", NULL, false, "missing"},
    {"/dev/notreal", DISK("vdb", ""), "", NULL, false, "missing"},
    {"", DISK("vdb", ""), "", NULL, false, "missing"},
    {"/dev/", DISK("vdb", ""), "", NULL, false, "missing"},
    {"/", "", "", NULL, false, "root-disk"},
    {"vda1", "", "", NULL, false, "root-disk"},
    {"vda", "", "", NULL, false, "root-disk"},
    /* names that are only a part of one */
    {"vd", PLAIN_VDB, MOUNTED("vdb", "/data", "xfs"), NULL, false, "missing"},
    {"/dat", PLAIN_VDB, MOUNTED("vdb", "/data", "xfs"), NULL, false, "missing"},
    {"es", PLAIN_VDB, MOUNTED("vdb", "/data", "xfs"), NULL, false, "missing"},
    /* a mapping */
    {"vdb", LUKS_VDB("esvdb"), MOUNTED("dm-0", "/data", "xfs") LINE CRYPT_LINE, FORMAT_VDB, true,
     "unmount luks-close fstab-remove crypttab-remove"},
    {"esvdb", LUKS_VDB("esvdb"), MOUNTED("dm-0", "/data", "xfs") LINE CRYPT_LINE, FORMAT_VDB, true,
     "unmount luks-close fstab-remove crypttab-remove"},
    {"dm-0", LUKS_VDB("esvdb"), MOUNTED("dm-0", "/data", "xfs"), NULL, false, "unmount luks-close"},
    {"vdb", LUKS_VDB("esvdb"), MOUNTED("dm-0", "/data", "xfs") CRYPT_FOREIGN, NULL, false,
     "unmount"},
    {"vdb", LUKS_VDB("vault"), MOUNTED("dm-0", "/data", "xfs"), NULL, false, "unmount"},
    {"vdb", LUKS_VDB("esvdb"), "", FORMAT_VDB, true, "luks-close"},
    {"/srv", LUKS_VDB("esvdb"),
     ",'mounts':[" ROOT_MOUNT ",{'source':'/dev/mapper/esvdb','block':'dm-0','target':'/data',"
     "'fs_type':'xfs'},{'source':'/dev/mapper/esvdb','block':'dm-0','target':'/srv','fs_type':"
     "'xfs'}]",
     NULL, false, "unmount"},
    {"vdb", LUKS_VDB("esvdb"),
     ",'mounts':[" ROOT_MOUNT ",{'source':'/dev/mapper/esvdb','block':'dm-0','target':'/data',"
     "'fs_type':'xfs'},{'source':'/dev/mapper/esvdb','block':'dm-0','target':'/srv','fs_type':"
     "'xfs'}]",
     NULL, false, "ambiguous"},
    /* an array */
    {"/data", RAID, MOUNTED("md127", "/data", "xfs"), FORMAT_RAID, false, "unmount raid-stop"},
    {"md127", RAID, MOUNTED("md127", "/data", "xfs"), FORMAT_RAID, false, "unmount raid-stop"},
    {"data", RAID, MOUNTED("md127", "/data", "xfs"), FORMAT_RAID, false, "unmount raid-stop"},
    {"vdc", RAID, MOUNTED("md127", "/data", "xfs"), FORMAT_RAID, false, "unmount raid-stop"},
    {"vdc", RAID, MOUNTED("md127", "/data", "xfs"), NULL, false, "unmount"},
    {"data", RAID_MEMBERS("md127") "," ARRAY("clean", ",'holders':['dm-4']"), "", FORMAT_RAID,
     false, "in-use"},
    /* others */
    {"vdb", PLAIN_VDB,
     ",'mounts':[" ROOT_MOUNT ",{'source':'/dev/vdb','block':'vdb','target':'/data','fs_type':"
     "'xfs'},{'source':'tmpfs','target':'/data/tmp','fs_type':'tmpfs'}]",
     NULL, false, "mounted-below"},
    {"/data", PLAIN_VDB,
     ",'mounts':[" ROOT_MOUNT ",{'source':'server:/x','target':'/data','fs_type':'nfs'}]",
     FORMAT_VDB, false, "kind"},
    {"/data",
     DISK("vdb", HOLDS("xfs", "filesystem", U1)) "," DISK("vdc", HOLDS("xfs", "filesystem", "5-5")),
     MOUNTED("vdc", "/data", "xfs"), FORMAT_VDB, false, "ambiguous"},
    {"vdb", PLAIN_VDB, MOUNTED("vdb", "/data", "xfs") LINE ",'tabs_read_only':true", FORMAT_VDB,
     false, "read-only"},
    {"vdb",
     DISK("vdb", ",'busy':true" HOLDS(
                     "gpt", "partition-table",
                     "6-6")) ",{'name':'vdb1','type':'partition','parent':'vdb','size_bytes':" GIB
                             "},{'name':'vdb2','type':'partition','parent':'vdb','size_bytes':" GIB
                             "}",
     ",'mounts':[" ROOT_MOUNT ",{'source':'/dev/vdb1','block':'vdb1','target':'/a','fs_type':"
     "'xfs'},{'source':'/dev/vdb2','block':'vdb2','target':'/b','fs_type':'xfs'}]",
     NULL, false, "ambiguous"},
};

static const Row growths[] = {
    {"vdb", PLAIN_VDB, MOUNTED("vdb", "/data", "xfs"), NULL, false, "grow-file-system"},
    {"/data", PLAIN_VDB, MOUNTED("vdb", "/data", "btrfs"), NULL, false, "grow-file-system"},
    {"vdb", PLAIN_VDB, "", FORMAT_VDB, false, "not-mounted"},
    {"vdb", PLAIN_VDB, "", NULL, false, "not-mounted"},
    {"esvdb", CLOSED_VDB, CRYPT_LINE, NULL, false, "not-mounted"},
    {"nothing", PLAIN_VDB, "", NULL, false, "missing"},
    {"vdb", PLAIN_VDB, MOUNTED("vdb", "/data", "vfat"), NULL, false, "file-system"},
    {"vdb", LUKS_VDB("esvdb"), MOUNTED("dm-0", "/data", "ext4"), NULL, true,
     "grow-luks grow-file-system"},
    {"vdb", LUKS_VDB("esvdb"), MOUNTED("dm-0", "/data", "ext4"), NULL, false, "encrypted"},
    {"md127", RAID, MOUNTED("md127", "/data", "ext4"), NULL, false, "grow-array grow-file-system"},
    {"md127", RAID_MEMBERS("md127") "," ARRAY("clean", ",'array_missing':1"),
     MOUNTED("md127", "/data", "ext4"), NULL, false, "degraded"},
    {"md127", RAID_MEMBERS("md127") "," ARRAY("clean", ",'sync_percent':7"),
     MOUNTED("md127", "/data", "ext4"), NULL, false, "in-use"},
    {"md9", "{'name':'md9','type':'array','size_bytes':" GIB ",'array_level':'raid0'}",
     MOUNTED("md9", "/data", "ext4"), NULL, false, "level"},
    {"vdb1",
     DISK("vdb", "") ",{'name':'vdb1','type':'partition','parent':'vdb','size_bytes':" GIB "}",
     MOUNTED("vdb1", "/data", "ext4"), NULL, false, "partition"},
    {"dm-1", "{'name':'dm-1','type':'logical','dm_name':'vg-lv','size_bytes':" GIB "}",
     MOUNTED("dm-1", "/data", "ext4"), NULL, false, "kind"},
    {"/", "", "", NULL, false, "root-disk"},
};

static void make_record(const Row *row, Plan *ret) {
    _cleanup_(facts_done) Facts f = {};
    _cleanup_(volume_request_done) VolumeRequest q = {};
    _cleanup_(refusal_done) Refusal refusal = {};
    unsigned n = 0;

    request_make(row->request, row->has_key, &q);
    machine_make(DISK("vdb", "") "," DISK("vdc", ""), "", "/data", &f);
    g_assert_cmpint(plan_mount(&f, &q, NULL, 0, next_uuid, &n, ret, &refusal), ==, 0);
    for (size_t i = 0; i < ret->n_steps; i++)
        ret->steps[i].state = STEP_DONE;
}

static void check_row(const Row *row, size_t i, bool is_growth) {
    _cleanup_(facts_done) Facts f = {};
    _cleanup_(plan_done) Plan p = {}, record = {};
    _cleanup_(refusal_done) Refusal refusal = {};
    g_autofree char *text = NULL;
    int r;

    machine_make(row->blocks, row->more, "/data", &f);
    if (row->request)
        make_record(row, &record);
    r = is_growth
            ? plan_grow(&f, row->name, row->has_key, &record, row->request != NULL, &p, &refusal)
            : plan_remove(&f, row->name, &record, row->request != NULL, &p, &refusal);
    g_assert_cmpint(r, >=, 0);
    text = r == 1 ? g_strdup(refusal.code) : plan_to_text(&p);
    if (!streq(text, row->result))
        g_error("%s %zu, %s: %s, not %s; %s", is_growth ? "growth" : "removal", i, row->name, text,
                row->result, strempty(refusal.text));
    if (r == 0 && !is_growth)
        g_assert_cmpstr(p.id, ==, record.id);
}

static void test_removals(void) {
    for (size_t i = 0; i < ELEMENTSOF(removals); i++)
        check_row(&removals[i], i, false);
}

static void test_growths(void) {
    for (size_t i = 0; i < ELEMENTSOF(growths); i++)
        check_row(&growths[i], i, true);
}

/* A key that was sealed goes with the volume. */
static void test_key(void) {
    static const Row row = {"vdb",
                            LUKS_VDB("esvdb"),
                            "",
                            "{'formatVolume':true,'fileSystem':'xfs','devices':['vdb'],"
                            "'unlock_at_boot':true}",
                            true,
                            "luks-close key-remove"};

    check_row(&row, 0, false);
}

/* Whichever of two requests for one volume has sealed the key, and whichever record is read first.
 */
static void test_two_records(void) {
    static const Row with_key = {"/data",
                                 CLOSED_VDB,
                                 FSTAB_U9 CRYPT_LINE,
                                 "{'formatVolume':true,'fileSystem':'xfs','devices':['vdb'],"
                                 "'unlock_at_boot':true}",
                                 true,
                                 NULL},
                     without = {"/data", NULL, NULL, FORMAT_VDB, true, NULL};

    for (unsigned first = 0; first < 2; first++) {
        _cleanup_(facts_done) Facts f = {};
        _cleanup_(plan_done) Plan p = {}, a = {}, b = {};
        _cleanup_(refusal_done) Refusal refusal = {};
        g_autofree char *text = NULL;

        make_record(&with_key, &a);
        make_record(&without, &b);
        machine_make(with_key.blocks, with_key.more, "/data", &f);
        g_assert_true(record_is_same(&a, &b));
        g_assert_cmpint(
            plan_remove(&f, "/data", (Plan[]){first ? b : a, first ? a : b}, 2, &p, &refusal), ==,
            0);
        text = plan_to_text(&p);
        g_assert_cmpstr(text, ==, "fstab-remove key-remove crypttab-remove");
    }
}

/* What the plan cannot know, it says. */
static void test_closed(void) {
    static const struct {
        const char *name, *more, *words;
    } rows[] = {{"/data", FSTAB_U9 CRYPT_LINE, "our line for esvdb, which is closed"},
                {"vdb", FSTAB_U9 CRYPT_LINE, "our line for /data, whose file system is not there"}};

    for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
        _cleanup_(facts_done) Facts f = {};
        _cleanup_(plan_done) Plan p = {};
        _cleanup_(refusal_done) Refusal refusal = {};

        machine_make(CLOSED_VDB, rows[i].more, "/data", &f);
        g_assert_cmpint(plan_remove(&f, rows[i].name, NULL, 0, &p, &refusal), ==, 0);
        g_assert_nonnull(p.notes);
        g_assert_nonnull(strstr(p.notes[0], rows[i].words));
    }
}

/* A removal that was cut, of a volume without a record: its own leads to what is left. */
static void test_cut_removal(void) {
    _cleanup_(facts_done) Facts mounted = {}, left = {};
    _cleanup_(plan_done) Plan first = {}, second = {};
    _cleanup_(refusal_done) Refusal refusal = {};
    static const char *const names[] = {"/data", "vdb"};

    machine_make(LUKS_VDB("esvdb"), MOUNTED("dm-0", "/data", "xfs"), "/data", &mounted);
    machine_make(LUKS_VDB("esvdb"), "", "/data", &left);
    g_assert_cmpint(plan_remove(&mounted, "/data", NULL, 0, &first, &refusal), ==, 0);
    for (size_t i = 0; i < ELEMENTSOF(names); i++) {
        g_autofree char *text = NULL;

        g_assert_cmpint(plan_remove(&left, names[i], &first, 1, &second, &refusal), ==, 0);
        text = plan_to_text(&second);
        g_assert_cmpstr(text, ==, "luks-close");
        plan_done(&second);
    }
}

int main(int argc, char *argv[]) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/volume-remove/removals", test_removals);
    g_test_add_func("/volume-remove/growths", test_growths);
    g_test_add_func("/volume-remove/key", test_key);
    g_test_add_func("/volume-remove/two-records", test_two_records);
    g_test_add_func("/volume-remove/closed", test_closed);
    g_test_add_func("/volume-remove/cut-removal", test_cut_removal);
    return g_test_run();
}
