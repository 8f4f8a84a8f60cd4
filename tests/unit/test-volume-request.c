/* SPDX-License-Identifier: Apache-2.0 */
/* Proves which requests are taken, what is said of the others, and what makes two requests the
 * same. */
#include "volume-machine.h"

#define REQUEST(more) "{'formatVolume':true,'fileSystem':'ext4','devices':['vdb']" more "}"
#define RAID(level, devices)                                                                       \
    "{'formatVolume':true,'fileSystem':'ext4','raidLevel':" level ",'devices':" devices "}"

static const struct {
    const char *request, *problem; /* NULL: none */
    bool has_key;
} cases[] = {
    {REQUEST(""), NULL},
    {REQUEST(",'dry_run':true"), NULL},
    {"[]", "not a JSON object"},
    {"{}", "formatVolume is missing"},
    {"{'formatVolume':'yes'}", "formatVolume is neither true nor false"},
    {"{'formatVolume':true}", "fileSystem is missing"},
    {"{'formatVolume':true,'fileSystem':'zfs','devices':[]}", "it can be ext3, ext4, xfs or btrfs"},
    {"{'formatVolume':true,'fileSystem':'xfs'}", "devices is missing"},
    {"{'formatVolume':true,'fileSystem':'xfs','devices':'vdb'}", "devices is not a list"},
    {"{'formatVolume':true,'fileSystem':'xfs','devices':['']}", "entry 1 is not the name"},
    {"{'formatVolume':true,'fileSystem':'xfs','devices':[1]}", NULL},
    {"{'formatVolume':true,'fileSystem':'xfs','devices':[1.5]}", "entry 1 is not the name"},
    {"{'formatVolume':true,'fileSystem':'xfs','devices':[]}", NULL},
    {RAID("'NONE'", "['a','b']"), "name one, or a level"},
    {RAID("'RAID1'", "['a','b']"), NULL},
    {RAID("'raid10'", "['a','b']"), NULL},
    {RAID("'RAID2'", "['a','b']"), "it can be NONE, RAID0"},
    {RAID("'RAID'", "['a','b']"), "it can be NONE, RAID0"},
    {RAID("1", "['a','b']"), "raidLevel is not a text"},
    {REQUEST(",'degarded':true"), "degarded is not an argument"},
    {REQUEST(",'encryptedFsEncryptionKey':'secret'"), "it must come as a file", true},
    {REQUEST(",'encryptedFsEncryptionKey':null"), NULL, true},
    {REQUEST(",'mountPoint':'data'"), "does not begin with a slash"},
    {REQUEST(",'mountPoint':'/data/../etc'"), "without . and .."},
    {REQUEST(",'mountPoint':'/data/.'"), "without . and .."},
    {REQUEST(",'mountPoint':'/da\\nta'"), "cannot be printed"},
    {REQUEST(",'mountPoint':'/..data/a..'"), NULL},
    {REQUEST(",'mountPoint':''"), "mountPoint is empty"},
    {REQUEST(",'label':'0123456789abcdef'"), NULL},
    {REQUEST(",'label':'0123456789abcdefg'"), "ext4 takes at most 16"},
    {REQUEST(",'label':'a/b'"), "slash"},
    {"{'formatVolume':false,'fileSystem':'ext4','devices':['vdb'],'label':'x'}",
     "formatVolume is false"},
    {REQUEST(",'options':'noatime,discard,errors=remount-ro'"), NULL},
    {REQUEST(",'options':'noatime,bind'"), "\"bind\", which cannot be chosen"},
    {REQUEST(",'options':'loop=/dev/loop0'"), "\"loop\""},
    {REQUEST(",'options':'x-systemd.automount'"), NULL},
    {REQUEST(",'options':'noatime,ro'"), "\"ro\", but formatVolume is true"},
    {"{'formatVolume':false,'fileSystem':'ext4','devices':['vdb'],'options':'ro'}", NULL},
    {REQUEST(",'options':'a b'"), "separate options by commas"},
    {REQUEST(",'options':''"), "options is empty"},
    {REQUEST(",'unlock_at_boot':true"), "needs encryptedFsEncryptionKey"},
    {REQUEST(",'unlock_at_boot':true"), NULL, true},
    {REQUEST(",'unlock_at_boot':true,'persistent':false"), "contradicts persistent", true},
    {REQUEST(",'force':1"), "force is neither"},
};

static void test_cases(void) {
    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        _cleanup_json_ struct json_object *o = json_of(cases[i].request);
        _cleanup_(volume_request_done) VolumeRequest q = {};
        _cleanup_free_ char *problem = NULL;
        int r = volume_request_parse(o, "/data", cases[i].has_key, &q, &problem);

        if (!cases[i].problem && r < 0)
            g_error("%s: %s", cases[i].request, problem);
        if (cases[i].problem && (r != -EINVAL || !strstr(problem, cases[i].problem)))
            g_error("%s: %d, %s", cases[i].request, r, problem);
    }
}

static void test_defaults(void) {
    _cleanup_(volume_request_done) VolumeRequest q = {};

    request_make(REQUEST(",'mountPoint':'//srv//a/'"), true, &q);
    g_assert_cmpstr(q.mount_point, ==, "/srv/a");
    g_assert_cmpint(q.raid_level, ==, -1);
    g_assert_true(q.format && q.encrypted && q.persistent);
    g_assert_false(q.force || q.degraded || q.unlock_at_boot);
    volume_request_done(&q);
    request_make("{'formatVolume':false,'fileSystem':'xfs','devices':[3]}", false, &q);
    g_assert_cmpstr(q.mount_point, ==, "/data");
    g_assert_cmpstr(q.devices[0], ==, "3");
    volume_request_done(&q);
    request_make(REQUEST(",'mountPoint':'/'"), false, &q);
    g_assert_cmpstr(q.mount_point, ==, "/");
}

