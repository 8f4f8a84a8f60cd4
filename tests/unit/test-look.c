/* SPDX-License-Identifier: Apache-2.0 */
/* What dcm-volume sees, as far as that needs no disks: signatures in a file, all of them and those
 * of a member of an array; Amazon's name of a volume in the answer of its NVMe controller; which
 * devices the system lies on; mounts and swap from tables of PID 1; what is at a mount point.
 * tests/vm/test-devices does the rest on real disks. */
#include <endian.h>
#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <linux/raid/md_p.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "basic/fd-util.h"
#include "dcm-volume/look-key.h"
#include "dcm-volume/look-mount.h"
#include "dcm-volume/look-nvme.h"
#include "dcm-volume/look-place.h"
#include "dcm-volume/look-probe.h"
#include "dcm-volume/look-root.h"
#include "temporary.h"

/* --- Amazon -------------------------------------------------------------------------------------
 */

/* An answer as NVM Express and Amazon document it. */
static void make_answer(uint8_t *answer, uint16_t vendor, const char *name) {
    memset(answer, 0, NVME_IDENTIFY_SIZE);
    answer[0] = vendor & 0xff;
    answer[1] = vendor >> 8;
    memcpy(answer + 4, "vol0123456789abcdef0", 20);
    memcpy(answer + 24, "Amazon Elastic Block Store              ", 40);
    memset(answer + 3072, ' ', 32);
    memcpy(answer + 3072, name, MIN(strlen(name), (size_t)32));
}

static void check_name(uint16_t vendor, const char *name, const char *wanted) {
    uint8_t answer[NVME_IDENTIFY_SIZE];
    g_autofree char *found = NULL;

    make_answer(answer, vendor, name);
    g_assert_cmpint(nvme_parse_identify(answer, &found), ==, 0);
    g_assert_cmpstr(found, ==, wanted);
}

static void test_amazon(void) {
    uint8_t answer[NVME_IDENTIFY_SIZE];
    g_autofree char *found = NULL;

    check_name(0x1d0f, "/dev/sdf", "sdf");
    check_name(0x1d0f, "xvdba", "xvdba");
    check_name(0x1d0f, "sdf1", "sdf1");
    check_name(0x1d0f, "abcdefghijklmnopqrstuvwxyz012345", "abcdefghijklmnopqrstuvwxyz012345");
    check_name(0x1d0f, "", NULL);
    check_name(0x1d0f, "/dev/", NULL);
    check_name(0x1d0f, "../sda", NULL);
    check_name(0x1d0f, "sdf sdg", NULL);
    check_name(0x1d0f, "sdf\n", NULL);
    check_name(0x1b36, "/dev/sdf", NULL); /* the emulator's */
    make_answer(answer, 0x1d0f, "/dev/sdg");
    memset(answer + 3072 + 8, 0, 24); /* padded with NUL */
    g_assert_cmpint(nvme_parse_identify(answer, &found), ==, 0);
    g_assert_cmpstr(found, ==, "sdg");
}

/* --- signatures ---------------------------------------------------------------------------------
 */

static void done_block(Block *b) {
    Facts f = {.blocks = g_memdup2(b, sizeof(*b)), .n_blocks = 1};

    facts_done(&f);
}

#define _cleanup_block_ _cleanup_(done_block)

static int make_file(const char *dir, size_t size) {
    g_autofree char *path = g_build_filename(dir, "disk", NULL);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    g_assert_cmpint(fd, >=, 0);
    g_assert_cmpint(ftruncate(fd, (off_t)size), ==, 0);
    return fd;
}

static void put(int fd, off_t offset, const void *data, size_t size) {
    g_assert_cmpint(pwrite(fd, data, size, offset), ==, (ssize_t)size);
}

static const Signature *find_signature(const Block *b, const char *type) {
    for (size_t i = 0; i < b->n_signatures; i++)
        if (streq(b->signatures[i].type, type))
            return &b->signatures[i];
    return NULL;
}

