/* SPDX-License-Identifier: Apache-2.0 */
/* The reply object of list_devices, made of recorded facts: every entry has the seven keys of the
 * Python agent with its units, and the others say what it did not: devices without a mount, layers,
 * arrays, and mounts that fstab wants and that are not there. */
#include <glib.h>

#include "dcm-volume/list.h"

static struct json_object *list(const char *facts) {
    struct json_object *o = json_tokener_parse(facts), *array = NULL;
    Facts f = {};

    g_assert_nonnull(o);
    g_assert_cmpint(facts_from_json(o, &f), ==, 0);
    g_assert_cmpint(list_devices(&f, "/mnt/dcmdata", &array), ==, 0);
    facts_done(&f);
    json_object_put(o);
    return array;
}

static struct json_object *entry(struct json_object *array, size_t i, const char *id) {
    struct json_object *o = json_object_array_get_idx(array, i);

    g_assert_nonnull(o);
    g_assert_cmpstr(json_get_string(o, "device_id"), ==, id);
    return o;
}

/* The keys of old, as text. */
static void check(struct json_object *o, const char *wanted) {
    static const char *const keys[] = {"encrypted", "file_system", "mount_point",
                                       "size",      "used",        "device_type"};
    g_autoptr(GString) found = g_string_new("");

    for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
        struct json_object *value = json_get(o, keys[i]);

        g_assert_nonnull(value);
        g_string_append_printf(found, "%s%s", i ? " " : "", json_object_get_string(value));
    }
    g_assert_cmpstr(found->str, ==, wanted);
}

static const char mounted[] =
    "{\"blocks\": ["
    "{\"name\": \"vda\", \"type\": \"disk\", \"is_root\": true},"
    "{\"name\": \"vda1\", \"type\": \"partition\", \"parent\": \"vda\", \"is_root\": true},"
    "{\"name\": \"vdb\", \"type\": \"disk\", \"serial\": \"s1\", \"model\": \"m\", \"holders\": "
    "[\"dm-0\"],"
    " \"links\": [\"disk/by-id/virtio-s1\"],"
    " \"signatures\": [{\"type\": \"crypto_LUKS\", \"usage\": \"crypto\", \"uuid\": \"u1\"}]},"
    "{\"name\": \"dm-0\", \"type\": \"crypt\", \"slaves\": [\"vdb\"], \"dm_name\": \"esdata\"},"
    "{\"name\": \"dm-1\", \"type\": \"logical\", \"slaves\": [\"dm-0\"], \"dm_name\": \"vg-lv\"},"
    "{\"name\": \"vdc\", \"type\": \"disk\", \"size_bytes\": 1048576, \"probe_error\": 5}],"
    "\"mounts\": ["
    "{\"source\": \"/dev/root\", \"block\": \"vda1\", \"target\": \"/\", \"fs_type\": \"ext4\","
    " \"size_bytes\": 2049, \"used_bytes\": 1024},"
    "{\"source\": \"proc\", \"target\": \"/proc\", \"fs_type\": \"proc\"},"
    "{\"source\": \"/dev/mapper/esdata\", \"block\": \"dm-0\", \"target\": \"/mnt/dcmdata\","
    " \"fs_type\": \"xfs\", \"size_bytes\": 10240, \"used_bytes\": 0},"
    "{\"source\": \"/dev/mapper/vg-lv\", \"block\": \"dm-1\", \"target\": \"/srv/x\", \"fs_type\": "
    "\"xfs\"}]}";

static void test_mounted(void) {
    struct json_object *array = list(mounted), *o;

    g_assert_cmpuint(json_object_array_length(array), ==, 6);
    check(entry(array, 0, "root"), "false ext4 / 2 1 ROOT");
    check(entry(array, 1, "esdata"), "true xfs /mnt/dcmdata 10 0 EPHEMERAL");
    check(entry(array, 2, "vg-lv"), "true xfs /srv/x 0 0 CUSTOM"); /* LUKS is below it */
    check(entry(array, 3, "vda"), "false   0 0 CUSTOM");
    o = entry(array, 4, "vdb");
    check(o, "true   0 0 CUSTOM"); /* a closed one is encrypted, too */
    g_assert_cmpstr(json_get_string(o, "state"), ==, "unmounted");
    g_assert_cmpstr(json_get_string(o, "serial"), ==, "s1");
    g_assert_cmpstr(json_get_string(o, "model"), ==, "m");
    g_assert_cmpstr(json_object_to_json_string_ext(json_get(o, "holders"), 0), ==, "[\"dm-0\"]");
    g_assert_cmpstr(json_object_to_json_string_ext(json_get(o, "signatures"), 0), ==,
                    "[{\"type\":\"crypto_LUKS\",\"uuid\":\"u1\",\"label\":null}]");
    o = entry(array, 5, "vdc");
    check(o, "false   1024 0 CUSTOM");
    g_assert_cmpstr(json_get_string(o, "error"), ==, "Input/output error");
    json_object_put(array);
}

