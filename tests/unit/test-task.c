/* SPDX-License-Identifier: Apache-2.0 */
/* Proves what a task owns: the definition of its command stays while one task holds it, also when
 * the list has let it go; and that its end is stored with the output that it left. */
#include <glib.h>

#include "job/task.h"
#include "store/output-row.h"
#include "temporary.h"

static unsigned n_freed;

static void count_freed(Command *c) {
    n_freed++;
}

static void test_definition(void) {
    Command command = {.name = "c", .n_references = 1, .free = count_freed}; /* the list's */
    const Command own = {.name = "own"};
    Task a = {}, b = {}, c = {};

    g_assert_cmpint(task_init(&a, "a", "c"), ==, 0);
    g_assert_cmpint(task_init(&b, "b", "c"), ==, 0);
    g_assert_cmpint(task_init(&c, "c", "own"), ==, 0);
    a.definition = command_ref(&command);
    b.definition = command_ref(&command);
    c.definition = command_ref(&own);
    (void)command_unref(&command);
    task_done(&a);
    g_assert_cmpuint(n_freed, ==, 0);
    g_assert_cmpstr(b.definition->name, ==, "c");
    task_done(&b);
    g_assert_cmpuint(n_freed, ==, 1);
    task_done(&c); /* one that stays */
    g_assert_cmpuint(n_freed, ==, 1);
    g_assert_null(command_unref(NULL));
}

static uint64_t sum_outputs(Store *s) {
    uint64_t bytes = 0;

    g_assert_cmpint(store_sum_outputs(s, &bytes), ==, 0);
    return bytes;
}

static void test_end(void) {
    _cleanup_temporary_ char *dir = temporary_new();
    g_autofree char *path = g_build_filename(dir, "agent.db", NULL);
    Store *s = NULL;
    Task t = {};

    g_assert_cmpint(store_open(path, &s), ==, 0);
    g_assert_cmpint(task_init(&t, "a", "run_script"), ==, 0);
    g_assert_cmpint(store_begin(s), ==, 0);
    g_assert_cmpint(task_store_end(&t, s, NULL), ==, 0);
    g_assert_cmpuint(sum_outputs(s), ==, 0); /* it had no directory */
    t.has_output = true;
    t.output_bytes = 42;
    g_assert_cmpint(task_store_end(&t, s, NULL), ==, 0);
    g_assert_cmpint(store_commit(s), ==, 0);
    g_assert_cmpuint(sum_outputs(s), ==, 42);
    task_done(&t);
    store_close(s);
}

int main(int argc, char *argv[]) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/task/definition", test_definition);
    g_test_add_func("/task/end", test_end);
    return g_test_run();
}
