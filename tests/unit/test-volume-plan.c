/* SPDX-License-Identifier: Apache-2.0 */
/* Proves what the planner decides on machines of every kind that its rules name: one row for each,
 * with the steps that it plans, or the code of the refusal and a part of its text. */
#include "volume-machine.h"

#define FORMAT(fs, more)                                                                           \
    "{'formatVolume':true,'fileSystem':'" fs "','raidLevel':'NONE','devices':['vdb']" more "}"
#define EXISTING(fs, more)                                                                         \
    "{'formatVolume':false,'fileSystem':'" fs "','raidLevel':'NONE','devices':['vdb']" more "}"

#define OLD HOLDS("ext4", "filesystem", "2-2")
#define FORCED FORMAT("xfs", ",'force':true")
/* the array of vdb and vdc after that was pulled, with the file system of the request */
#define WITHOUT_VDC                                                                                \
    "{'name':'md127','type':'array','size_bytes':" GIB ",'slaves':['vdb'],'array_level':'raid1',"  \
    "'array_state':'clean','array_uuid':'" MD_1 "','array_disks':2,'array_missing':1,"             \
    "'links':['md/data']" HOLDS("xfs", "filesystem", U2) "}"
#define MOVED_VDC                                                                                  \
    "{'name':'vdd','type':'disk','size_bytes':10737418240,'serial':'Svdc',"                        \
    "'links':['disk/by-id/virtio-Svdc']" MEMBER("") "}"
