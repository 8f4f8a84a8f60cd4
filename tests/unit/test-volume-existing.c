/* SPDX-License-Identifier: Apache-2.0 */
/* Proves what the planner makes of volumes that are there already, of mount points, and of lines in
 * fstab(5) and crypttab(5): one row for each rule; and that each file system can be had on each
 * level, with and without encryption, new and again. */
#include "volume-machine.h"

#define MOUNT(fs, more)                                                                            \
    "{'formatVolume':false,'fileSystem':'" fs "','raidLevel':'NONE','devices':['vdb']" more "}"
#define ARRAY_OF(level, devices, more)                                                             \
    "{'formatVolume':false,'fileSystem':'xfs','raidLevel':'" level "','devices':[" devices         \
    "]" more "}"
#define NEW(more)                                                                                  \
    "{'formatVolume':true,'fileSystem':'ext4','raidLevel':'NONE','devices':['vdb']" more "}"
#define EXT4 DISK("vdb", HOLDS("ext4", "filesystem", U9))
#define BTRFS(name, sub)                                                                           \
    DISK(name, ",'signatures':[{'type':'btrfs','usage':'filesystem','uuid':'" U9                   \
               "','sub_uuid':'" sub "'}]")
#define XFS_ON_ARRAY HOLDS("xfs", "filesystem", "7-7")
#define MEMBER_OF(level, disks, more)                                                              \
    HOLDS("linux_raid_member", "raid", U1) ",'member_level':'" level "','member_disks':" disks more
#define R1(name, more) DISK(name, MEMBER_OF("raid1", "2", more))
#define R5(name, more) DISK(name, MEMBER_OF("raid5", "3", more))
#define FSTAB(source, target, ours)                                                                \
    ",'fstab':[{'source':'" source "','target':'" target "','fs_type':'ext4','options':'" OPTIONS  \
    "','ours':" ours "}]"
#define OPTIONS "defaults,nofail,x-systemd.device-timeout=90s"
#define OWN(type, source, options)                                                                 \
    ",'fstab':[{'source':'" source "','target':'/data','fs_type':'" type "','options':'" options   \
    "','ours':true}]"
#define OWN_CRYPTTAB(options)                                                                      \
    ",'crypttab':[{'source':'UUID=" U1 "','target':'esvdb','options':'" options "','ours':true}]"
#define LOCKED "luks,noauto,nofail,headless=true"
#define UNLOCKED "luks,nofail"
#define SEALED ",'sealed':['esvdb']"
#define OPENED                                                                                     \
    DISK("vdb", HELD("dm-0") HOLDS("crypto_LUKS", "crypto", U1))                                   \
    "," OPEN("esvdb", "vdb", NO_DASH_1, ",'busy':true" HOLDS("ext4", "filesystem", U9))
#define CRYPTTAB(source, target, ours)                                                             \
    ",'crypttab':[{'source':'" source "','target':'" target "','ours':" ours "}]"
#define AT_DATA(block, fs) MOUNTED(block, "/data", fs) ",'place_type':'mount-point'"

