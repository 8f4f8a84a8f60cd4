/* SPDX-License-Identifier: Apache-2.0 */
/* Lines on the control socket of dcm-manager (fuzz-socket.h): each is answered at most once, by a
 * JSON object that says whether it is right, and what is stored stays within its bounds. No agent
 * is connected; there are two, and a request in each state. */
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <systemd/sd-id128.h>

#include "basic/fd-util.h"
#include "basic/file-util.h"
#include "basic/log.h"
#include "dcm-manager/control.h"
#include "dcm-manager/ledger-agent.h"
#include "dcm-manager/ledger-request.h"
#include "dcm-manager/limits.h"
#include "fuzz-socket.h"
#include "proto/peer-text.h"
#include "proto/text.h"

#define AGENT "agent-1"
#define OTHER_AGENT "agent-2"
#define PRISTINE_SIZE_MAX ((size_t)4 * 1024 * 1024)

static char directory[] = "/tmp/dcm-fuzz-XXXXXX", memory_directory[] = "/dev/shm/dcm-fuzz-XXXXXX";
static char *root, /* which of them */
    *pristine;
static size_t pristine_size;
static char database[sizeof(memory_directory) + sizeof("/manager.db")];

/* GUIDs that are made are the same in each run. */
int sd_id128_randomize(sd_id128_t *ret) {
    static uint8_t n;

    *ret = (sd_id128_t){.bytes = {++n}};
    return 0;
}

/* --- what is stored ----------------------------------------------------------------------------
 */

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw) {
    return remove(path);
}

/* libFuzzer ends without atexit() when an input fails, and whoever is killed does anyway: a process
 * that reads a pipe until this one has ended. */
static void remove_at_the_end(void) {
    int fds[2];
    pid_t pid;
    char c;

    CHECK(pipe2(fds, O_CLOEXEC) == 0 && fds[0] > 0);
    pid = fork();
    CHECK(pid >= 0);
    if (pid > 0) {
        CHECK(close(fds[0]) == 0);
        return;
    }
    (void)setsid(); /* a signal to the group is for the other one */
    (void)close_range(0, (unsigned)fds[0] - 1, 0);
    (void)close_range((unsigned)fds[0] + 1, ~0u, 0);
    while (read(fds[0], &c, 1) < 0 && errno == EINTR)
        ;
    (void)nftw(root, remove_one, 4, FTW_DEPTH | FTW_PHYS);
    _exit(0);
}

static void add_agent(Ledger *s, const char *id) {
    Offer o = {};

    sha256_hex(id, strlen(id), o.token_sha256);
    CHECK(ledger_add_agent(s, id, "1", &o) >= 0);
}

static void add_request(Ledger *s, OrderState state) {
    const char *guid = order_state_to_string(state);
    bool is_over = order_is_over(state);

    CHECK(ledger_add_request(s, guid, AGENT, "{\"command\":\"run_script\",\"arguments\":{}}") >= 0);
    if (state != ORDER_QUEUED)
        CHECK(ledger_set_request(s, guid, state, is_over ? "{\"return_code\":0}" : NULL, NULL) >=
              0);
}

static void fill(Ledger *s) {
    int64_t time;

    add_agent(s, AGENT);
    add_agent(s, OTHER_AGENT);
    for (OrderState state = 0; state < _ORDER_STATE_MAX; state++)
        add_request(s, state);
    CHECK(ledger_add_log(s, AGENT, "INFO", "line", &time) >= 0);
    CHECK(ledger_add_alert(s, AGENT, "1", "{\"subject\":\"x\",\"level\":1}") >= 0);
}

static void open_store(Ledger **ret) {
    CHECK(ledger_open(database, ret) == 0);
}