#define LINE_OPTIONS ",'fs_type':'xfs','options':'defaults,nofail,x-systemd.device-timeout=90s'"
#define RAID1(more)                                                                                \
    "{'formatVolume':true,'fileSystem':'xfs','raidLevel':'RAID1','devices':['vdb','vdc']" more "}"

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
    {"swap", DISK("vdb", ",'swap':true,'busy':true"), "", FORMAT("ext4", ",'force':true"), false,
     "in-use", "swap space"},
    {"held", DISK("vdb", HELD("dm-3")) ",{'name':'dm-3','type':'logical','dm_name':'vg-lv'}", "",
     FORMAT("ext4", ",'force':true"), false, "in-use", "vg-lv (dm-3)"},
    {"busy", DISK("vdb", ",'busy':true"), "", FORMAT("ext4", ",'force':true"), false, "in-use",
     "lsof"},
    {"read-only", DISK("vdb", ",'read_only':true"), "", FORMAT("ext4", ",'force':true"), false,
     "read-only", NULL},
    {"random data", DISK("vdb", ",'looks_random':true"), "", FORMAT("ext4", ""), false, "signature",
     "vdb: random data, perhaps encrypted"},
    {"random data, force", DISK("vdb", ",'looks_random':true"), "", FORMAT("ext4", ",'force':true"),
     false, "wipe format directory fstab mount", NULL},
    {"a partition of random data",
     DISK("vdb", "") ",{'name':'vdb1','type':'partition','parent':'vdb','looks_random':true,"
                     "'size_bytes':" GIB "}",
     "", "{'formatVolume':true,'fileSystem':'ext4','devices':['vdb1']}", false, "signature",
     "vdb1: random data"},
    {"a mapping of somebody looks random",
     DISK("vdb", HELD("dm-0") HOLDS("crypto_LUKS", "crypto", U1)) "," OPEN("mine", "vdb", NO_DASH_1,
                                                                           ",'looks_random':true"),
     "", "{'formatVolume':true,'fileSystem':'ext4','devices':['mapper/mine']}", false, "signature",
     "dm-0: random data, perhaps encrypted without a header (plain dm-crypt); a new encrypted"},
    {"a mapping of somebody looks random, force",
     DISK("vdb", HELD("dm-0") HOLDS("crypto_LUKS", "crypto", U1)) "," OPEN("mine", "vdb", NO_DASH_1,
                                                                           ",'looks_random':true"),
     "", "{'formatVolume':true,'fileSystem':'ext4','devices':['mapper/mine'],'force':true}", false,
     "wipe format directory fstab mount", NULL},
    {"a mapping of somebody is blank",
     DISK("vdb", HELD("dm-0") HOLDS("crypto_LUKS", "crypto", U1)) "," OPEN("mine", "vdb", NO_DASH_1,
                                                                           ""),
     "", "{'formatVolume':true,'fileSystem':'ext4','devices':['mapper/mine']}", false,
     "format directory fstab mount", NULL},
    {"a logical volume of random data",
     "{'name':'dm-1','type':'logical','dm_name':'vg-lv','links':['mapper/vg-lv'],'size_bytes':" GIB
     ",'looks_random':true}",
     "", "{'formatVolume':true,'fileSystem':'ext4','devices':['mapper/vg-lv']}", false, "signature",
     "dm-1: random data"},
    {"an array of somebody with random data",
     "{'name':'md9','type':'array','size_bytes':" GIB
     ",'array_level':'raid1','array_state':'clean','looks_random':true}",
     "", "{'formatVolume':true,'fileSystem':'ext4','devices':['md9']}", false, "signature",
     "md9: random data"},
    {"a loop device of random data",
     "{'name':'loop7','type':'other','size_bytes':" GIB ",'looks_random':true}", "",
     "{'formatVolume':true,'fileSystem':'ext4','devices':['loop7']}", false, "signature",
     "loop7: random data"},
    {"unreadable", DISK("vdb", ",'probe_error':5"), "", FORMAT("ext4", ",'force':true"), false,
     "unreadable", "Input/output error"},
    {"no medium", "{'name':'vdb','type':'disk'}", "", FORMAT("ext4", ""), false, "too-small", NULL},
    {"too small for xfs", "{'name':'vdb','type':'disk','size_bytes':209715200}", "",
     FORMAT("xfs", ""), false, "too-small", "xfs needs 300.0 MiB"},
    {"large enough for ext4", "{'name':'vdb','type':'disk','size_bytes':209715200}", "",
     FORMAT("ext4", ""), false, "format directory fstab mount", NULL},
    {"CD-ROM drive", "{'name':'sr0','type':'other','size_bytes':" GIB "}", "",
     "{'formatVolume':true,'fileSystem':'ext4','devices':['sr0']}", false, "kind", NULL},
    {"partitions",
     DISK("vdb", "") ",{'name':'vdb1','type':'partition','parent':'vdb','size_bytes':" GIB "}", "",
     FORMAT("ext4", ""), false, "signature", "vdb1: a partition"},
    {"partitions, force",
     DISK("vdb", "") ",{'name':'vdb1','type':'partition','parent':'vdb','size_bytes':" GIB "}", "",
     FORMAT("ext4", ",'force':true"), false, "wipe format directory fstab mount", NULL},
    {"a partition is mounted",
     DISK("vdb", "") ",{'name':'vdb1','type':'partition','parent':'vdb','size_bytes':" GIB "}",
     MOUNTED("vdb1", "/srv", "xfs"), FORMAT("ext4", ",'force':true"), false, "in-use",
     "mounted at /srv"},
    {"a partition beside a mounted one",
     DISK(
         "vdb",
         ",'busy':true" HOLDS(
             "gpt", "partition-table",
             "6")) ",{'name':'vdb1','type':'partition','parent':'vdb','busy':true,'size_bytes':" GIB
                   "},{'name':'vdb2','type':'partition','parent':'vdb','size_bytes':" GIB "}",
     MOUNTED("vdb1", "/srv", "xfs"), "{'formatVolume':true,'fileSystem':'ext4','devices':['vdb2']}",
     false, "format directory fstab mount", NULL},
    {"a partition of an array's member",
     DISK("vdb", MEMBER("")) ",{'name':'vdb1','type':'partition','parent':'vdb','size_bytes':" GIB
                             "}",
     "", "{'formatVolume':true,'fileSystem':'ext4','devices':['vdb1']}", false, "in-use",
     "as a whole holds linux_raid_member"},
    {"one link, two disks",
     "{'name':'vdb','type':'disk','size_bytes':" GIB
     ",'links':['disk/by-id/x']},{'name':'vdc','type':'disk','size_bytes':" GIB
     ",'links':['disk/by-id/x']}",
     "", FORMAT("ext4", ""), false, "ambiguous", "two paths"},
    {"RAID5 of two", DISK("vdb", "") "," DISK("vdc", ""), "",
     "{'formatVolume':true,'fileSystem':'xfs','raidLevel':'RAID5','devices':['vdb','vdc']}", false,
     "too-few", "at least 3"},
    {"RAID1 of one", DISK("vdb", ""), "",
     "{'formatVolume':true,'fileSystem':'xfs','raidLevel':'RAID1','devices':['vdb']}", false,
     "too-few", "at least 2"},
    {"RAID1, force, one of them is not blank",
     DISK("vdb", "") "," DISK("vdc", HOLDS("ext4", "filesystem", "2-2")), "",
     RAID1(",'force':true"), false, "wipe raid-create format directory fstab mount", NULL},
    {"RAID1 with a mounted disk",
     DISK("vdb", "") "," DISK("vdc", HOLDS("ext4", "filesystem", "2-2")),
     MOUNTED("vdc", "/srv", "ext4"), RAID1(",'force':true"), false, "in-use", "mounted at /srv"},
    {"no devices", "", "", "{'formatVolume':true,'fileSystem':'ext4','devices':[]}", false, " =",
     NULL},
    {"no mkfs.xfs", DISK("vdb", ""), ",'programs':['mdadm']", FORMAT("xfs", ""), false,
     "missing-program", "mkfs.xfs"},
    {"missing", DISK("vdc", ""), "", FORMAT("ext4", ""), false, "missing", "vda (root disk), vdc"},
    {"root disk", "", "",
     "{'formatVolume':true,'fileSystem':'ext4','devices':['vda'],'force':true}", false, "root-disk",
     NULL},
    {"partition of the root disk", "", "",
     "{'formatVolume':true,'fileSystem':'ext4','devices':['/dev/vda1'],'force':true}", false,
     "root-disk", NULL},
};