static const Case cases[] = {
    /* arrays */
    {"array, not started", R1("vdb", "") "," R1("vdc", ""), "",
     ARRAY_OF("RAID1", "'vdb','vdc'", ""), false, "raid-assemble ...", NULL},
    {"array, running",
     R1("vdb", HELD("md127")) "," R1("vdc", HELD("md127")) "," ARRAY("clean", XFS_ON_ARRAY), "",
     ARRAY_OF("RAID1", "'vdb','vdc'", ""), false, "raid-assemble+ directory fstab mount", NULL},
    {"array, inactive",
     R1("vdb", HELD("md127")) "," R1("vdc", HELD("md127")) "," ARRAY("inactive", ""), "",
     ARRAY_OF("RAID1", "'vdb','vdc'", ""), false, "raid-assemble ...", NULL},
    {"array, mounted",
     R1("vdb", HELD("md127")) "," R1("vdc", HELD("md127")) "," ARRAY("clean", XFS_ON_ARRAY),
     AT_DATA("md127", "xfs") OWN("xfs", "UUID=7-7", OPTIONS), ARRAY_OF("RAID1", "'vdb','vdc'", ""),
     false, "raid-assemble+ fstab+ mount+ =", NULL},
    {"array of another level", R1("vdb", "") "," R1("vdc", ""), "",
     ARRAY_OF("RAID0", "'vdb','vdc'", ""), false, "level", "is raid1, but the request says raid0"},
    {"array of a level that was not read",
     DISK("vdb", HOLDS("linux_raid_member", "raid", U1)) "," DISK(
         "vdc", HOLDS("linux_raid_member", "raid", U1)),
     "", ARRAY_OF("RAID0", "'vdb','vdc'", ""), false, "unreadable", "superblock"},
    {"one of two arrays", R1("vdb", "") "," DISK("vdc", HOLDS("linux_raid_member", "raid", "5-5")),
     "", ARRAY_OF("RAID1", "'vdb','vdc'", ""), false, "not-member", "UUID 5-5"},
    {"no member", R1("vdb", "") "," DISK("vdc", ""), "", ARRAY_OF("RAID1", "'vdb','vdc'", ""),
     false, "not-member", "vdc (10.0 GiB, serial Svdc) holds nothing"},
    {"a member without its level", R1("vdb", ""), "", MOUNT("xfs", ""), false, "raid-member",
     "name its level"},
    {"a member is not named", R1("vdb", "") "," R1("vdc", ""), "", ARRAY_OF("RAID1", "'vdb'", ""),
     false, "incomplete", "vdc is also a member"},
    {"degraded", R1("vdb", ""), "", ARRAY_OF("RAID1", "'vdb'", ""), false, "degraded",
     "1 of its 2 disks"},
    {"degraded, allowed", R1("vdb", ""), "", ARRAY_OF("RAID1", "'vdb'", ",'degraded':true"), false,
     "raid-assemble ...", NULL},
    {"a disk is named that is not there", R1("vdb", ""), "", ARRAY_OF("RAID1", "'vdb','vdc'", ""),
     false, "degraded", "1 of its 2 disks; not attached: vdc. Attach the others, or say degraded"},
    {"a disk is named that is not there, allowed", R1("vdb", ""), "",
     ARRAY_OF("RAID1", "'vdb','vdc'", ",'degraded':true"), false, "raid-assemble ...", NULL},
    {"three are named, two are there, and the array is whole", R1("vdb", "") "," R1("vdc", ""), "",
     ARRAY_OF("RAID1", "'vdb','vdc','vdx'", ",'degraded':true"), false, "missing",
     "no device vdx, and the array"},
    {"none is there", "", "", ARRAY_OF("RAID1", "'vdb','vdc'", ",'degraded':true"), false,
     "missing", "no device vdb"},
    {"a RAID0 disk is not there", DISK("vdb", MEMBER_OF("raid0", "2", "")), "",
     ARRAY_OF("RAID0", "'vdb','vdc'", ",'degraded':true"), false, "degraded",
     "not attached: vdc. That is too few"},
    {"without a level all must be there", "", "", MOUNT("ext4", ""), false, "missing",
     "no device vdb"},
    {"degraded and dirty RAID1", R1("vdb", ",'member_dirty':true"), "",
     ARRAY_OF("RAID1", "'vdb'", ",'degraded':true"), false, "raid-assemble ...", NULL},
    {"degraded RAID5", R5("vdb", "") "," R5("vdc", ""), "",
     ARRAY_OF("RAID5", "'vdb','vdc'", ",'degraded':true"), false, "raid-assemble ...", NULL},
    {"degraded and dirty RAID5", R5("vdb", "") "," R5("vdc", ",'member_dirty':true"), "",
     ARRAY_OF("RAID5", "'vdb','vdc'", ",'degraded':true"), false, "dirty-degraded",
     "not stopped cleanly"},
    {"RAID5 with one of three", R5("vdb", ""), "", ARRAY_OF("RAID5", "'vdb'", ",'degraded':true"),
     false, "degraded", "too few"},
    {"RAID0 with one of two", DISK("vdb", MEMBER_OF("raid0", "2", "")), "",
     ARRAY_OF("RAID0", "'vdb'", ",'degraded':true"), false, "degraded", "too few"},
    {"a member out of date", R1("vdb", ",'member_events':9") "," R1("vdc", ",'member_events':3"),
     "", ARRAY_OF("RAID1", "'vdb','vdc'", ""), false, "degraded", "vdc is out of date"},
    {"members differ by one", R1("vdb", ",'member_events':9") "," R1("vdc", ",'member_events':8"),
     "", ARRAY_OF("RAID1", "'vdb','vdc'", ""), false, "raid-assemble ...", NULL},
    {"running without a disk",
     R1("vdb", HELD("md127")) "," ARRAY("clean", ",'array_missing':1" XFS_ON_ARRAY), "",
     ARRAY_OF("RAID1", "'vdb'", ""), false, "degraded", "degraded = true"},
    {"running without a disk, mounted",
     R1("vdb", HELD("md127")) "," ARRAY("clean", ",'array_missing':1" XFS_ON_ARRAY),
     AT_DATA("md127", "xfs") OWN("xfs", "UUID=7-7", OPTIONS), ARRAY_OF("RAID1", "'vdb'", ""), false,
     "raid-assemble+ fstab+ mount+ =", NULL},
    {"the old half runs alone",
     R1("vdb", ",'member_events':9") "," R1("vdc", HELD("md127") ",'member_events':3") "," ARRAY(
         "clean", ",'array_missing':1" XFS_ON_ARRAY),
     "", ARRAY_OF("RAID1", "'vdb','vdc'", ",'degraded':true"), false, "old-half",
     "runs without vdb, which has newer data"},
    {"the new half runs alone",
     R1("vdb", HELD("md127") ",'member_events':9") "," R1("vdc", ",'member_events':3") "," ARRAY(
         "clean", ",'array_missing':1" XFS_ON_ARRAY),
     "", ARRAY_OF("RAID1", "'vdb','vdc'", ",'degraded':true"), false,
     "raid-assemble+ directory fstab mount", NULL},
    /* LUKS */
    {"open, file system there",
     DISK("vdb", HELD("dm-0") HOLDS("crypto_LUKS", "crypto", U1)) "," OPEN(
         "esvdb", "vdb", NO_DASH_1, HOLDS("ext4", "filesystem", U9)),
     "", MOUNT("ext4", ""), true, "luks-open+ crypttab directory fstab mount", NULL},
    {"open, no key needed",
     DISK("vdb", HELD("dm-0") HOLDS("crypto_LUKS", "crypto", U1)) "," OPEN(
         "mine", "vdb", NO_DASH_1, HOLDS("ext4", "filesystem", U9)),
     "", MOUNT("ext4", ""), false, "luks-open+ directory fstab mount", NULL},
    {"open, other file system",
     DISK("vdb", HELD("dm-0") HOLDS("crypto_LUKS", "crypto", U1)) "," OPEN(
         "mine", "vdb", NO_DASH_1, HOLDS("xfs", "filesystem", U9)),
     "", MOUNT("ext4", ""), true, "file-system", "holds xfs"},
    {"open, and used by LVM",
     DISK("vdb", HELD("dm-0") HOLDS("crypto_LUKS", "crypto", U1)) "," OPEN(
         "mine", "vdb", NO_DASH_1, HOLDS("ext4", "filesystem", U9) ",'holders':['dm-7']"),
     "", MOUNT("ext4", ""), true, "in-use", "used by dm-7"},
    {"a line in crypttab gives the name", DISK("vdb", HOLDS("crypto_LUKS", "crypto", U1)),
     CRYPTTAB("UUID=" U1, "vault", "false"), MOUNT("ext4", ""), true, "luks-open ...", NULL},
    {"LUKS, in use by somebody", DISK("vdb", ",'busy':true" HOLDS("crypto_LUKS", "crypto", U1)), "",
     MOUNT("ext4", ""), true, "in-use", "the kernel does not say"},
    {"two devices with one LUKS UUID",
     DISK("vdb", HOLDS("crypto_LUKS", "crypto", U1)) "," DISK("vdc",
                                                              HOLDS("crypto_LUKS", "crypto", U1)),
     "", MOUNT("ext4", ""), true, "ambiguous", "same UUID"},
    /* file systems */
    {"LVM", DISK("vdb", HOLDS("LVM2_member", "raid", "x")), "", MOUNT("ext4", ""), false,
     "file-system", "LVM2_member"},
    {"nothing", DISK("vdb", ""), "", MOUNT("ext4", ""), false, "file-system",
     "nothing that is known"},
    {"ext3 is not ext4", DISK("vdb", HOLDS("ext3", "filesystem", U9)), "", MOUNT("ext4", ""), false,
     "file-system", "holds ext3"},
    {"two signatures",
     DISK("vdb", ",'signatures':[" SIGNATURE("ext4", "filesystem",
                                             U9) "," SIGNATURE("dos", "partition-table", "4") "]"),
     "", MOUNT("ext4", ""), false, "file-system", "dos"},
    {"not readable", DISK("vdb", ",'probe_error':5"), "", MOUNT("ext4", ""), false, "unreadable",
     "Input/output error"},
    {"a copy is attached", EXT4 "," DISK("vdc", HOLDS("ext4", "filesystem", U9)), "",
     MOUNT("ext4", ""), false, "ambiguous", "copy"},
    {"another device of its btrfs", BTRFS("vdb", "b-1") "," BTRFS("vdc", "b-2"), "",
     MOUNT("btrfs", ""), false, "directory fstab mount", NULL},
    {"a copy of a btrfs", BTRFS("vdb", "b-1") "," BTRFS("vdc", "b-1"), "", MOUNT("btrfs", ""),
     false, "ambiguous", "copy"},
    {"mounted by another device of its btrfs", BTRFS("vdb", "b-1") "," BTRFS("vdc", "b-2"),
     AT_DATA("vdc", "btrfs") OWN("btrfs", "UUID=" U9, OPTIONS), MOUNT("btrfs", ""), false,
     "fstab+ mount+ =", NULL},
    {"a device of a mounted btrfs", BTRFS("vdb", "b-1") "," BTRFS("vdc", "b-2"),
     MOUNTED("vdc", "/srv", "btrfs"), NEW(",'force':true"), false, "in-use", "mounted at /srv"},
    {"mounted there", EXT4, AT_DATA("vdb", "ext4") FSTAB("UUID=" U9, "/data", "true"),
     MOUNT("ext4", ""), false, "fstab+ mount+ =", NULL},
    {"mounted there, without a line", EXT4, AT_DATA("vdb", "ext4"), MOUNT("ext4", ""), false,
     "fstab mount+", NULL},
    {"mounted elsewhere", EXT4, MOUNTED("vdb", "/srv", "ext4"), MOUNT("ext4", ""), false,
     "mounted-elsewhere", "mounted at /srv"},
    {"busy", DISK("vdb", ",'busy':true" HOLDS("ext4", "filesystem", U9)), "", MOUNT("ext4", ""),
     false, "in-use", "the kernel does not say"},
    {"read-only", DISK("vdb", ",'read_only':true" HOLDS("ext4", "filesystem", U9)), "",
     MOUNT("ext4", ""), false, "read-only", "option ro"},
    {"read-only, and ro", DISK("vdb", ",'read_only':true" HOLDS("ext4", "filesystem", U9)), "",
     MOUNT("ext4", ",'options':'ro'"), false, "directory fstab mount", NULL},
    /* mount points */
    {"full", EXT4, ",'place_type':'full'", MOUNT("ext4", ""), false, "mount-point", "not empty"},
    {"link", EXT4, ",'place_type':'link'", MOUNT("ext4", ""), false, "mount-point",
     "symbolic link"},
    {"file", EXT4, ",'place_type':'other'", MOUNT("ext4", ""), false, "mount-point",
     "not a directory"},
    {"another is mounted there", EXT4 "," DISK("vdc", ""), AT_DATA("vdc", "xfs"), MOUNT("ext4", ""),
     false, "mount-point", "/dev/vdc (xfs)"},
    {"system directory", EXT4, "", MOUNT("ext4", ",'mountPoint':'/usr'"), false, "mount-point",
     "directory of the system"},
    {"below one", EXT4, "", MOUNT("ext4", ",'mountPoint':'/etc/data'"), false, "mount-point",
     "directory of the system"},
    {"below /tmp", EXT4, "", MOUNT("ext4", ",'mountPoint':'/tmp/data'"), false, "mount-point",
     "directory of the system"},
    {"below /var/tmp", EXT4, "", MOUNT("ext4", ",'mountPoint':'/var/tmp/a/b'"), false,
     "mount-point", "directory of the system"},
    {"root", EXT4, "", MOUNT("ext4", ",'mountPoint':'/'"), false, "mount-point", NULL},
    {"/proc", EXT4, "", MOUNT("ext4", ",'mountPoint':'/proc/x'"), false, "mount-point", NULL},
    {"/dev", EXT4, "", MOUNT("ext4", ",'mountPoint':'/dev'"), false, "mount-point", NULL},
    {"not quite /etc", EXT4, "", MOUNT("ext4", ",'mountPoint':'/etc2'"), false,
     "directory fstab mount", NULL},
    {"below a volume that is not mounted", EXT4, FSTAB("UUID=8-8", "/data", "false"),
     MOUNT("ext4", ",'mountPoint':'/data/sub'"), false, "parent", "below /data"},
    {"below one that is not mounted by itself", EXT4,
     ",'fstab':[{'source':'UUID=8-8','target':'/data','options':'defaults,noauto'}]",
     MOUNT("ext4", ",'mountPoint':'/data/sub'"), false, "directory fstab mount", NULL},
    {"below one of ours that waits for its key", EXT4,
     ",'fstab':[{'source':'UUID=8-8','target':'/data','options':'defaults,noauto','ours':true}]",
     MOUNT("ext4", ",'mountPoint':'/data/sub'"), false, "parent", "below /data"},
    {"below a volume that is mounted", EXT4 "," DISK("vdc", ""),
     MOUNTED("vdc", "/data", "xfs") FSTAB("UUID=8-8", "/data", "false"),
     MOUNT("ext4", ",'mountPoint':'/data/sub'"), false, "directory fstab mount", NULL},
    {"below one that is read-only", EXT4,
     ",'mounts':[" ROOT_MOUNT
     ",{'source':'x','target':'/ro','fs_type':'iso9660','read_only':true}]",
     MOUNT("ext4", ",'mountPoint':'/ro/data'"), false, "read-only", "/ro is mounted read-only"},
    /* lines */
    {"a line of somebody for it", EXT4, FSTAB("UUID=" U9, "/data", "false"), MOUNT("ext4", ""),
     false, "directory mount", NULL},
    {"a line of somebody, by path", EXT4, FSTAB("/dev/disk/by-id/virtio-Svdb", "/data", "false"),
     MOUNT("ext4", ""), false, "directory mount", NULL},
    {"a line for another type", DISK("vdb", HOLDS("xfs", "filesystem", U9)),
     FSTAB("UUID=" U9, "/data", "false"), MOUNT("xfs", ""), false, "fstab",
     "with file system ext4"},
    {"a line for another device", EXT4, FSTAB("UUID=8-8", "/data", "false"), MOUNT("ext4", ""),
     false, "fstab", "UUID=8-8"},
    {"a line for another mount point", EXT4, FSTAB("UUID=" U9, "/backup", "false"),
     MOUNT("ext4", ""), false, "fstab", "/backup"},
    {"a line of ours for another device", EXT4, FSTAB("UUID=8-8", "/data", "true"),
     MOUNT("ext4", ""), false, "fstab", "another volume"},
    {"new, and a line by path", DISK("vdb", ""), FSTAB("/dev/vdb", "/data", "false"), NEW(""),
     false, "format directory mount", NULL},
    {"new, and a line by UUID", EXT4, FSTAB("UUID=" U9, "/data", "false"), NEW(",'force':true"),
     false, "fstab", "another device"},
    {"new, and a line for another use", DISK("vdb", ""), FSTAB("/dev/vdb", "/backup", "false"),
     NEW(""), false, "fstab", "/backup"},
    {"new, and swap in fstab", DISK("vdb", ""), FSTAB("/dev/vdb", "none", "false"),
     NEW(",'force':true"), false, "fstab", "none"},
    {"new, and a line in crypttab", DISK("vdb", ""), CRYPTTAB("/dev/vdb", "vault", "false"),
     NEW(""), false, "crypttab", "vault"},
    {"ours, other options, mounted", EXT4,
     AT_DATA("vdb", "ext4") OWN("ext4", "UUID=" U9, OPTIONS ",noatime"), MOUNT("ext4", ""), false,
     "fstab mount+", NULL},
    {"ours, options are wanted", EXT4, OWN("ext4", "UUID=" U9, OPTIONS),
     MOUNT("ext4", ",'options':'noatime'"), false, "directory fstab mount", NULL},
    {"ours, another type", EXT4, OWN("xfs", "UUID=" U9, OPTIONS), MOUNT("ext4", ""), false,
     "directory fstab mount", NULL},
    {"ours, not wanted any more", EXT4, AT_DATA("vdb", "ext4") OWN("ext4", "UUID=" U9, OPTIONS),
     MOUNT("ext4", ",'persistent':false"), false, "mount+ fstab-remove", NULL},
    {"ours, not wanted any more, /etc is read-only", EXT4,
     AT_DATA("vdb", "ext4") OWN("ext4", "UUID=" U9, OPTIONS) ",'tabs_read_only':true",
     MOUNT("ext4", ",'persistent':false"), false, "mount+ =", NULL},
    {"somebody's, not wanted any more", EXT4,
     AT_DATA("vdb", "ext4") FSTAB("UUID=" U9, "/data", "false"),
     MOUNT("ext4", ",'persistent':false"), false, "mount+ =", NULL},
    {"locked at boot, as it is", OPENED,
     AT_DATA("dm-0", "ext4") OWN("ext4", "UUID=" U9, OPTIONS ",noauto") OWN_CRYPTTAB(LOCKED),
     MOUNT("ext4", ""), true, "luks-open+ crypttab+ fstab+ mount+ =", NULL},
    {"locked at boot, unlocking is wanted", OPENED,
     AT_DATA("dm-0", "ext4") OWN("ext4", "UUID=" U9, OPTIONS ",noauto") OWN_CRYPTTAB(LOCKED),
     MOUNT("ext4", ",'unlock_at_boot':true"), true, "luks-open+ seal-key crypttab fstab mount+",
     NULL},
    {"unlocked at boot, not wanted any more", OPENED,
     AT_DATA("dm-0", "ext4") OWN("ext4", "UUID=" U9, OPTIONS) OWN_CRYPTTAB(UNLOCKED) SEALED,
     MOUNT("ext4", ""), true, "luks-open+ crypttab fstab mount+ key-remove", NULL},
    {"a key that is left", OPENED,
     AT_DATA("dm-0", "ext4") OWN("ext4", "UUID=" U9, OPTIONS ",noauto") OWN_CRYPTTAB(LOCKED) SEALED,
     MOUNT("ext4", ""), true, "luks-open+ crypttab+ fstab+ mount+ key-remove", NULL},
    {"somebody else's key", OPENED,
     AT_DATA("dm-0", "ext4") OWN("ext4", "UUID=" U9, OPTIONS ",noauto")
         OWN_CRYPTTAB(LOCKED) ",'sealed':['esvdc']",
     MOUNT("ext4", ""), true, "luks-open+ crypttab+ fstab+ mount+ =", NULL},
    {"unlocked at boot, and no lines any more", OPENED,
     AT_DATA("dm-0", "ext4") OWN("ext4", "UUID=" U9, OPTIONS) OWN_CRYPTTAB(UNLOCKED) SEALED,
     MOUNT("ext4", ",'persistent':false"), true,
     "luks-open+ mount+ fstab-remove crypttab-remove key-remove", NULL},
    {"unlocked at boot, who mounts it has no key", OPENED,
     AT_DATA("dm-0", "ext4") OWN("ext4", "UUID=" U9, OPTIONS) OWN_CRYPTTAB(UNLOCKED) SEALED,
     MOUNT("ext4", ""), false, "luks-open+ fstab+ mount+ =", NULL},
    {"locked at boot, who mounts it has no key", OPENED,
     AT_DATA("dm-0", "ext4") OWN("ext4", "UUID=" U9, OPTIONS ",noauto") OWN_CRYPTTAB(LOCKED),
     MOUNT("ext4", ""), false, "luks-open+ fstab+ mount+ =", NULL},
    {"locked at boot, /etc is read-only", OPENED,
     AT_DATA("dm-0", "ext4") OWN("ext4", "UUID=" U9, OPTIONS ",noauto")
         OWN_CRYPTTAB(LOCKED) ",'tabs_read_only':true",
     MOUNT("ext4", ",'unlock_at_boot':true"), true, "read-only", "/etc/crypttab cannot be written"},
    {"/etc is read-only", EXT4, ",'tabs_read_only':true", MOUNT("ext4", ""), false, "read-only",
     "persistent = false"},
    {"/etc is read-only, no line needed", EXT4, ",'tabs_read_only':true",
     MOUNT("ext4", ",'persistent':false"), false, "directory mount", NULL},
};