/* Once, since it takes long: each run begins with a copy. */
static void set_up(void) {
    Ledger *s = NULL;

    log_set_level(LOG_CRIT);
    root = mkdtemp(memory_directory) ?: mkdtemp(directory);
    CHECK(root);
    remove_at_the_end();
    (void)snprintf(database, sizeof(database), "%s/manager.db", root);
    open_store(&s);
    fill(s);
    ledger_free(s);
    CHECK(read_file_at(AT_FDCWD, database, PRISTINE_SIZE_MAX, &pristine, &pristine_size) == 0);
}

static Manager *new_manager(sd_event *event) {
    const ManagerOptions options = {
        .session = {.handshake_usec = USEC_PER_SEC, .ping_usec = USEC_PER_SEC},
        .retransmit_usec = USEC_PER_SEC,
        .sessions_max = 8,
    };
    int fd = open(database, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    Manager *m = NULL;
    Ledger *s = NULL;

    CHECK(fd >= 0 && write_full(fd, pristine, pristine_size) == 0 && close(fd) == 0);
    open_store(&s);
    CHECK(manager_new(event, s, &options, &m) == 0);
    return m;
}

/* --- what is said ------------------------------------------------------------------------------
 */

/* As dcm-manager/client.c reads it. */
static struct json_object *read_answer(const char *line, size_t size) {
    struct json_tokener *t = json_tokener_new_ex(2 * JSON_DEPTH_MAX);
    struct json_object *o = json_tokener_parse_ex(t, line, (int)size);

    CHECK(o && json_tokener_get_parse_end(t) == size);
    json_tokener_free(t);
    return o;
}

static void check_answer(const char *line, size_t size) {
    _cleanup_json_ struct json_object *o = read_answer(line, size);

    CHECK(json_object_is_type(json_get(o, "ok"), json_type_boolean));
    CHECK(utf8_is_valid(line, size));
    if (!json_object_get_boolean(json_get(o, "ok")))
        CHECK(json_get_string(o, "error") && json_get_string(o, "message"));
}

static size_t check_answers(const FuzzAnswers *a) {
    size_t n = 0;

    for (size_t i = 0, size; i < a->size; i += size + 1, n++) {
        const char *end = memchr(a->data + i, '\n', a->size - i);

        CHECK(end);
        size = (size_t)(end - a->data) - i;
        check_answer(a->data + i, size);
    }
    return n;
}

static size_t count_lines(const uint8_t *data, size_t size) {
    size_t n = 0;

    for (size_t i = 0; i < size; i++)
        n += data[i] == '\n';
    return n;
}

static void check_store(Ledger *s) {
    _cleanup_json_ struct json_object *agents = NULL, *requests = NULL, *next = NULL;

    CHECK(ledger_list_agents(s, NULL, 1000, &agents, &next) >= 0 && !next);
    CHECK(json_object_array_length(agents) == 2);
    for (size_t i = 0; i < 2; i++) {
        struct json_object *agent = json_object_array_get_idx(agents, i);
        const char *name = json_get_string(agent, "name");

        CHECK(name && *name && !peer_text_fault(name, strlen(name)));
    }
    CHECK(ledger_list_requests(s, NULL, &(LedgerPage){.n = 1000}, &requests) >= 0);
    CHECK(json_object_array_length(requests) >= _ORDER_STATE_MAX);
}

static void on_count(unsigned n_agents, void *userdata) {
    CHECK(n_agents == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    _cleanup_(fuzz_answers_done) FuzzAnswers answers = {};
    int listen_fd = fuzz_listen();
    Control *control = NULL;
    sd_event *event = NULL;
    Manager *m;

    if (!root)
        set_up();
    CHECK(sd_event_new(&event) >= 0);
    m = new_manager(event);
    CHECK(control_new(event, listen_fd, m, on_count, NULL, &control) == 0);
    fuzz_talk(event, listen_fd, data, size, &answers);
    CHECK(check_answers(&answers) <= count_lines(data, size));
    check_store(manager_get_store(m));
    control_free(control);
    manager_free(m);
    sd_event_unref(event);
    return 0;
}