/* A request that was made before on blank disks, came as far as `states` says (one character for
 * each step: . pending, ~ begun, + done), and is made again. */
typedef struct Resumed {
    const char *name;
    const char *request;
    bool has_key;
    const char *states;
    const char *blocks;
    const char *more;
    bool force;
    const char *result;
    const char *before; /* blocks when it was made first; NULL: blank ones */
} Resumed;

static const Resumed resumed[] = {
    /* format fstab mount */
    {"nothing begun", FORMAT("xfs", ""), false, "...", DISK("vdb", ""), "", false,
     "format fstab mount"},
    {"format cut, blank", FORMAT("xfs", ""), false, "~..", DISK("vdb", ""), "", false,
     "format~ fstab mount"},
    {"format cut, ours", FORMAT("xfs", ""), false, "~..",
     DISK("vdb", HOLDS("xfs", "filesystem", U1)), "", false, "format~! fstab mount"},
    {"format cut, ours and another", FORMAT("xfs", ""), false, "~..",
     DISK("vdb", ",'signatures':[" SIGNATURE("xfs", "filesystem", U1) "," SIGNATURE(
                     "gpt", "partition-table", "5-5") "]"),
     "", false, "signature"},
    {"format cut, another type with our UUID", FORMAT("xfs", ""), false, "~..",
     DISK("vdb", HOLDS("ext4", "filesystem", U1)), "", false, "signature"},
    {"format cut, somebody else's", FORMAT("xfs", ""), false, "~..",
     DISK("vdb", HOLDS("xfs", "filesystem", "5-5")), "", false, "signature"},
    {"format cut, somebody else's, force", FORMAT("xfs", ""), false, "~..",
     DISK("vdb", HOLDS("xfs", "filesystem", "5-5")), "", true, "wipe format fstab mount"},
    {"format cut, mounted by somebody", FORMAT("xfs", ""), false, "~..",
     DISK("vdb", HOLDS("xfs", "filesystem", U1)), MOUNTED("vdb", "/srv", "xfs"), true, "in-use"},
    {"not begun, but our UUID is there", FORMAT("xfs", ""), false, "...",
     DISK("vdb", HOLDS("xfs", "filesystem", U1)), "", false, "signature"},
    {"format done", FORMAT("xfs", ""), false, "+..", DISK("vdb", HOLDS("xfs", "filesystem", U1)),
     "", false, "format+ fstab mount"},
    {"format done, blank", FORMAT("xfs", ""), false, "+..", DISK("vdb", ""), "", false, "gone"},
    {"format done, blank, force", FORMAT("xfs", ""), false, "+..", DISK("vdb", ""), "", true,
     "format fstab mount"},
    {"format done, made again by somebody", FORMAT("xfs", ""), false, "+..",
     DISK("vdb", HOLDS("xfs", "filesystem", "5-5")), "", false, "gone"},
    {"fstab there, the record does not know", FORMAT("xfs", ""), false, "+~.",
     DISK("vdb", HOLDS("xfs", "filesystem", U1)),
     ",'fstab':[{'source':'UUID=" U1 "','target':'/data'" LINE_OPTIONS ",'ours':true}]", false,
     "format+ fstab+ mount"},
    {"complete", FORMAT("xfs", ""), false, "+++", DISK("vdb", HOLDS("xfs", "filesystem", U1)),
     MOUNTED("vdb", "/data", "xfs") ",'place_type':'mount-point',"
                                    "'fstab':[{'source':'UUID=" U1 "','target':'/data'" LINE_OPTIONS
                                    ",'ours':true}]",
     false, "format+ fstab+ mount+ ="},
    {"complete, force", FORMAT("xfs", ""), false, "+++",
     DISK("vdb", HOLDS("xfs", "filesystem", U1)),
     MOUNTED("vdb", "/data", "xfs") ",'place_type':'mount-point',"
                                    "'fstab':[{'source':'UUID=" U1 "','target':'/data'" LINE_OPTIONS
                                    ",'ours':true}]",
     true, "format+ fstab+ mount+ ="},
    {"complete, then unmounted", FORMAT("xfs", ""), false, "+++",
     DISK("vdb", HOLDS("xfs", "filesystem", U1)),
     ",'fstab':[{'source':'UUID=" U1 "','target':'/data'" LINE_OPTIONS ",'ours':true}]", false,
     "format+ fstab+ mount"},
    {"disks are called otherwise now", FORMAT("xfs", ""), false, "+++",
     "{'name':'vdb','type':'disk','size_bytes':" GIB ",'serial':'other',"
     "'links':['disk/by-id/virtio-other']},{'name':'vdc','type':'disk','size_bytes':" GIB ","
     "'serial':'Svdb','links':['disk/by-id/virtio-Svdb']" HOLDS("xfs", "filesystem", U1) "}",
     "", true, "other-disk"},
    {"another disk in its place", FORMAT("xfs", ""), false, "+++",
     "{'name':'vdb','type':'disk','size_bytes':" GIB ",'serial':'other',"
     "'links':['disk/by-id/virtio-other']}",
     "", false, "format fstab mount"},
    {"the disk has grown", FORMAT("xfs", ""), false, "+..",
     "{'name':'vdb','type':'disk','size_bytes':99999999999,'serial':'Svdb',"
     "'links':['disk/by-id/virtio-Svdb']" HOLDS("xfs", "filesystem", U1) "}",
     "", false, "format+ fstab mount"},
    /* wipe format fstab mount; nothing was to be wiped on the blank disks, so: */
    /* luks-format luks-open format crypttab fstab mount */
    {"LUKS cut, blank", FORMAT("xfs", ""), true, "~.....", DISK("vdb", ""), "", false,
     "luks-format~ luks-open format crypttab fstab mount"},
    {"LUKS cut, header there", FORMAT("xfs", ""), true, "~.....",
     DISK("vdb", HOLDS("crypto_LUKS", "crypto", U1)), "", false,
     "luks-format~! luks-open format crypttab fstab mount"},
    {"LUKS cut, and opened by somebody", FORMAT("xfs", ""), true, "~.....",
     DISK("vdb", HELD("dm-0") HOLDS("crypto_LUKS", "crypto", U1)) "," OPEN("mine", "vdb", NO_DASH_1,
                                                                           ""),
     "", false, "in-use"},
    {"LUKS done, closed", FORMAT("xfs", ""), true, "+.....",
     DISK("vdb", HOLDS("crypto_LUKS", "crypto", U1)), "", false, "luks-format+ luks-open ..."},
    {"LUKS done, gone", FORMAT("xfs", ""), true, "+.....", DISK("vdb", ""), "", false, "gone"},
    {"open, blank", FORMAT("xfs", ""), true, "++....",
     DISK("vdb", HELD("dm-0") HOLDS("crypto_LUKS", "crypto", U1)) "," OPEN("esvdb", "vdb",
                                                                           NO_DASH_1, ""),
     "", false, "luks-format+ luks-open+ format crypttab fstab mount"},
    {"open, format cut", FORMAT("xfs", ""), true, "++~...",
     DISK("vdb", HELD("dm-0") HOLDS("crypto_LUKS", "crypto", U1)) "," OPEN(
         "esvdb", "vdb", NO_DASH_1, HOLDS("xfs", "filesystem", U2)),
     "", false, "luks-format+ luks-open+ format~! crypttab fstab mount"},
    {"open, somebody has formatted it", FORMAT("xfs", ""), true, "++....",
     DISK("vdb", HELD("dm-0") HOLDS("crypto_LUKS", "crypto", U1)) "," OPEN(
         "esvdb", "vdb", NO_DASH_1, HOLDS("ext4", "filesystem", "5-5")),
     "", false, "signature"},
    /* raid-create format fstab mount */
    {"array cut, blank", RAID1(""), false, "~...", DISK("vdb", "") "," DISK("vdc", ""), "", false,
     "raid-create~ format fstab mount"},
    {"array cut, one member", RAID1(""), false, "~...", DISK("vdb", MEMBER("")) "," DISK("vdc", ""),
     "", false, "raid-create~! format fstab mount"},
    {"array cut, assembled in part", RAID1(""), false, "~...",
     DISK("vdb", MEMBER(HELD("md127"))) "," DISK("vdc", "") ","
                                                            "{'name':'md127','type':'array',"
                                                            "'slaves':['vdb'],'array_state':"
                                                            "'inactive','array_uuid':'" MD_1 "'}",
     "", false, "raid-create~! format fstab mount"},
    {"array cut, running", RAID1(""), false, "~...",
     DISK("vdb", MEMBER(HELD("md127"))) "," DISK("vdc", MEMBER(HELD("md127"))) "," ARRAY("clean",
                                                                                         ""),
     "", false, "raid-create~! format fstab mount"},
    {"array cut, and used by somebody", RAID1(""), false, "~...",
     DISK("vdb", MEMBER(HELD("md127"))) "," DISK("vdc", MEMBER(HELD("md127"))) "," ARRAY(
         "clean", HOLDS("ext4", "filesystem", "5-5")),
     "", false, "signature"},
    {"array cut, and mounted by somebody", RAID1(""), false, "~...",
     DISK("vdb", MEMBER(HELD("md127"))) "," DISK("vdc", MEMBER(HELD("md127"))) "," ARRAY(
         "clean", HOLDS("xfs", "filesystem", "5-5")),
     MOUNTED("md127", "/srv", "xfs"), true, "in-use"},
    {"array cut, a member of another", RAID1(""), false, "~...",
     DISK("vdb", HOLDS("linux_raid_member", "raid", "5-5")) "," DISK("vdc", ""), "", false,
     "signature"},
    {"array done, not started", RAID1(""), false, "+...",
     DISK("vdb", MEMBER("")) "," DISK("vdc", MEMBER("")), "", false,
     "raid-create+ raid-assemble ..."},
    {"array done, running", RAID1(""), false, "+...",
     DISK("vdb", MEMBER(HELD("md127"))) "," DISK("vdc", MEMBER(HELD("md127"))) "," ARRAY("clean",
                                                                                         ""),
     "", false, "raid-create+ format fstab mount"},
    /* wipe format fstab mount */
    {"wiping cut, blank", FORCED, false, "~...", DISK("vdb", ""), "", false,
     "wipe~ format fstab mount", DISK("vdb", OLD)},
    {"wiping cut, the old is there", FORCED, false, "~...", DISK("vdb", OLD), "", false,
     "wipe~ format fstab mount", DISK("vdb", OLD)},
    {"wiping cut, something new is there", FORCED, false, "~...",
     DISK("vdb", HOLDS("ext4", "filesystem", "5-5")), "", false, "signature", DISK("vdb", OLD)},
    {"wiping cut, something new is there, force", FORCED, false, "~...",
     DISK("vdb", HOLDS("ext4", "filesystem", "5-5")), "", true, "wipe~ format fstab mount",
     DISK("vdb", OLD)},
    {"wiping cut, random data are there", FORCED, false, "~...",
     DISK("vdb", ",'looks_random':true"), "", false, "wipe~ format fstab mount",
     DISK("vdb", ",'looks_random':true")},
    {"wiping done, random data are there", FORCED, false, "+...",
     DISK("vdb", ",'looks_random':true"), "", false, "signature",
     DISK("vdb", ",'looks_random':true")},
    {"format cut, random data are there", FORMAT("xfs", ""), false, "~..",
     DISK("vdb", ",'looks_random':true"), "", false, "signature"},
    {"array done, running, random data shine through", RAID1(""), false, "+...",
     DISK("vdb", MEMBER(HELD("md127"))) "," DISK("vdc", MEMBER(HELD("md127"))) "," ARRAY(
         "clean", ",'looks_random':true"),
     "", false, "raid-create+ format fstab mount"},
    {"array cut, running, random data shine through", RAID1(""), false, "~...",
     DISK("vdb", MEMBER(HELD("md127"))) "," DISK("vdc", MEMBER(HELD("md127"))) "," ARRAY(
         "clean", ",'looks_random':true"),
     "", false, "raid-create~! format fstab mount"},
    {"LUKS done, open, its mapping looks random", FORMAT("xfs", ""), true, "+.....",
     DISK("vdb", HELD("dm-0") HOLDS("crypto_LUKS", "crypto", U1)) "," OPEN(
         "esvdb", "vdb", NO_DASH_1, ",'looks_random':true"),
     "", false, "luks-format+ luks-open+ format crypttab fstab mount"},
    {"wiping done, blank", FORCED, false, "+...", DISK("vdb", ""), "", false,
     "wipe+ format fstab mount", DISK("vdb", OLD)},
    {"wiping done, the old is there again", FORCED, false, "+...", DISK("vdb", OLD), "", false,
     "signature", DISK("vdb", OLD)},
    {"wiping done, format cut", FORCED, false, "+~..", DISK("vdb", HOLDS("xfs", "filesystem", U1)),
     "", false, "wipe+ format~! fstab mount", DISK("vdb", OLD)},
    {"a record that contradicts itself", FORCED, false, ".~..", DISK("vdb", OLD), "", false,
     "signature", DISK("vdb", OLD)},
    {"a record that contradicts itself, LUKS", FORMAT("xfs", ""), true, "..~...", DISK("vdb", ""),
     "", false, "record"},
    {"array done, gone", RAID1(""), false, "+...", DISK("vdb", MEMBER("")) "," DISK("vdc", ""), "",
     false, "gone"},
    /* a disk is not attached */
    {"array cut, a disk is missing", RAID1(""), false, "~...", DISK("vdb", MEMBER("")), "", false,
     "missing"},
    {"array done, a disk is missing", RAID1(""), false, "+...", DISK("vdb", MEMBER("")), "", false,
     "degraded"},
    {"array done, both disks are missing", RAID1(""), false, "+...", "", "", false, "missing"},
    {"array done, a disk is missing, degraded", RAID1(",'degraded':true"), false, "+...",
     DISK("vdb", MEMBER("")), "", false, "raid-create+ raid-assemble ..."},
    {"array runs without a disk, not mounted", RAID1(""), false, "++++",
     DISK("vdb", MEMBER(HELD("md127"))) "," WITHOUT_VDC, "", false, "degraded"},
    {"array runs without a disk, not mounted, degraded", RAID1(",'degraded':true"), false, "++++",
     DISK("vdb", MEMBER(HELD("md127"))) "," WITHOUT_VDC, "", false,
     "raid-create+ format+ fstab mount"},
    {"array runs without a disk, mounted", RAID1(""), false, "++++",
     DISK("vdb", MEMBER(HELD("md127"))) "," WITHOUT_VDC,
     MOUNTED("md127", "/data",
             "xfs") ",'place_type':'mount-point','fstab':[{'source':'UUID=" U2
                    "','target':'/data','fs_type':'xfs','options':"
                    "'defaults,nofail,x-systemd.device-timeout=90s','ours':true}]",
     false, "raid-create+ format+ fstab+ mount+ ="},
    {"array done, a disk has another name", RAID1(""), false, "+...",
     DISK("vdb", MEMBER("")) "," MOVED_VDC, "", false, "other-disk"},
    {"array done, a disk is missing, the other was replaced", RAID1(",'degraded':true"), false,
     "+...",
     "{'name':'vdb','type':'disk','size_bytes':10737418240,'serial':'new','links':"
     "['disk/by-id/virtio-new']}",
     "", false, "missing"},
    {"array gone, a disk is missing, force", RAID1(",'degraded':true"), false, "++++",
     DISK("vdb", HOLDS("ext4", "filesystem", "5-5")), "", true, "missing"},
    {"no array, a disk is missing", FORMAT("xfs", ""), false, "+++", "", "", false, "missing"},
};

