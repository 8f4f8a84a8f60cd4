/* SPDX-License-Identifier: Apache-2.0 */
/* Proves that a change of a file is told, also where there were more than the kernel keeps, and
 * that a file that changes all the time is looked at no oftener than is bearable. */
#include <fcntl.h>
#include <glib.h>
#include <unistd.h>

#include "basic/bounds.h"
#include "basic/fd-util.h"
#include "basic/time-util.h"
#include "system/file-watch.h"
#include "temporary.h"

#define TIMEOUT_USEC (20 * USEC_PER_SEC)

typedef struct File {
    int fd;
    unsigned n_told;
    FileWatch *watch;
} File;

typedef struct Fixture {
    char *dir;
    sd_event *event;
    FileWatches *watches;
    File a, b;
} Fixture;

static void on_change(void *userdata) {
    File *f = userdata;

    f->n_told++;
}

static void watch(Fixture *f, File *file, const char *name) {
    g_autofree char *path = g_build_filename(f->dir, name, NULL);

    file->fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    g_assert_cmpint(file_watch_new(f->watches, file->fd, on_change, file, &file->watch), ==, 0);
}

static void set_up(Fixture *f, gconstpointer unused) {
    f->dir = temporary_new();
    g_assert_cmpint(sd_event_new(&f->event), ==, 0);
    g_assert_cmpint(file_watches_new(f->event, &f->watches), ==, 0);
    watch(f, &f->a, "a");
    watch(f, &f->b, "b");
}

static void tear_down(Fixture *f, gconstpointer unused) {
    file_watch_free(f->a.watch);
    file_watch_free(f->b.watch);
    file_watches_free(f->watches);
    sd_event_unref(f->event);
    safe_close(f->a.fd);
    safe_close(f->b.fd);
    temporary_remove(&f->dir);
}

static void append(const File *file) {
    g_assert_cmpint(write(file->fd, "x", 1), ==, 1);
}

static void wait_told(Fixture *f, const File *file, unsigned more_than) {
    while (file->n_told <= more_than)
        g_assert_cmpint(sd_event_run(f->event, TIMEOUT_USEC), >, 0);
}

static void test_change(Fixture *f, gconstpointer unused) {
    append(&f->a);
    wait_told(f, &f->a, 0);
    g_assert_cmpuint(f->b.n_told, ==, 0);
    g_assert_cmpint(ftruncate(f->b.fd, 10), ==, 0);
    wait_told(f, &f->b, 0);
    g_assert_cmpuint(f->a.n_told, ==, 1);
}

static void test_no_longer_watched(Fixture *f, gconstpointer unused) {
    append(&f->a);
    f->a.watch = file_watch_free(f->a.watch);
    append(&f->b);
    wait_told(f, &f->b, 0);
    g_assert_cmpuint(f->a.n_told, ==, 0);
}

static void test_changes_all_the_time(Fixture *f, gconstpointer unused) {
    uint64_t start = now_usec(CLOCK_BOOTTIME), intervals;

    for (unsigned i = 0; i < 3000; i++) {
        append(&f->a);
        (void)sd_event_run(f->event, 0);
    }
    intervals = (now_usec(CLOCK_BOOTTIME) - start) / (100 * USEC_PER_MSEC) + 1;
    g_assert_cmpuint(f->a.n_told, <=, (intervals + 1) * FILE_WATCH_LOOKS_MAX);
    append(&f->a);
    wait_told(f, &f->a, f->a.n_told);
}

/* Events of two files in turn are not joined: after 16,384 of them the kernel drops the others. */
static void test_too_many_changes(Fixture *f, gconstpointer unused) {
    File late = {};

    watch(f, &late, "late");
    for (unsigned i = 0; i < 20000; i++) {
        append(&f->a);
        append(&f->b);
    }
    append(&late);
    wait_told(f, &late, 0);
    file_watch_free(late.watch);
    safe_close(late.fd);
}

int main(int argc, char *argv[]) {
    g_test_init(&argc, &argv, NULL);
#define ADD(name, f) g_test_add("/file-watch/" name, Fixture, NULL, set_up, f, tear_down)
    ADD("change", test_change);
    ADD("no-longer-watched", test_no_longer_watched);
    ADD("changes-all-the-time", test_changes_all_the_time);
    ADD("too-many-changes", test_too_many_changes);
    return g_test_run();
}
