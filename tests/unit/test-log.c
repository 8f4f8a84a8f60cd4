/* SPDX-License-Identifier: Apache-2.0 */
/* Proves that no log line waits for its reader, be it the journal, a pipe or a socket; that what
 * the reader took none of is told in order when it is back, or counted; and what an entry looks
 * like. Each case is a process of its own: where entries go is decided once. */
#include <endian.h>
#include <fcntl.h>
#include <glib.h>
#include <pty.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "basic/bounds.h"
#include "basic/log-fields.h"
#include "basic/log-sink.h"
#include "basic/log.h"
#include "temporary.h"

#define N_LINES 3000u
#define DEADLINE_SEC 120u /* SIGALRM ends a test that waits */

static char *journal_path;

static int bind_journal(void) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    g_assert_cmpint(g_strlcpy(address.sun_path, journal_path, sizeof(address.sun_path)), >, 0);
    g_assert_cmpint(bind(fd, (struct sockaddr *)&address, sizeof(address)), ==, 0);
    return fd;
}

/* Standard error becomes a socket that JOURNAL_STREAM names, as systemd does it. */
static void begin_journal(const char *dir) {
    g_autofree char *stream = NULL;
    struct stat st;
    int fds[2];

    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), ==, 0);
    g_assert_cmpint(fstat(fds[0], &st), ==, 0);
    stream = g_strdup_printf("%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
    g_setenv("JOURNAL_STREAM", stream, true);
    g_assert_cmpint(dup2(fds[0], STDERR_FILENO), ==, STDERR_FILENO);
    journal_path = g_build_filename(dir, "socket", NULL);
    log_set_journal(journal_path);
    alarm(DEADLINE_SEC);
}

/* The value of the field in the entry, whose fields all have the form with a size. */
static char *entry_field(const char *entry, size_t size, const char *name) {
    const char *p = entry, *end = entry + size;
    char *found = NULL;

    while (p < end) {
        const char *newline = memchr(p, '\n', (size_t)(end - p));
        uint64_t value_size;

        g_assert_nonnull(newline);
        memcpy(&value_size, newline + 1, sizeof(value_size));
        value_size = le64toh(value_size);
        if (strlen(name) == (size_t)(newline - p) && memcmp(p, name, strlen(name)) == 0)
            found = g_strndup(newline + 1 + sizeof(value_size), value_size);
        p = newline + 1 + sizeof(value_size) + value_size;
        g_assert_cmpint(*p, ==, '\n');
        p++;
    }
    return found;
}

/* NULL: there is none. */
static char *receive(int fd, const char *name) {
    char entry[16384];
    ssize_t n = recv(fd, entry, sizeof(entry), 0);

    return n < 0 ? NULL : entry_field(entry, (size_t)n, name);
}

static unsigned receive_lines(int fd, unsigned expected) {
    for (char *text; (text = receive(fd, "MESSAGE")); expected++) {
        g_autofree char *line = g_strdup_printf("line %u", expected);

        g_assert_cmpstr(text, ==, line);
        g_free(text);
    }
    return expected;
}

static void log_lines(void) {
    for (unsigned i = 0; i < N_LINES; i++)
        log_info("line %u", i);
}

static unsigned lost_in(const char *text) {
    unsigned n = 0;

    g_assert_cmpint(sscanf(strempty(text), "%u log entr", &n), ==, 1);
    return n;
}

static void test_entry(void) {
    _cleanup_temporary_ char *dir = temporary_new();
    static const char *const fields[] = {"PRIORITY",  "SYSLOG_IDENTIFIER", "CODE_FUNC",
                                         "ERRNO",     "DCM_REQUEST_ID",    "MESSAGE",
                                         "CODE_FILE", "DCM_COMMAND"};
    static const char *const values[] = {"3", "dcm-test",   "test_entry",
                                         "2", "two\nlines", "why: No such file or directory"};
    int fd;

    begin_journal(dir);
    fd = bind_journal();
    log_set_identifier("dcm-test");
    for (size_t i = 0; i < ELEMENTSOF(fields); i++) {
        g_autofree char *value = NULL;

        g_assert_cmpint(log_struct(LOG_ERR, -ENOENT,
                                   LOG_FIELDS(LOG_REQUEST("two\nlines"), LOG_COMMAND(NULL)),
                                   "why: %m"),
                        ==, -ENOENT);
        value = receive(fd, fields[i]);
        if (i < 6)
            g_assert_cmpstr(value, ==, values[i]);
        else if (i == 6)
            g_assert_true(g_str_has_suffix(value, "test-log.c"));
        else
            g_assert_null(value);
    }
}

