/* SPDX-License-Identifier: Apache-2.0 */
/* Proves the limits of what jobs say: over the socket, of progress, and of files, that neither way
 * takes the other's lines, and that a directory that was made anew is followed. The console is this
 * test's. */
#include <fcntl.h>
#include <glib.h>
#include <unistd.h>

#include "basic/bounds.h"
#include "basic/fd-util.h"
#include "basic/file-util.h"
#include "basic/guid.h"
#include "job/voices.h"
#include "temporary.h"

#define GUID "g1"

typedef struct Fixture {
    char *dir, *offsets;
    sd_event *event;
    Voices *voices;
    int dir_fd;
    char unit[JOB_UNIT_SIZE];
} Fixture;

static GString *last;
static unsigned n_told;

bool console_takes(const Console *c, int level) {
    return true;
}

void console_log_job(Console *c, int level, const char *command, const char *guid,
                     const char *line) {
    g_string_assign(last, line);
    n_told++;
}

static void set_up(Fixture *f, gconstpointer unused) {
    last = g_string_new(NULL);
    n_told = 0;
    f->dir = temporary_new();
    f->offsets = temporary_new();
    temporary_write(f->dir, "log", "", 0);
    f->dir_fd = open(f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    guid_to_unit_name(GUID, f->unit);
    g_assert_cmpint(sd_event_new(&f->event), ==, 0);
    g_assert_cmpint(voices_new(f->event, NULL, f->offsets, &f->voices), ==, 0);
    voices_add(f->voices, GUID, "run_script", f->dir_fd, false);
}

static void tear_down(Fixture *f, gconstpointer unused) {
    voices_free(f->voices);
    sd_event_unref(f->event);
    safe_close(f->dir_fd);
    temporary_remove(&f->dir);
    temporary_remove(&f->offsets);
    g_string_free(last, true);
}

static void append(const char *dir, unsigned n_lines) {
    g_autofree char *path = g_build_filename(dir, "log", NULL);
    _cleanup_close_ int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);

    for (unsigned i = 0; i < n_lines; i++)
        g_assert_cmpint(write_full(fd, "file\n", 5), ==, 0);
}

static void test_calls(Fixture *f, gconstpointer unused) {
    unsigned n_taken = 0, n_refused = 0;
    uint64_t wait_usec;

    for (unsigned i = 0; i < 1000; i++) {
        int r = voices_log(f->voices, f->unit, 6, "line", &wait_usec);

        if (r >= 0)
            n_taken++;
        else {
            g_assert_cmpint(r, ==, -EAGAIN);
            g_assert_cmpuint(wait_usec, >, 0);
            g_assert_cmpuint(wait_usec, <=, USEC_PER_SEC);
            n_refused++;
        }
    }
    g_assert_cmpuint(n_taken, >=, JOB_LINES_MAX);
    g_assert_cmpuint(n_refused, >, 0);
    g_assert_cmpuint(n_told, ==, n_taken); /* what is put off is not told meanwhile */
    g_assert_cmpint(voices_log(f->voices, "dcm-job-g2.service", 6, "x", &wait_usec), ==, -ENOENT);
}

static void test_files_leave_calls_alone(Fixture *f, gconstpointer unused) {
    uint64_t wait_usec;

    append(f->dir, 10 * JOB_LINES_MAX);
    while (n_told < JOB_LINES_MAX)
        g_assert_cmpint(sd_event_run(f->event, 20 * USEC_PER_SEC), >, 0);
    g_assert_cmpint(voices_log(f->voices, f->unit, 6, "call", &wait_usec), ==, 0);
    g_assert_cmpstr(last->str, ==, "call");
}

static void test_progress(Fixture *f, gconstpointer unused) {
    for (unsigned i = 0; i <= 100; i++)
        g_assert_cmpint(voices_progress(f->voices, f->unit, i, ""), ==, 0);
    g_assert_cmpstr(last->str, ==, "100 %"); /* the end is told at once */
    g_assert_cmpuint(n_told, <, 50);
    n_told = 0;
    for (unsigned i = 0; i < 1000; i++)
        g_assert_cmpint(voices_progress(f->voices, f->unit, 99 + i % 2, "again"), ==, 0);
    g_assert_cmpuint(n_told, <, 500);
    g_assert_cmpuint(voices_get_progress(f->voices, GUID)->percent, ==, 100);
}

static void test_directory_made_anew(Fixture *f, gconstpointer unused) {
    char *dir = temporary_new();
    int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    append(f->dir, 1);
    voices_add(f->voices, GUID, "run_script", f->dir_fd, false); /* changes nothing */
    g_assert_cmpuint(n_told, ==, 0);
    temporary_write(dir, "log", "new\n", 4);
    voices_add(f->voices, GUID, "run_script", dir_fd, false);
    g_assert_cmpstr(last->str, ==, "new");
    voices_remove(f->voices, GUID);
    g_assert_cmpuint(n_told, ==, 1);
    safe_close(dir_fd);
    temporary_remove(&dir);
}

int main(int argc, char *argv[]) {
    g_test_init(&argc, &argv, NULL);
#define ADD(name, f) g_test_add("/voices/" name, Fixture, NULL, set_up, f, tear_down)
    ADD("calls", test_calls);
    ADD("files-leave-calls-alone", test_files_leave_calls_alone);
    ADD("progress", test_progress);
    ADD("directory-made-anew", test_directory_made_anew);
    return g_test_run();
}