/* Only what nobody has mounted yet is fresh: its top directory gets an owner once. */
static void test_mounted_before(void) {
    static const struct {
        StepState format, mount;
        bool was_mounted, wanted;
    } rows[] = {{STEP_DONE, STEP_PENDING, false, false},
                {STEP_DONE, STEP_BEGUN, false, false},
                {STEP_DONE, STEP_DONE, false, true},
                {STEP_DONE, STEP_BEGUN, true, true},
                {STEP_BEGUN, STEP_PENDING, true, false}};

    for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
        _cleanup_(facts_done) Facts f = {}, later = {};
        _cleanup_(volume_request_done) VolumeRequest q = {};
        _cleanup_(plan_done) Plan record = {}, p = {};
        _cleanup_(refusal_done) Refusal refusal = {};
        unsigned n = 0;

        request_make(FORMAT("xfs", ""), false, &q);
        machine_make(DISK("vdb", ""), ",'place_type':'empty'", "/data", &f);
        machine_make(DISK("vdb", HOLDS("xfs", "filesystem", U1)), ",'place_type':'empty'", "/data",
                     &later);
        g_assert_cmpint(plan_mount(&f, &q, NULL, 0, next_uuid, &n, &record, &refusal), ==, 0);
        g_assert_false(record.was_mounted);
        record.steps[0].state = rows[i].format;
        record.steps[2].state = rows[i].mount;
        record.was_mounted = rows[i].was_mounted;
        g_assert_cmpint(plan_mount(&later, &q, &record, 1, next_uuid, &n, &p, &refusal), ==, 0);
        g_assert_cmpint(p.was_mounted, ==, rows[i].wanted);
    }
}