/* A message and a field of any length: cut between characters. */
static void test_entry_cut(void) {
    _cleanup_temporary_ char *dir = temporary_new();
    int fd;

    begin_journal(dir);
    fd = bind_journal();
    for (unsigned shift = 0; shift < 4; shift++) {
        g_autoptr(GString) text = g_string_new(NULL);

        for (unsigned i = 0; i < shift; i++)
            g_string_append_c(text, 'x');
        for (unsigned i = 0; i < 2000; i++)
            g_string_append(text, "\xf0\x9f\x98\x80");
        for (unsigned i = 0; i < 2; i++) {
            g_autofree char *value = NULL;

            (void)log_struct(LOG_INFO, 0, LOG_FIELDS(LOG_COMMAND(text->str)), "%s", text->str);
            value = receive(fd, i == 0 ? "MESSAGE" : "DCM_COMMAND");
            g_assert_cmpuint(strlen(value), >, 500);
            g_assert_true(g_utf8_validate(value, -1, NULL));
            g_assert_true(g_str_has_prefix(text->str, value));
        }
    }
}

/* journald is stopped; it goes on; the loop alone notices. */
static void test_stopped(void) {
    _cleanup_temporary_ char *dir = temporary_new();
    g_autofree char *text = NULL, *id = NULL;
    sd_event *event = NULL;
    unsigned n = 0;
    int fd;

    begin_journal(dir);
    fd = bind_journal();
    g_assert_cmpint(sd_event_new(&event), ==, 0);
    log_sink_set_event(event);
    log_lines();
    g_assert_cmpint(sd_event_run(event, 0), ==, 0); /* a full journal does not wake anybody */
    while (!text) {
        char entry[16384];
        ssize_t size = recv(fd, entry, sizeof(entry), 0);

        if (size < 0) {
            g_assert_cmpint(sd_event_run(event, UINT64_MAX), >, 0);
            continue;
        }
        id = entry_field(entry, (size_t)size, "MESSAGE_ID");
        if (id)
            text = entry_field(entry, (size_t)size, "MESSAGE");
        else {
            g_autofree char *line = g_strdup_printf("line %u", n++),
                            *got = entry_field(entry, (size_t)size, "MESSAGE");

            g_assert_cmpstr(got, ==, line);
        }
    }
    g_assert_cmpstr(id, ==, DCM_MESSAGE_LOG_LOST);
    g_assert_cmpuint(lost_in(text), >, 0);
    g_assert_cmpuint(n + lost_in(text), ==, N_LINES);
    g_assert_cmpint(sd_event_run(event, 0), ==, 0); /* and all is told */
    log_info("line %u", n);
    g_assert_cmpuint(receive_lines(fd, n), ==, n + 1);
    log_sink_set_event(NULL);
    sd_event_unref(event);
}

/* A short stall loses nothing. */
static void test_stalled(void) {
    _cleanup_temporary_ char *dir = temporary_new();
    unsigned n = 0, received = 0;
    int fd;

    begin_journal(dir);
    fd = bind_journal();
    for (unsigned round = 0; round < 5; round++) {
        for (unsigned i = 0; i < 50; i++)
            log_info("line %u", n++);
        received = receive_lines(fd, received);
    }
    while (received < n) {
        log_info("line %u", n++);
        received = receive_lines(fd, received);
    }
}

/* There is no journal yet, or none any more. Nobody spins meanwhile. */
static void test_absent(void) {
    _cleanup_temporary_ char *dir = temporary_new();
    sd_event *event = NULL;
    int fd;

    begin_journal(dir);
    g_assert_cmpint(sd_event_new(&event), ==, 0);
    log_sink_set_event(event);
    log_info("line 0");
    g_assert_cmpint(sd_event_run(event, 0), ==, 0);
    fd = bind_journal();
    log_info("line 1");
    g_assert_cmpuint(receive_lines(fd, 0), ==, 2);

    close(fd);
    g_assert_cmpint(unlink(journal_path), ==, 0);
    log_info("line 2");
    g_assert_cmpint(sd_event_run(event, 0), ==, 0);
    fd = bind_journal();
    log_info("line 3");
    g_assert_cmpuint(receive_lines(fd, 2), ==, 4);
    log_sink_set_event(NULL);
    sd_event_unref(event);
}

