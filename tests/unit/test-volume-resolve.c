/* SPDX-License-Identifier: Apache-2.0 */
/* Proves which device each name means, on machines as Amazon, Google, Azure and CloudStack make
 * them, as their links and disks were recorded; and that what is not clear is refused. */
#include "volume-machine.h"
#include "volume/block.h"
#include "volume/resolve.h"

#define NVME(n, serial, wanted)                                                                    \
    "{'name':'nvme" n "n1','type':'disk','size_bytes':" GIB ",'model':'Amazon Elastic Block "      \
    "Store','serial':'" serial "','wanted_name':'" wanted                                          \
    "','links':['disk/by-id/nvme-Amazon_Elastic_Block_Store_" serial "']}"
#define AMAZON NVME("1", "vol0123456789abcdef0", "/dev/sdf") "," NVME("2", "vol0aaa", "xvdg")
#define PLAIN(name, more) "{'name':'" name "','type':'disk','size_bytes':" GIB more "}"
#define LINKS(links) ",'links':[" links "]"
#define GOOGLE                                                                                     \
    PLAIN("sdb",                                                                                   \
          LINKS("'disk/by-id/google-data-1','disk/by-id/scsi-0Google_PersistentDisk_data-1'"))     \
    "," PLAIN("sdc", LINKS("'disk/by-id/scsi-0Google_PersistentDisk_data-2'"))
#define AZURE                                                                                      \
    PLAIN("sdb", LINKS("'disk/azure/resource'"))                                                   \
    "," PLAIN("sdc", LINKS("'disk/azure/scsi1/lun0'")) "," PLAIN("sdd", LINKS("'disk/azure/scsi1/" \
                                                                              "lun1'"))
#define PATH(name) PLAIN(name, ",'serial':'s','model':'m','busy':true,'holders':['dm-0']")
#define MULTIPATH                                                                                  \
    PATH("sdb")                                                                                    \
    "," PATH("sdc") ",{'name':'dm-0','type':'other','size_bytes':" GIB                             \
                    ",'dm_name':'mpatha','dm_uuid':'mpath-3600','slaves':['sdb','sdc'],"           \
                    "'links':['mapper/mpatha']}"

static const struct {
    const char *blocks;
    const char *name;
    const char *result; /* the block, or the code of the refusal */
} cases[] = {
    {PLAIN("vdb", ""), "vdb", "vdb"},
    {PLAIN("vdb", ""), "/dev/vdb", "vdb"},
    {PLAIN("vdb", ""), "/dev/vdc", "missing"},
    {PLAIN("vdb", ""), "sdb", "missing"},
    {PLAIN("vdb", LINKS("'disk/by-path/pci-1'")), "/dev/disk/by-path/pci-1", "vdb"},
    {PLAIN("vdb", LINKS("'disk/by-id/virtio-x'")), "disk/by-id/virtio-x", "vdb"},
    {PLAIN("vdb", LINKS("'disk/by-id/virtio-x'")), "virtio-x", "vdb"},
    {PLAIN("vdb", LINKS("'disk/by-id/virtio-x'")), "virtio", "missing"},
    {PLAIN("vdb", ""), "/dev/", "missing"},
    {PLAIN("vdb", ""), "", "missing"},
    {PLAIN("xvdf", ""), "sdf", "xvdf"},
    {PLAIN("xvdf", ""), "/dev/sdf", "xvdf"},
    {PLAIN("xvdf", ""), "xvdf", "xvdf"},
    {PLAIN("sdf", ""), "xvdf", "missing"},
    {PLAIN("sdf", "") "," PLAIN("xvdf", ""), "sdf", "sdf"},
    {AMAZON, "sdf", "nvme1n1"},
    {AMAZON, "/dev/xvdf", "nvme1n1"},
    {AMAZON, "/dev/sdg", "nvme2n1"},
    {AMAZON, "nvme2n1", "nvme2n1"},
    {AMAZON, "vol-0123456789abcdef0", "nvme1n1"},
    {AMAZON, "vol0123456789abcdef0", "nvme1n1"},
    {AMAZON, "vol-0123", "missing"},
    {AMAZON, "vol-", "missing"},
    {AMAZON, "sdh", "missing"},
    {AMAZON "," PLAIN("sdf", ""), "sdf", "ambiguous"},
    {AMAZON "," PLAIN("xvdf", ""), "sdf", "nvme1n1"},
    {AMAZON "," PLAIN("xvdf", ""), "xvdf", "ambiguous"},
    {AMAZON "," NVME("3", "vol0bbb", "sdf"), "sdf", "ambiguous"},
    {GOOGLE, "data-1", "sdb"},
    {GOOGLE, "google-data-1", "sdb"},
    {GOOGLE, "data-2", "sdc"},
    {GOOGLE, "data-3", "missing"},
    {GOOGLE, "data", "missing"},
    {AZURE, "0", "sdc"},
    {AZURE, "1", "sdd"},
    {AZURE, "lun1", "sdd"},
    {AZURE, "2", "missing"},
    {AZURE, "lun", "missing"},
    {PLAIN("xvdb", "") "," PLAIN("xvde", "") "," PLAIN("xvdj", ""), "1", "xvdb"},
    {PLAIN("xvdb", "") "," PLAIN("xvde", "") "," PLAIN("xvdj", ""), "4", "xvde"},
    {PLAIN("xvdb", "") "," PLAIN("xvde", "") "," PLAIN("xvdj", ""), "9", "xvdj"},
    {PLAIN("xvdd", ""), "3", "missing"},
    {PLAIN("xvda", ""), "0", "missing"},
    {PLAIN("xvdk", ""), "10", "missing"},
    {PLAIN("vdc", ""), "2", "vdc"},
    {PLAIN("sdc", ""), "2", "sdc"},
    {PLAIN("vdc", "") "," PLAIN("sdc", ""), "2", "ambiguous"},
    {MULTIPATH, "sdb", "dm-0"},
    {MULTIPATH, "mpatha", "dm-0"},
    {MULTIPATH, "/dev/mapper/mpatha", "dm-0"},
};