static void run_resumed(gconstpointer data) {
    const Resumed *c = data;
    _cleanup_(facts_done) Facts before = {}, f = {};
    _cleanup_(volume_request_done) VolumeRequest q = {};
    _cleanup_(plan_done) Plan record = {}, p = {};
    _cleanup_(refusal_done) Refusal refusal = {};
    g_autofree char *text = NULL, *more = NULL;
    unsigned n = 0;
    int r;

    request_make(c->request, c->has_key, &q);
    machine_make(c->before ?: DISK("vdb", "") "," DISK("vdc", ""), ",'place_type':'empty'", "/data",
                 &before);
    more = g_strconcat(strstr(c->more, "place_type") ? "" : ",'place_type':'empty'", c->more, NULL);
    machine_make(c->blocks, more, "/data", &f);
    g_assert_cmpint(plan_mount(&before, &q, NULL, 0, next_uuid, &n, &record, &refusal), ==, 0);
    g_assert_cmpuint(record.n_steps, ==, strlen(c->states));
    for (size_t i = 0; i < record.n_steps; i++)
        record.steps[i].state = c->states[i] == '+'   ? STEP_DONE
                                : c->states[i] == '~' ? STEP_BEGUN
                                                      : STEP_PENDING;
    q.force = c->force;
    r = plan_mount(&f, &q, &record, 1, next_uuid, &n, &p, &refusal);
    g_assert_cmpint(r, >=, 0);
    text = r == 1 ? g_strdup(refusal.code) : plan_to_text(&p);
    if (r == 1)
        g_test_message("%s", refusal.text);
    g_assert_cmpstr(text, ==, c->result);
    if (r == 0 && strpbrk(text, "+~")) /* else it began anew */
        g_assert_cmpstr(p.fs_uuid ?: record.fs_uuid, ==, record.fs_uuid);
}