static void read_all(int fd, GString *all) {
    char buf[4096];

    for (ssize_t size; (size = read(fd, buf, sizeof(buf))) > 0;)
        g_string_append_len(all, buf, size);
}

/* Standard error is something that nobody reads. */
static void check_text(int reader, int writer) {
    g_autoptr(GString) all = g_string_new(NULL);
    g_auto(GStrv) lines = NULL;
    int before = dup(STDERR_FILENO);
    unsigned n, n_logged = 0;

    alarm(DEADLINE_SEC);
    g_unsetenv("JOURNAL_STREAM");
    g_assert_cmpint(dup2(writer, STDERR_FILENO), ==, STDERR_FILENO);
    g_assert_cmpint(fcntl(reader, F_SETFL, O_NONBLOCK), ==, 0);
    log_set_identifier("test");
    for (; n_logged < 4 * N_LINES; n_logged++)
        log_info("line %u, which is long enough to fill what is there to be filled", n_logged);
    read_all(reader, all);
    for (; !strstr(all->str, "lost, because"); n_logged++) {
        log_info("line %u", n_logged);
        read_all(reader, all);
    }
    g_assert_cmpint(dup2(before, STDERR_FILENO), ==, STDERR_FILENO); /* for what fails here */
    lines = g_strsplit(all->str, "\n", -1);
    for (n = 0; g_str_has_prefix(lines[n], "test: line "); n++)
        g_assert_cmpuint((unsigned)atoi(lines[n] + strlen("test: line ")), ==, n);
    g_assert_cmpuint(n, >, 10);
    g_assert_true(g_str_has_prefix(lines[n], "test: "));
    g_assert_cmpuint(n + lost_in(lines[n] + strlen("test: ")), ==, n_logged - 1);
    g_assert_true(g_str_has_prefix(lines[n + 1], "test: line "));
    /* nobody else finds the descriptor changed */
    g_assert_cmpint(fcntl(writer, F_GETFL) & O_NONBLOCK, ==, 0);
}

static void test_text_pipe(void) {
    int fds[2];

    g_assert_cmpint(pipe2(fds, O_CLOEXEC), ==, 0);
    check_text(fds[0], fds[1]);
}

static void test_text_socket(void) {
    int fds[2];

    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), ==, 0);
    check_text(fds[0], fds[1]);
}

/* What somebody at a terminal sees; a file has it as it is. */
static void test_text_terminal(void) {
    char text[256] = "";
    int ours, theirs;

    g_assert_cmpint(openpty(&ours, &theirs, NULL, NULL, NULL), ==, 0);
    g_unsetenv("JOURNAL_STREAM");
    g_assert_cmpint(dup2(theirs, STDERR_FILENO), ==, STDERR_FILENO);
    log_set_identifier("test");
    log_info("a%s", "\x1b[2J\nb\xc2\x9b\xe2\x80\xae");
    g_assert_cmpint(read(ours, text, sizeof(text) - 1), >, 0);
    g_assert_cmpstr(text, ==, "test: a?[2J?b??\r\n");
}

static void in_own_process(gconstpointer test) {
    if (g_test_subprocess()) {
        ((void (*)(void))test)();
        return;
    }
    g_test_trap_subprocess(NULL, 0, G_TEST_SUBPROCESS_INHERIT_STDERR);
    g_test_trap_assert_passed();
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_data_func("/log/entry", (gconstpointer)test_entry, in_own_process);
    g_test_add_data_func("/log/entry-cut", (gconstpointer)test_entry_cut, in_own_process);
    g_test_add_data_func("/log/stopped", (gconstpointer)test_stopped, in_own_process);
    g_test_add_data_func("/log/stalled", (gconstpointer)test_stalled, in_own_process);
    g_test_add_data_func("/log/absent", (gconstpointer)test_absent, in_own_process);
    g_test_add_data_func("/log/text-pipe", (gconstpointer)test_text_pipe, in_own_process);
    g_test_add_data_func("/log/text-socket", (gconstpointer)test_text_socket, in_own_process);
    g_test_add_data_func("/log/text-terminal", (gconstpointer)test_text_terminal, in_own_process);
    return g_test_run();
}