static bool is_same(const char *a, bool key_a, const char *b, bool key_b) {
    _cleanup_(volume_request_done) VolumeRequest first = {}, second = {};
    char id[2][VOLUME_ID_SIZE];

    request_make(a, key_a, &first);
    request_make(b, key_b, &second);
    volume_request_id(&first, id[0]);
    volume_request_id(&second, id[1]);
    return streq(id[0], id[1]);
}

static void test_identity(void) {
    const char *raid = RAID("'RAID1'", "['a','b']");

    g_assert_true(is_same(REQUEST(""), false, REQUEST(",'force':true,'degraded':true"), false));
    g_assert_true(is_same(raid, false, RAID("'RAID1'", "['b','a']"), false));
    g_assert_false(is_same(raid, false, RAID("'RAID1'", "['b','c']"), false));
    g_assert_false(is_same(raid, false, RAID("'RAID1'", "['a','b','c']"), false));
    g_assert_false(is_same(raid, false, RAID("'RAID0'", "['a','b']"), false));
    g_assert_false(is_same(raid, false, raid, true));
    g_assert_false(is_same(REQUEST(""), false, REQUEST(",'mountPoint':'/b'"), false));
    g_assert_false(is_same(REQUEST(",'label':'x'"), false, REQUEST(",'options':'x'"), false));
    g_assert_false(is_same(REQUEST(""), false, REQUEST(",'persistent':false"), false));
}

static void test_options(void) {
    g_assert_true(mount_options_have("a,ro,b", "ro"));
    g_assert_true(mount_options_have("ro", "ro"));
    g_assert_true(mount_options_have("a,size=3", "size"));
    g_assert_false(mount_options_have("errors=remount-ro,rox", "ro"));
    g_assert_false(mount_options_have(NULL, "ro"));
}

/* Of what changes something, as of what mounts: a plan is what was asked for, or nothing is done.
 */
static void test_dry_run(void) {
    static const struct {
        const char *arguments;
        int r;
        bool is_dry;
    } rows[] = {{"{}", 0, false},
                {"{'dry_run':true}", 0, true},
                {"{'dry_run':false}", 0, false},
                {"{'dry_run':null}", 0, false},
                {"{'dry_run':'true'}", -EINVAL, false},
                {"{'dry_run':1}", -EINVAL, false}};

    for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
        _cleanup_json_ struct json_object *o = json_of(rows[i].arguments);
        _cleanup_free_ char *problem = NULL;
        bool is_dry = false;

        g_assert_cmpint(volume_request_dry_run(o, &is_dry, &problem), ==, rows[i].r);
        g_assert_cmpint(is_dry, ==, rows[i].is_dry);
        g_assert_cmpstr(problem, ==, rows[i].r < 0 ? "dry_run is neither true nor false" : NULL);
    }
}

static void test_name(void) {
    static const struct {
        const char *arguments, *problem; /* NULL: none */
    } rows[] = {
        {"{'deviceId':'/data'}", NULL},
        {"{'deviceId':3,'encrypted':true,'dry_run':false}", NULL},
        {"{}", "deviceId is missing"},
        {"{'deviceId':''}", "deviceId is missing"},
        {"{'deviceId':'/data','dryrun':true}", "dryrun is not an argument of unmount_volume"},
        {"{'deviceId':'/data','encryptedFsEncryptionKey':'x'}", "it must come as a file"}};

    for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
        _cleanup_json_ struct json_object *o = json_of(rows[i].arguments);
        _cleanup_free_ char *problem = NULL;
        const char *name = NULL;
        int r = volume_request_name(o, "unmount_volume", &name, &problem);

        g_assert_cmpint(r, ==, rows[i].problem ? -EINVAL : 0);
        if (rows[i].problem)
            g_assert_nonnull(strstr(problem, rows[i].problem));
        else
            g_assert_nonnull(name);
    }
}

static void test_path(void) {
    static const char *const paths[] = {"/data", "/data/sub", "/.data", "/development"},
                             *const others[] = {"",       "/",        "data",    "/data/",
                                                "//data", "/a//b",    "/a/../b", "/.",
                                                "/a/.",   "/dev/sdb", "/dev/shm"};
    g_autofree char *is_long = g_strnfill(300, '/');

    for (size_t i = 0; i < ELEMENTSOF(paths); i++)
        g_assert_true(volume_name_is_path(paths[i]));
    for (size_t i = 0; i < ELEMENTSOF(others); i++)
        g_assert_false(volume_name_is_path(others[i]));
    memset(is_long + 1, 'a', 299);
    g_assert_false(volume_name_is_path(is_long));
}

int main(int argc, char *argv[]) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/volume-request/cases", test_cases);
    g_test_add_func("/volume-request/defaults", test_defaults);
    g_test_add_func("/volume-request/identity", test_identity);
    g_test_add_func("/volume-request/options", test_options);
    g_test_add_func("/volume-request/dry-run", test_dry_run);
    g_test_add_func("/volume-request/name", test_name);
    g_test_add_func("/volume-request/path", test_path);
    return g_test_run();
}