/* All of them, on as few disks as they need. */
static void plan_one(const char *fs, int level, unsigned n, bool has_key) {
    GString *blocks = g_string_new(NULL), *devices = g_string_new(NULL);
    g_autofree char *request = NULL, *expected = NULL, *text = NULL, *name = NULL;
    _cleanup_(facts_done) Facts f = {};
    _cleanup_(volume_request_done) VolumeRequest q = {};
    _cleanup_(plan_done) Plan p = {};
    _cleanup_(refusal_done) Refusal refusal = {};
    unsigned uuid = 0;

    for (unsigned i = 0; i < n; i++) {
        g_string_append_printf(blocks, "%s{'name':'vd%c','type':'disk','size_bytes':" GIB "}",
                               i > 0 ? "," : "", 'b' + (int)i);
        g_string_append_printf(devices, "%s'vd%c'", i > 0 ? "," : "", 'b' + (int)i);
    }
    name = level < 0 ? g_strdup("NONE") : g_strdup_printf("RAID%d", level);
    request =
        g_strdup_printf("{'formatVolume':true,'fileSystem':'%s','raidLevel':'%s','devices':[%s]}",
                        fs, name, devices->str);
    expected =
        g_strdup_printf("%s%sformat %sdirectory fstab mount", level < 0 ? "" : "raid-create ",
                        has_key ? "luks-format luks-open " : "", has_key ? "crypttab " : "");
    machine_make(blocks->str, "", "/data", &f);
    request_make(request, has_key, &q);
    g_assert_cmpint(plan_mount(&f, &q, NULL, 0, next_uuid, &uuid, &p, &refusal), ==, 0);
    text = plan_to_text(&p);
    g_assert_cmpstr(text, ==, expected);
    g_string_free(blocks, TRUE);
    g_string_free(devices, TRUE);
}

static void test_all(void) {
    static const char *const types[] = {"ext3", "ext4", "xfs", "btrfs"};
    static const struct {
        int level;
        unsigned n;
    } levels[] = {{-1, 1}, {0, 2}, {1, 2}, {4, 3}, {5, 3}, {6, 4}, {10, 4}};

    for (size_t i = 0; i < ELEMENTSOF(types); i++)
        for (size_t j = 0; j < ELEMENTSOF(levels); j++) {
            plan_one(types[i], levels[j].level, levels[j].n, false);
            plan_one(types[i], levels[j].level, levels[j].n, true);
        }
}

int main(int argc, char *argv[]) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/volume-existing/all", test_all);
    cases_add("/volume-existing", cases, ELEMENTSOF(cases));
    return g_test_run();
}
