/* SPDX-License-Identifier: Apache-2.0 */
/* Proves that a record is read as it was written, that nobody but root can read it, that a damaged
 * one is told from an absent one, and that all are visited. */
#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>

#include "dcm-volume/record.h"
#include "temporary.h"

static void make_plan(const char *arguments, Plan *ret) {
    _cleanup_json_ struct json_object *o = NULL;
    _cleanup_free_ char *problem = NULL;

    *ret = (Plan){};
    g_assert_cmpint(json_parse(arguments, strlen(arguments), &o), ==, 0);
    g_assert_cmpint(volume_request_parse(o, "/mnt/x", false, &ret->request, &problem), ==, 0);
    volume_request_id(&ret->request, ret->id);
    ret->fs_uuid = strdup("12345678-1234-1234-1234-123456789abc");
    ret->steps = calloc(1, sizeof(Step));
    ret->n_steps = 1;
    ret->steps[0].type = STEP_FORMAT;
    ret->steps[0].state = STEP_BEGUN;
}

static int count(const Plan *p, void *userdata) {
    ++*(unsigned *)userdata;
    return 0;
}

#define REQUEST(disk)                                                                              \
    "{\"formatVolume\":true,\"fileSystem\":\"xfs\",\"raidLevel\":\"NONE\",\"devices\":[\"" disk    \
    "\"]}"

static void test_record(void) {
    _cleanup_temporary_ char *dir = temporary_new();
    g_autofree char *directory = g_build_filename(dir, "volumes", NULL), *path = NULL;
    g_autofree char *rest = NULL;
    _cleanup_(plan_done) Plan p = {}, q = {}, found = {};
    unsigned n = 0;

    g_assert_cmpint(record_visit(directory, count, &n, NULL), ==, 0);
    make_plan(REQUEST("sdb"), &p);
    make_plan(REQUEST("sdc"), &q);
    g_assert_cmpint(record_read(directory, p.id, &found), ==, -ENOENT);
    g_assert_cmpint(record_write(directory, &p), ==, 0);
    g_assert_cmpint(record_write(directory, &q), ==, 0);
    g_assert_cmpint(temporary_mode(directory), ==, 0700);
    path = g_strdup_printf("%s/%s.json", directory, p.id);
    g_assert_cmpint(temporary_mode(path), ==, 0600);

    g_assert_cmpint(record_read(directory, p.id, &found), ==, 0);
    g_assert_cmpstr(found.id, ==, p.id);
    g_assert_cmpstr(found.fs_uuid, ==, p.fs_uuid);
    g_assert_cmpstr(found.request.devices[0], ==, "sdb");
    g_assert_cmpuint(found.n_steps, ==, 1);
    g_assert_cmpint(found.steps[0].state, ==, STEP_BEGUN);

    g_assert_cmpint(record_visit(directory, count, &n, NULL), ==, 0);
    g_assert_cmpuint(n, ==, 2);
    rest = g_strdup_printf("%s/%s.json.new", directory, q.id); /* a writer was killed */
    g_assert_true(g_file_set_contents(rest, "{", -1, NULL));
    g_assert_cmpint(record_visit(directory, count, &n, NULL), ==, 0);
    g_assert_cmpuint(n, ==, 4);
    g_assert_cmpint(record_remove(directory, q.id), ==, 0);
    g_assert_false(g_file_test(rest, G_FILE_TEST_EXISTS));
    g_assert_cmpint(record_remove(directory, q.id), ==, -ENOENT);
    g_assert_cmpint(record_read(directory, q.id, &found), ==, -ENOENT);
}

/* `wanted`: the file that is named; `n`: how many others there are. */
static void assert_bad(const char *dir, const char *wanted, unsigned n) {
    _cleanup_free_ char *bad = NULL;
    unsigned found = 0;

    g_assert_cmpint(record_visit(dir, count, &found, &bad), ==, 0);
    g_assert_cmpstr(bad, ==, wanted);
    g_assert_cmpuint(found, ==, n);
}

static void test_damaged(void) {
    static const char *const texts[] = {"", "{", "[]", "null", "{\"id\":7}", "{\"other\":true}"};
    _cleanup_temporary_ char *dir = temporary_new();
    _cleanup_(plan_done) Plan p = {}, q = {}, found = {};
    g_autofree char *path = NULL, *name = NULL;

    make_plan(REQUEST("sdb"), &p);
    name = g_strdup_printf("%s.json", p.id);
    path = g_build_filename(dir, name, NULL);
    for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
        g_assert_true(g_file_set_contents(path, texts[i], -1, NULL));
        g_assert_cmpint(record_read(dir, p.id, &found), ==, -EBADMSG);
        assert_bad(dir, name, 0);
    }
    /* one does not hide the others */
    make_plan(REQUEST("sdc"), &q);
    g_assert_cmpint(record_write(dir, &q), ==, 0);
    assert_bad(dir, name, 1);
    g_assert_cmpint(g_unlink(path), ==, 0);
    assert_bad(dir, NULL, 1);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/volume-record/record", test_record);
    g_test_add_func("/volume-record/damaged", test_damaged);
    return g_test_run();
}