static void test_blank(void) {
    _cleanup_temporary_ char *dir = temporary_new();
    _cleanup_close_ int fd = make_file(dir, 1 << 20);
    _cleanup_block_ Block b = {};

    g_assert_cmpint(probe_signatures(fd, &b), ==, 0);
    g_assert_cmpuint(b.n_signatures, ==, 0);
}

static void assert_random(int fd, bool wanted) {
    bool found = !wanted;

    g_assert_cmpint(probe_looks_random(fd, &found), ==, 0);
    g_assert_cmpint(found, ==, wanted);
}

/* Blocks of random bytes look random; zeros, text and what is only in part random do not. */
static void test_random(void) {
    static const char text[] = "All happy families are alike; each unhappy family is unhappy. ";
    _cleanup_temporary_ char *dir = temporary_new();
    _cleanup_close_ int fd = make_file(dir, 1 << 20);
    g_autoptr(GRand) random = g_rand_new_with_seed(17);
    _cleanup_close_ int dir_fd = -1;
    unsigned char bytes[4096];
    bool is_random;

    assert_random(fd, false);
    for (unsigned n = 0; n < 1000; n++) {
        for (size_t i = 0; i < sizeof(bytes); i++)
            bytes[i] = (unsigned char)g_rand_int_range(random, 0, 256);
        put(fd, 0, bytes, sizeof(bytes));
        assert_random(fd, true);
    }
    put(fd, 0, (const char[1024]){}, 1024);
    assert_random(fd, false);
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (unsigned char)text[i % strlen(text)];
    put(fd, 0, bytes, sizeof(bytes));
    assert_random(fd, false);
    /* what cannot be read is not taken for blank */
    dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    g_assert_cmpint(probe_looks_random(dir_fd, &is_random), ==, -EISDIR);
}

/* A key is known by its file, by what a cut has left of that, or by our drop-in alone. */
static void test_sealed(void) {
    _cleanup_temporary_ char *dir = temporary_new();
    g_autofree char *keys = g_build_filename(dir, "keys", NULL),
                    *units = g_build_filename(dir, "units", NULL);
    _cleanup_(facts_done) Facts f = {};

    g_assert_cmpint(look_sealed(&f, keys, units), ==, 0); /* neither is there */
    g_assert_null(f.sealed);
    g_assert_cmpint(g_mkdir(keys, 0700), ==, 0);
    g_assert_cmpint(g_mkdir(units, 0755), ==, 0);
    temporary_write(keys, "esa.cred", "x", 1);
    temporary_write(keys, "esb.cred.new", "x", 1);
    temporary_write(keys, "0123.json", "x", 1);
    temporary_write(keys, ".cred", "x", 1);
    for (unsigned i = 0; i < 3; i++) {
        static const char *const names[] = {"systemd-cryptsetup@esa.service.d",
                                            "systemd-cryptsetup@es\\x2dc.service.d",
                                            "systemd-cryptsetup@theirs.service.d"};
        g_autofree char *directory = g_build_filename(units, names[i], NULL);

        g_assert_cmpint(g_mkdir(directory, 0755), ==, 0);
        temporary_write(directory, i == 2 ? "other.conf" : "dcm-volume.conf", "x", 1);
    }
    g_assert_cmpint(look_sealed(&f, keys, units), ==, 0);
    g_assert_cmpuint(g_strv_length(f.sealed), ==, 3);
    g_assert_true(g_strv_contains((const char *const *)f.sealed, "esa") &&
                  g_strv_contains((const char *const *)f.sealed, "esb") &&
                  g_strv_contains((const char *const *)f.sealed, "es-c"));
}