/* What another request has begun, and did not end, is its own; what it ended, or never began, is
 * for the signatures to tell. */
static void test_unfinished(void) {
    static const struct {
        StepState state; /* of the other's format */
        const char *request, *result;
    } rows[] = {
        {STEP_PENDING, FORMAT("ext4", ",'mountPoint':'/srv'"), "format fstab mount"},
        {STEP_BEGUN, FORMAT("ext4", ",'mountPoint':'/srv'"), "format fstab mount"},
        {STEP_DONE, FORMAT("ext4", ",'mountPoint':'/srv'"), "format fstab mount"},
        {STEP_BEGUN, FORMAT("ext4", ",'mountPoint':'/srv','force':true"), "format fstab mount"},
        {STEP_BEGUN, EXISTING("ext4", ",'mountPoint':'/srv'"), "file-system"},
    };

    for (size_t i = 0; i < ELEMENTSOF(rows); i++)
        for (unsigned luks = 0; luks < 2; luks++) {
            _cleanup_(facts_done) Facts f = {};
            _cleanup_(volume_request_done) VolumeRequest first = {}, second = {};
            _cleanup_(plan_done) Plan record = {}, p = {};
            _cleanup_(refusal_done) Refusal refusal = {};
            g_autofree char *text = NULL;
            bool is_unfinished;
            unsigned n = 0;

            request_make(FORMAT("xfs", ""), luks, &first);
            request_make(rows[i].request, false, &second);
            machine_make(DISK("vdb", ""), ",'place_type':'empty'", "/data", &f);
            g_assert_cmpint(plan_mount(&f, &first, NULL, 0, next_uuid, &n, &record, &refusal), ==,
                            0);
            record.steps[0].state = rows[i].state; /* with LUKS, format is left */
            is_unfinished = rows[i].state == STEP_BEGUN || (luks && rows[i].state == STEP_DONE);
            g_assert_cmpint(free_and_strdup(&f.place, "/srv"), ==, 0);
            text = plan_mount(&f, &second, &record, 1, next_uuid, &n, &p, &refusal) == 1
                       ? g_strdup(refusal.code)
                       : plan_to_text(&p);
            g_assert_cmpstr(text, ==, is_unfinished ? "unfinished" : rows[i].result);
        }
}