static void test_cases(void) {
    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        _cleanup_(facts_done) Facts f = {};
        _cleanup_(refusal_done) Refusal refusal = {};
        const Block *b = NULL;
        int r;

        machine_make(cases[i].blocks, "", "/data", &f);
        r = resolve_device(&f, cases[i].name, &b, &refusal);
        if (!streq(r == 1 ? refusal.code : b->name, cases[i].result))
            g_error("case %zu, %s: %s", i, cases[i].name, r == 1 ? refusal.text : b->name);
    }
}

/* The refusal names both. */
static void test_ambiguous(void) {
    _cleanup_(facts_done) Facts f = {};
    _cleanup_(refusal_done) Refusal refusal = {};
    const Block *b = NULL;

    machine_make(AMAZON "," PLAIN("sdf", ""), "", "/data", &f);
    g_assert_cmpint(resolve_device(&f, "sdf", &b, &refusal), ==, 1);
    g_assert_nonnull(strstr(refusal.text, "nvme1n1"));
    g_assert_nonnull(strstr(refusal.text, "sdf (1.0 GiB)"));
}

static const struct {
    const char *blocks;
    const char *names[3];
    const char *text; /* NULL: they are two devices */
} pairs[] = {
    {PLAIN("vdb", "") "," PLAIN("vdc", ""), {"vdb", "/dev/vdc"}, NULL},
    {PLAIN("vdb", ""), {"vdb", "/dev/vdb"}, "are one device"},
    {AMAZON, {"sdf", "vol-0123456789abcdef0"}, "are one device"},
    {MULTIPATH, {"sdb", "sdc"}, "are one device"},
    {PLAIN("sdb", ",'serial':'s'") "," PLAIN("sdc", ",'serial':'s'"),
     {"sdb", "sdc"},
     "two paths to one disk"},
    {PLAIN("nvme0n1", ",'serial':'s'") "," PLAIN("nvme0n2", ",'serial':'s'"),
     {"nvme0n1", "nvme0n2"},
     NULL},
    {PLAIN("vdb", "") ",{'name':'vdb1','type':'partition','parent':'vdb','size_bytes':" GIB "}",
     {"vdb", "vdb1"},
     "lie on each other"},
    {PLAIN("vdb", ",'holders':['dm-3']") ",{'name':'dm-3','type':'logical','slaves':['vdb'],"
                                         "'size_bytes':" GIB "}",
     {"dm-3", "vdb"},
     "lie on each other"},
};

static void test_pairs(void) {
    for (size_t i = 0; i < ELEMENTSOF(pairs); i++) {
        _cleanup_(facts_done) Facts f = {};
        _cleanup_(refusal_done) Refusal refusal = {};
        const Block *blocks[2];
        int r;

        machine_make(pairs[i].blocks, "", "/data", &f);
        r = resolve_devices(&f, (char *const *)pairs[i].names, NULL, NULL, blocks, &refusal);
        if (r != (pairs[i].text != NULL) || (r == 1 && !strstr(refusal.text, pairs[i].text)))
            g_error("pair %zu: %d, %s", i, r, refusal.text);
    }
}

/* Which of its links is kept in a record. */
static void test_path(void) {
    static const struct {
        const char *links, *path;
    } paths[] = {
        {"", "/dev/vdb"},
        {",'links':['disk/by-path/p','disk/by-uuid/u']", "/dev/disk/by-path/p"},
        {",'links':['disk/by-id/wwn-1','disk/by-id/scsi-1','disk/by-path/p']",
         "/dev/disk/by-id/scsi-1"},
        {",'links':['disk/by-id/nvme-b','disk/by-id/nvme-a']", "/dev/disk/by-id/nvme-a"},
        {",'links':['disk/by-id/lvm-pv-uuid-1','disk/by-id/md-name-x']", "/dev/vdb"},
        {",'dm_name':'x'", "/dev/mapper/x"},
    };

    for (size_t i = 0; i < ELEMENTSOF(paths); i++) {
        g_autofree char *blocks = g_strdup_printf("{'name':'vdb','type':'disk'%s}", paths[i].links);
        _cleanup_(facts_done) Facts f = {};
        _cleanup_free_ char *path = NULL;

        machine_make(blocks, "", "/data", &f);
        g_assert_cmpint(block_path(facts_find(&f, "vdb"), &path), ==, 0);
        g_assert_cmpstr(path, ==, paths[i].path);
    }
    g_assert_true(identity_is("/dev/a serial x size 1", "/dev/a serial x size 2"));
    g_assert_false(identity_is("/dev/a serial x size 1", "/dev/a serial y size 1"));
    g_assert_true(
        uuid_is("aabbccdd-0011-2233-4455-66778899AABB", "AABBCCDD:00112233:44556677:8899aabb"));
    g_assert_false(uuid_is("aabb", "aabbc") || uuid_is("aabbc", "aabb") || uuid_is("", ""));
}

int main(int argc, char *argv[]) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/volume-resolve/cases", test_cases);
    g_test_add_func("/volume-resolve/ambiguous", test_ambiguous);
    g_test_add_func("/volume-resolve/pairs", test_pairs);
    g_test_add_func("/volume-resolve/path", test_path);
    return g_test_run();
}