static void test_array(void) {
    struct json_object *array = list(
        "{\"blocks\": [{\"name\": \"md127\", \"type\": \"array\", \"array_level\": \"raid1\","
        " \"array_state\": \"clean\", \"array_disks\": 2, \"array_missing\": 1, \"sync_percent\": "
        "40,"
        " \"links\": [\"disk/by-id/md-name-any:data\", \"md/data\"],"
        " \"signatures\": [{\"type\": \"ext4\", \"usage\": \"filesystem\"}]}], \"mounts\": []}");
    struct json_object *o = entry(array, 0, "data"), *a = json_get(o, "array");

    check(o, "false ext4  0 0 CUSTOM");
    g_assert_cmpstr(json_get_string(a, "level"), ==, "raid1");
    g_assert_cmpint(json_object_get_int(json_get(a, "missing")), ==, 1);
    g_assert_cmpint(json_object_get_int(json_get(a, "sync_percent")), ==, 40);
    json_object_put(array);
}

/* Missing is what is to be there all the time; a line of ours in any case, since the key may be
 * missing. */
static void test_wanted(void) {
    struct json_object *array = list(
        "{\"blocks\": [], \"mounts\": [{\"source\": \"tmpfs\", \"target\": \"/there\", "
        "\"fs_type\": \"tmpfs\"}],"
        "\"fstab\": ["
        "{\"source\": \"UUID=u1\", \"target\": \"/srv/a\", \"fs_type\": \"xfs\", \"options\": "
        "\"defaults,nofail\"},"
        "{\"source\": \"/dev/vdb\", \"target\": \"/there\", \"fs_type\": \"xfs\", \"options\": "
        "\"defaults\"},"
        "{\"source\": \"LABEL=x\", \"target\": \"/cd\", \"fs_type\": \"ext4\", \"options\": "
        "\"ro,noauto\"},"
        "{\"source\": \"/dev/mapper/esb\", \"target\": \"/mnt/dcmdata\", \"fs_type\": \"ext4\","
        " \"options\": \"noauto\", \"ours\": true},"
        "{\"source\": \"tmpfs\", \"target\": \"/tmp\", \"fs_type\": \"tmpfs\"},"
        "{\"source\": \"server:/x\", \"target\": \"/net\", \"fs_type\": \"nfs\"},"
        "{\"source\": \"UUID=u2\", \"target\": \"none\", \"fs_type\": \"swap\"}]}");

    g_assert_cmpuint(json_object_array_length(array), ==, 2);
    check(entry(array, 0, "UUID=u1"), "false xfs /srv/a 0 0 CUSTOM");
    g_assert_cmpstr(json_get_string(entry(array, 0, "UUID=u1"), "state"), ==, "missing");
    check(entry(array, 1, "esb"), "false ext4 /mnt/dcmdata 0 0 EPHEMERAL");
    json_object_put(array);
}

/* Its disk was pulled: still mounted, on nothing. */
static void test_gone(void) {
    struct json_object *array = list("{\"blocks\": [], \"mounts\": [{\"source\": \"/dev/vdb\", "
                                     "\"target\": \"/srv\", \"fs_type\": \"xfs\"}]}");

    check(entry(array, 0, "vdb"), "false xfs /srv 0 0 CUSTOM");
    g_assert_nonnull(json_get_string(entry(array, 0, "vdb"), "error"));
    json_object_put(array);
}

int main(int argc, char *argv[]) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/list-devices/mounted", test_mounted);
    g_test_add_func("/list-devices/array", test_array);
    g_test_add_func("/list-devices/wanted", test_wanted);
    g_test_add_func("/list-devices/gone", test_gone);
    return g_test_run();
}