/* swap, a partition table and LUKS at once: each is somebody's */
static void test_all_signatures(void) {
    static const uint8_t uuid[16] = {0x12, 0x34, 0x56, 0x78, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    static const uint8_t partition[16] = {0, 0, 0, 0, 0x83, 0, 0, 0, 1, 0, 0, 0, 100, 0, 0, 0};
    _cleanup_temporary_ char *dir = temporary_new();
    _cleanup_close_ int fd = make_file(dir, 1 << 20);
    _cleanup_block_ Block b = {};
    const Signature *s;
    uint32_t version = 1, last = 255;

    put(fd, 4096 - 10, "SWAPSPACE2", 10);
    put(fd, 1024, &version, 4);
    put(fd, 1028, &last, 4);
    put(fd, 1036, uuid, 16);
    put(fd, 1052, "old swap", 8);
    put(fd, 446, partition, 16);
    put(fd, 510, "\x55\xaa", 2);
    g_assert_cmpint(probe_signatures(fd, &b), ==, 0);
    s = find_signature(&b, "swap");
    g_assert_nonnull(s);
    g_assert_cmpstr(s->usage, ==, "other");
    g_assert_cmpstr(s->uuid, ==, "12345678-0102-0304-0506-0708090a0b0c");
    g_assert_cmpstr(s->label, ==, "old swap");
    s = find_signature(&b, "dos");
    g_assert_nonnull(s);
    g_assert_cmpstr(s->usage, ==, "partition-table");
    g_assert_cmpuint(b.n_signatures, ==, 2);
}

/* version 1.2: 4 KiB behind the begin */
static void test_member(void) {
    _cleanup_temporary_ char *dir = temporary_new();
    _cleanup_close_ int fd = make_file(dir, 4 << 20);
    struct mdp_superblock_1 super = {
        .magic = htole32(MD_SB_MAGIC),
        .major_version = htole32(1),
        .set_uuid = {0xaa, 0xbb, 0xcc, 0xdd, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0xa, 0xb},
        .set_name = "any:data",
        .level = htole32(5),
        .raid_disks = htole32(3),
        .super_offset = htole64(8),
        .events = htole64(UINT64_C(1) << 33),
        .resync_offset = htole64(4096),
    };
    _cleanup_block_ Block b = {}, clean = {};

    put(fd, 4096, &super, sizeof(super));
    g_assert_cmpint(probe_signatures(fd, &b), ==, 0);
    g_assert_cmpuint(b.n_signatures, ==, 1);
    g_assert_cmpstr(b.signatures[0].type, ==, "linux_raid_member");
    g_assert_cmpstr(b.signatures[0].usage, ==, "raid");
    g_assert_cmpstr(b.signatures[0].uuid, ==, "aabbccdd-0001-0203-0405-060708090a0b");
    g_assert_cmpstr(b.member_level, ==, "raid5");
    g_assert_cmpuint(b.member_disks, ==, 3);
    g_assert_cmpuint(b.member_events, ==, UINT64_C(1) << 33);
    g_assert_true(b.member_dirty);
    super.resync_offset = UINT64_MAX;
    put(fd, 4096, &super, sizeof(super));
    g_assert_cmpint(probe_signatures(fd, &clean), ==, 0);
    g_assert_false(clean.member_dirty);
}

/* An array that was not started has the UUID of its member. */
static void test_array_uuid(void) {
    Block blocks[] = {
        {.name = (char *)"md0", .type = BLOCK_ARRAY, .slaves = (char *[]){(char *)"sda", NULL}},
        {.name = (char *)"sda",
         .signatures = &(Signature){.type = (char *)"linux_raid_member",
                                    .uuid = (char *)"aabbccdd-0001-0203-0405-060708090a0b"},
         .n_signatures = 1},
        {.name = (char *)"md1",
         .type = BLOCK_ARRAY,
         .array_uuid = (char *)"known",
         .slaves = (char *[]){(char *)"sda", NULL}},
    };
    Facts f = {.blocks = blocks, .n_blocks = G_N_ELEMENTS(blocks)};

    g_assert_cmpint(complete_arrays(&f), ==, 0);
    g_assert_cmpstr(blocks[0].array_uuid, ==, "aabbccdd:00010203:04050607:08090a0b");
    g_assert_cmpstr(blocks[2].array_uuid, ==, "known");
    free(blocks[0].array_uuid);
}

/* --- the system's devices -----------------------------------------------------------------------
 */

static char **one(const char *name) {
    char **list = g_new0(char *, 2);

    list[0] = strdup(name);
    return list;
}

static Block *add_block(Facts *f, const char *name, const char *parent, const char *slave) {
    Block *b;

    f->blocks = g_renew(Block, f->blocks, f->n_blocks + 1);
    b = &f->blocks[f->n_blocks++];
    *b = (Block){.name = strdup(name), .minor = (unsigned)f->n_blocks, .major = 240};
    b->parent = parent ? strdup(parent) : NULL;
    b->slaves = slave ? one(slave) : NULL;
    return b;
}

static void add_mount(Facts *f, const char *block, const char *target) {
    f->mounts = g_renew(Mount, f->mounts, f->n_mounts + 1);
    f->mounts[f->n_mounts++] = (Mount){.source = strdup("x"),
                                       .block = strdup(block),
                                       .target = strdup(target),
                                       .fs_type = strdup("ext4")};
}

static char *root_names(const Facts *f) {
    g_autoptr(GString) names = g_string_new("");

    for (size_t i = 0; i < f->n_blocks; i++)
        if (f->blocks[i].is_root)
            g_string_append_printf(names, "%s ", f->blocks[i].name);
    return g_string_free(g_steal_pointer(&names), FALSE);
}

/* / on a logical volume on LUKS on a partition: all of these, the disk, and its other partitions;
 * but not another volume of the group, nor another disk */
static void test_root(void) {
    _cleanup_(facts_done) Facts f = {};
    g_autofree char *names = NULL;

    add_block(&f, "sda", NULL, NULL);
    add_block(&f, "sda1", "sda", NULL);
    add_block(&f, "sda2", "sda", NULL);
    add_block(&f, "sda3", "sda", NULL);
    add_block(&f, "dm-0", NULL, "sda2"); /* LUKS */
    add_block(&f, "dm-1", NULL, "dm-0"); /* the root */
    add_block(&f, "dm-2", NULL, "dm-0"); /* data */
    add_block(&f, "sdb", NULL, NULL);
    add_block(&f, "sdb1", "sdb", NULL);
    add_block(&f, "sdc", NULL, NULL);
    add_block(&f, "sdc1", "sdc", NULL);
    add_mount(&f, "dm-1", "/");
    add_mount(&f, "sdb1", "/srv");
    add_mount(&f, "dm-2", "/data");
    mark_root(&f);
    names = root_names(&f);
    g_assert_cmpstr(names, ==, "sda sda1 sda2 sda3 dm-0 dm-1 ");
}

static void test_directories_of_the_system(void) {
    static const char *const system[] = {"/", "/usr", "/var", "/boot", "/boot/efi", "/efi"};

    for (size_t i = 0; i < G_N_ELEMENTS(system); i++) {
        _cleanup_(facts_done) Facts f = {};
        g_autofree char *names = NULL;

        add_block(&f, "vda", NULL, NULL);
        add_block(&f, "vda1", "vda", NULL);
        add_block(&f, "vdb", NULL, NULL);
        add_mount(&f, "vda1", system[i]);
        add_mount(&f, "vdb", "/var/lib/data");
        mark_root(&f);
        names = root_names(&f);
        g_assert_cmpstr(names, ==, "vda vda1 ");
    }
}

/* one file system on two disks: the mount names one of them */
static void test_root_on_btrfs(void) {
    _cleanup_(facts_done) Facts f = {};
    g_autofree char *names = NULL;

    for (int i = 0; i < 3; i++) {
        const char *const disks[] = {"vda", "vdb", "vdc"}, *const uuids[] = {"u1", "u1", "u2"};
        Block *b = add_block(&f, disks[i], NULL, NULL);

        b->signatures = g_new0(Signature, 1);
        b->signatures[0] = (Signature){.type = strdup("btrfs"), .uuid = strdup(uuids[i])};
        b->n_signatures = 1;
    }
    add_mount(&f, "vda", "/");
    mark_root(&f);
    names = root_names(&f);
    g_assert_cmpstr(names, ==, "vda vdb ");
}

/* --- tables of PID 1 ----------------------------------------------------------------------------
 */

static void test_mounts(void) {
    static const char table[] =
        "20 1 240:1 / / rw,relatime shared:1 - ext4 /dev/root rw\n"
        "21 20 0:20 / /proc rw,nosuid - proc proc rw\n"
        "22 20 240:2 /sub /srv/with\\040blank ro,relatime - ext4 /dev/mapper/data rw,errors=panic\n"
        "23 20 0:30 / /net rw - nfs server:/export rw\n";
    _cleanup_temporary_ char *dir = temporary_new();
    g_autofree char *path = g_build_filename(dir, "mountinfo", NULL);
    _cleanup_(facts_done) Facts f = {};

    temporary_write(dir, "mountinfo", table, strlen(table));
    add_block(&f, "vda", NULL, NULL);
    add_block(&f, "dm-0", NULL, NULL);
    g_assert_cmpint(look_mounts_file(&f, path), ==, 0);
    g_assert_cmpuint(f.n_mounts, ==, 4);
    g_assert_cmpstr(f.mounts[0].block, ==, "vda");
    g_assert_cmpstr(f.mounts[0].target, ==, "/");
    g_assert_false(f.mounts[0].read_only);
    g_assert_null(f.mounts[1].block);
    g_assert_cmpstr(f.mounts[2].block, ==, "dm-0");
    g_assert_cmpstr(f.mounts[2].target, ==, "/srv/with blank");
    g_assert_true(f.mounts[2].read_only);
    g_assert_null(f.mounts[3].block);
    g_assert_cmpstr(f.mounts[3].source, ==, "server:/export");
}

/* --- a mount point ------------------------------------------------------------------------------
 */

static PlaceType place(const Facts *f, const char *dir, const char *name) {
    g_autofree char *path = g_build_filename(dir, name, NULL);
    PlaceType type = PLACE_OTHER;

    g_assert_cmpint(look_place(f, path, &type), ==, 0);
    return type;
}

static void test_place(void) {
    _cleanup_temporary_ char *dir = temporary_new();
    g_autofree char *empty = g_build_filename(dir, "empty", NULL);
    g_autofree char *full = g_build_filename(dir, "full", "below", NULL);
    g_autofree char *link = g_build_filename(dir, "link", NULL);
    g_autofree char *mounted = g_build_filename(dir, "mounted", NULL);
    _cleanup_(facts_done) Facts f = {};

    g_assert_cmpint(mkdir(empty, 0700), ==, 0);
    g_assert_cmpint(g_mkdir_with_parents(full, 0700), ==, 0);
    g_assert_cmpint(symlink("empty", link), ==, 0);
    temporary_write(dir, "file", "x", 1);
    add_mount(&f, "vda", mounted);
    g_assert_cmpint(place(&f, dir, "absent"), ==, PLACE_ABSENT);
    g_assert_cmpint(place(&f, dir, "absent/below"), ==, PLACE_ABSENT);
    g_assert_cmpint(place(&f, dir, "empty"), ==, PLACE_EMPTY);
    g_assert_cmpint(place(&f, dir, "full"), ==, PLACE_FULL);
    g_assert_cmpint(place(&f, dir, "full/below"), ==, PLACE_EMPTY);
    g_assert_cmpint(place(&f, dir, "link"), ==, PLACE_LINK);
    g_assert_cmpint(place(&f, dir, "link/below"), ==, PLACE_LINK);
    g_assert_cmpint(place(&f, dir, "file"), ==, PLACE_OTHER);
    g_assert_cmpint(place(&f, dir, "file/below"), ==, PLACE_OTHER);
    g_assert_cmpint(place(&f, dir, "mounted"), ==, PLACE_MOUNT_POINT);
}

int main(int argc, char *argv[]) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/look/amazon", test_amazon);
    g_test_add_func("/look/signatures/none", test_blank);
    g_test_add_func("/look/signatures/random", test_random);
    g_test_add_func("/look/signatures/sealed", test_sealed);
    g_test_add_func("/look/signatures/all", test_all_signatures);
    g_test_add_func("/look/signatures/member", test_member);
    g_test_add_func("/look/array-uuid", test_array_uuid);
    g_test_add_func("/look/root", test_root);
    g_test_add_func("/look/root/directories", test_directories_of_the_system);
    g_test_add_func("/look/root/btrfs", test_root_on_btrfs);
    g_test_add_func("/look/mounts", test_mounts);
    g_test_add_func("/look/place", test_place);
    return g_test_run();
}