/* Also those of what no disk shows, such as a name of a volume group. */
static void test_uuid(void) {
    _cleanup_(facts_done) Facts f = {};
    _cleanup_(volume_request_done) VolumeRequest q = {};
    _cleanup_(plan_done) Plan p = {};
    _cleanup_(refusal_done) Refusal refusal = {};
    unsigned n = 0;

    request_make(FORMAT("xfs", ""), true, &q);
    machine_make(DISK("vdb", ""), ",'uuids':['" U1 "','" U3 "']", "/data", &f);
    g_assert_cmpint(plan_mount(&f, &q, NULL, 0, next_uuid, &n, &p, &refusal), ==, 0);
    g_assert_cmpstr(p.luks_uuid, ==, U2);
    g_assert_cmpstr(p.fs_uuid, ==, "00000000-0000-0000-0000-000000000004");
}

/* The facts must be about the mount point of the request. */
static void test_other_place(void) {
    _cleanup_(facts_done) Facts f = {};
    _cleanup_(volume_request_done) VolumeRequest q = {};
    Refusal refusal;
    unsigned n = 0;
    Plan p;

    request_make(FORMAT("xfs", ""), true, &q);
    machine_make(DISK("vdb", ""), "", "/srv", &f);
    g_assert_cmpint(plan_mount(&f, &q, NULL, 0, next_uuid, &n, &p, &refusal), ==, -EINVAL);
}

int main(int argc, char *argv[]) {
    g_test_init(&argc, &argv, NULL);
    cases_add("/volume-plan", cases, ELEMENTSOF(cases));
    for (size_t i = 0; i < ELEMENTSOF(resumed); i++) {
        g_autofree char *path = g_strdup_printf("/volume-plan/resumed/%s", resumed[i].name);

        g_test_add_data_func(path, &resumed[i], run_resumed);
    }
    g_test_add_func("/volume-plan/unfinished", test_unfinished);
    g_test_add_func("/volume-plan/mounted-before", test_mounted_before);
    g_test_add_func("/volume-plan/uuid", test_uuid);
    g_test_add_func("/volume-plan/other-place", test_other_place);
    return g_test_run();
}
