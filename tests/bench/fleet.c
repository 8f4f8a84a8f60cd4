/* SPDX-License-Identifier: Apache-2.0 */
/* Many agents in one process, on the agent's own transport and backoff: each connects from an
 * address of its own, offers its token, pings, answers each REQUEST with ACK and REPLY at once, and
 * comes back after a loss as an agent does.
 *
 *     bench-fleet PORT FIRST COUNT SPREAD_SEC
 *
 * The tokens are made of the numbers FIRST to FIRST + COUNT - 1; they begin to connect within
 * SPREAD_SEC. Commands on standard input: `status` prints one JSON object; `cut` ends all
 * connections without a word, and they come back within 5 s; `rest` lets nobody come back.
 * `await lost N`, `await acked N` and `await gone` print the same object as soon as so many
 * connections were lost and all agents are back, so many replies are acknowledged, or nobody is
 * connected. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "basic/fd-util.h"
#include "basic/time-util.h"
#include "basic/timer.h"
#include "net/stream.h"
#include "proto/backoff.h"
#include "proto/http-upgrade.h"
#include "proto/json.h"

#define PING_USEC (30 * USEC_PER_SEC)
#define BACKOFF_USEC USEC_PER_SEC
#define BACKOFF_MAX_USEC (300 * USEC_PER_SEC)
#define GUID_ROOM 64
#define DESCRIPTORS 32 /* other than the agents' */

typedef struct Agent {
    unsigned number;
    Stream *stream;
    sd_event_source *timer; /* its next attempt, or its next ping */
    Backoff backoff;
    gnutls_datum_t ticket; /* of the last session */
    uint64_t forced_usec;
    char key[WEBSOCKET_KEY_SIZE];
    char last[GUID_ROOM]; /* the GUID executed last */
    bool is_open;
} Agent;

static struct {
    sd_event *event;
    Poller *poller;
    gnutls_certificate_credentials_t credentials;
    gnutls_priority_t priority;
    uint16_t port;
    Url url;
    Agent *agents;
    unsigned n;
    bool rests;
    uint64_t begun_usec; /* of the current storm */
    uint64_t complete_usec, answered_usec, acked_usec;
    unsigned n_open, n_failed, n_lost, n_refused, n_closed_1001, n_closed_1008, n_closed_1013,
        n_cut;
    unsigned n_requests, n_repeated, n_acked;
    enum { AWAIT_NOTHING, AWAIT_LOST, AWAIT_ACKED, AWAIT_GONE } awaits;
    unsigned n_awaited;
} f;

static void print_status(void);

static void tell_if_awaited(void) {
    bool has_come = f.awaits == AWAIT_LOST    ? f.n_lost >= f.n_awaited && f.n_open == f.n
                    : f.awaits == AWAIT_ACKED ? f.n_acked >= f.n_awaited
                    : f.awaits == AWAIT_GONE  ? f.n_open == 0
                                              : false;

    if (!has_come)
        return;
    f.awaits = AWAIT_NOTHING;
    print_status();
}

static uint32_t random_u32(void) {
    uint32_t value = 0;

    return getrandom(&value, sizeof(value), 0) == sizeof(value) ? value : 0;
}

static uint64_t below(uint64_t usec) {
    return usec * random_u32() >> 32;
}

static void come_back(Agent *a, BackoffCause cause) {
    uint64_t wait = backoff_next(&a->backoff, cause, a->forced_usec, random_u32());

    a->forced_usec = 0;
    a->stream = stream_free(a->stream);
    if (!f.rests)
        (void)timer_arm_in(a->timer, wait);
    else
        timer_disarm(a->timer);
}

static void lose(Agent *a) {
    if (f.n_open-- == f.n) {
        f.begun_usec = now_usec(CLOCK_MONOTONIC);
        f.complete_usec = 0;
    }
    a->is_open = false;
    f.n_lost++;
    tell_if_awaited();
}

static void on_closed(int error, void *userdata) {
    Agent *a = userdata;
    uint16_t code = stream_close_code(a->stream);

    f.n_closed_1001 += code == 1001;
    f.n_closed_1008 += code == 1008;
    f.n_closed_1013 += code == 1013;
    f.n_cut += code == 0;
    if (a->is_open) {
        lose(a);
        come_back(a, BACKOFF_ENDED);
    } else {
        f.n_failed++;
        come_back(a, BACKOFF_FAILED);
    }
}

static void on_secured(void *userdata) {
    _cleanup_free_ char *request = NULL;
    Agent *a = userdata;

    if (websocket_key_generate(a->key) < 0 ||
        http_upgrade_request(&f.url, a->key, "bench", &request) < 0 ||
        stream_send_head(a->stream, request) < 0)
        stream_fail(a->stream, -EPROTO);
}

static int say(Agent *a, const char *text, int size) {
    return size < 0 ? -ENOMEM : stream_send_text(a->stream, text, (size_t)size);
}

static int on_head(const char *head, size_t size, void *userdata) {
    Agent *a = userdata;
    HttpAnswer answer = {};
    char text[1024];
    int r;

    r = http_upgrade_response_check(head, size, a->key, &answer);
    if (answer.retry_after_usec > 0)
        a->forced_usec = answer.retry_after_usec;
    if (r < 0)
        return r;
    r = snprintf(text, sizeof(text),
                 "{\"ipv4\":[\"10.%u.%u.%u\"],\"ipv6\":[],\"agent_id\":null,\"token\":"
                 "\"bench-%040u-5eac5a49-142f-45f4-93a4-d2a9c93faebb\",\"vm_instance\":null,"
                 "\"injected_id\":null,\"version\":\"2.0.0\",\"protocol_version\":104,"
                 "\"platform\":\"debian\",\"platform_version\":\"12\",\"features\":{\"plugins\":["
                 "\"fetch_run\",\"get_agent_data\",\"heartbeat\",\"run_script\"]}}",
                 a->number >> 16 & 255, a->number >> 8 & 255, a->number & 255, a->number);
    return say(a, text, r);
}

/* As tls_client_remember(). */
static void remember(Agent *a) {
    gnutls_session_t session = transport_get_session(stream_get_transport(a->stream));

    gnutls_free(a->ticket.data);
    a->ticket = (gnutls_datum_t){};
    if (gnutls_protocol_get_version(session) >= GNUTLS_TLS1_3 &&
        !(gnutls_session_get_flags(session) & GNUTLS_SFLAGS_SESSION_TICKET))
        return;
    if (gnutls_session_get_data2(session, &a->ticket) < 0)
        a->ticket = (gnutls_datum_t){};
}

static void introduce(Agent *a, const char *text, size_t size) {
    _cleanup_json_ struct json_object *answer = NULL;

    if (json_parse(text, size, &answer) < 0 ||
        json_object_get_int(json_get(answer, "return_code")) != 200) {
        f.n_refused++;
        if (answer && json_get(answer, "FORCE_BACKOFF"))
            a->forced_usec =
                (uint64_t)json_object_get_int(json_get(answer, "FORCE_BACKOFF")) * USEC_PER_SEC;
        return; /* the manager closes */
    }
    remember(a);
    a->is_open = true;
    backoff_reset(&a->backoff);
    stream_trust(a->stream);
    (void)timer_arm_in(a->timer, PING_USEC / 2 + below(PING_USEC / 2));
    if (++f.n_open == f.n)
        f.complete_usec = now_usec(CLOCK_MONOTONIC);
    tell_if_awaited();
}

static void execute(Agent *a, const char *guid, size_t size) {
    char text[512];

    f.n_requests++;
    if (strncmp(a->last, guid, size) == 0 && a->last[size] == 0)
        f.n_repeated++;
    memcpy(a->last, guid, size);
    a->last[size] = 0;
    (void)say(a, text,
              snprintf(text, sizeof(text),
                       "{\"type\":\"ACK\",\"message_id\":\"m1\",\"request_id\":\"%s\","
                       "\"entity\":\"x\",\"agent_id\":\"a-1\"}",
                       a->last));
    (void)say(a, text,
              snprintf(text, sizeof(text),
                       "{\"type\":\"REPLY\",\"message_id\":\"m2\",\"request_id\":\"%s\","
                       "\"entity\":\"x\",\"agent_id\":\"a-1\",\"payload\":{\"return_code\":0,"
                       "\"reply_type\":\"void\",\"reply_object\":null,\"message\":\"\","
                       "\"error_message\":\"\"}}",
                       a->last));
    f.answered_usec = now_usec(CLOCK_MONOTONIC);
}

static void on_message(const char *text, size_t size, bool is_text, void *userdata) {
    static const char key[] = "\"request_id\":\"";
    Agent *a = userdata;
    const char *id, *end;

    if (!a->is_open) {
        introduce(a, text, size);
        return;
    }
    if (memmem(text, size, "\"ACK\"", 5)) {
        f.n_acked++;
        f.acked_usec = now_usec(CLOCK_MONOTONIC);
        tell_if_awaited();
        return;
    }
    id = memmem(text, size, key, strlen(key));
    if (!id || !memmem(text, size, "\"REQUEST\"", 9))
        return;
    id += strlen(key);
    end = memchr(id, '"', size - (size_t)(id - text));
    if (end && end - id < GUID_ROOM)
        execute(a, id, (size_t)(end - id));
}

static int make_socket(const Agent *a) {
    struct sockaddr_in address = {.sin_family = AF_INET};
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -errno;
    (void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
    address.sin_addr.s_addr = htonl(0x7f010000 + a->number % 0xff0000 + 1);
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        safe_close(fd);
        return -errno;
    }
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(f.port);
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 && errno != EINPROGRESS) {
        safe_close(fd);
        return -errno;
    }
    return fd;
}

static int add_tls(const Agent *a, Transport *t) {
    gnutls_session_t session = NULL;

    if (gnutls_init(&session, GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL) < 0)
        return -ENOMEM;
    transport_set_tls(t, session, NULL);
    if (a->ticket.data)
        (void)gnutls_session_set_data(session, a->ticket.data, a->ticket.size);
    return gnutls_priority_set(session, f.priority) < 0 ||
                   gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, f.credentials) < 0
               ? -ENOMEM
               : 0;
}

static int attempt(Agent *a) {
    static const StreamCallbacks callbacks = {
        .on_secured = on_secured,
        .on_head = on_head,
        .on_message = on_message,
        .on_closed = on_closed,
    };
    _cleanup_(transport_freep) Transport *t = NULL;
    int fd = make_socket(a);

    if (fd < 0)
        return fd;
    TRY(transport_new(fd, &t));
    TRY(add_tls(a, t));
    return stream_new(f.poller, TAKE_PTR(t), true, &callbacks, a, &a->stream);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
    Agent *a = userdata;

    if (a->is_open) {
        (void)stream_send_ping(a->stream);
        (void)timer_arm_in(a->timer, PING_USEC);
    } else if (attempt(a) < 0) {
        f.n_failed++;
        come_back(a, BACKOFF_FAILED);
    }
    return 0;
}

static void print_status(void) {
    printf("{\"open\": %u, \"failed\": %u, \"refused\": %u, \"lost\": %u, \"closed_1001\": %u, "
           "\"closed_1008\": %u, \"closed_1013\": %u, \"cut\": %u, \"requests\": %u, "
           "\"repeated\": %u, \"acked\": %u, \"begun_usec\": %" PRIu64
           ", \"complete_usec\": %" PRIu64 ", \"answered_usec\": %" PRIu64
           ", \"acked_usec\": %" PRIu64 "}\n",
           f.n_open, f.n_failed, f.n_refused, f.n_lost, f.n_closed_1001, f.n_closed_1008,
           f.n_closed_1013, f.n_cut, f.n_requests, f.n_repeated, f.n_acked, f.begun_usec,
           f.complete_usec, f.answered_usec, f.acked_usec);
    fflush(stdout);
}

static void cut_all(void) {
    for (unsigned i = 0; i < f.n; i++) {
        Agent *a = &f.agents[i];

        if (!a->is_open)
            continue;
        (void)shutdown(transport_get_fd(stream_get_transport(a->stream)), SHUT_RDWR);
        lose(a);
        come_back(a, BACKOFF_ENDED);
    }
}

static void obey(const char *command) {
    if (sscanf(command, "await lost %u", &f.n_awaited) == 1)
        f.awaits = AWAIT_LOST;
    else if (sscanf(command, "await acked %u", &f.n_awaited) == 1)
        f.awaits = AWAIT_ACKED;
    else if (strcmp(command, "await gone") == 0)
        f.awaits = AWAIT_GONE;
    else if (strcmp(command, "rest") == 0)
        f.rests = true;
    else if (strcmp(command, "cut") == 0)
        cut_all();
    else if (strcmp(command, "status") == 0)
        print_status();
    tell_if_awaited();
}

/* One line at a time; fleet.py writes whole ones. */
static int on_command(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
    char text[512], *rest = text, *line;
    ssize_t n = read(fd, text, sizeof(text) - 1);

    if (n <= 0)
        return sd_event_exit(f.event, 0);
    text[n] = 0;
    while ((line = strsep(&rest, "\n")))
        obey(line);
    return 0;
}

static int add_agent(unsigned number, uint64_t spread_usec) {
    Agent *a = &f.agents[f.n++];

    a->number = number;
    backoff_init(&a->backoff, BACKOFF_USEC, BACKOFF_MAX_USEC);
    TRY(timer_new(f.event, 0, on_timer, a, &a->timer));
    return timer_arm_in(a->timer, below(spread_usec));
}

int main(int argc, char *argv[]) {
    struct rlimit limit;
    unsigned first, count;
    const char *reason;
    char text[64];
    int r = 0;

    if (argc != 5)
        return 2;
    f.port = (uint16_t)strtoul(argv[1], NULL, 10);
    first = (unsigned)strtoul(argv[2], NULL, 10);
    count = (unsigned)strtoul(argv[3], NULL, 10);
    (void)snprintf(text, sizeof(text), "wss://127.0.0.1:%u/", f.port);
    f.agents = calloc(count + 1, sizeof(*f.agents));
    if (!f.agents || url_parse(text, &f.url, &reason) < 0 || getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return 1;
    limit.rlim_cur = limit.rlim_max;
    if (limit.rlim_max < count + DESCRIPTORS)
        (void)fprintf(stderr, "bench-fleet: %u agents need more than %lu descriptors\n", count,
                      (unsigned long)limit.rlim_max);
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_max < count + DESCRIPTORS ||
        sd_event_default(&f.event) < 0 || poller_new(f.event, &f.poller) < 0 ||
        sd_event_add_io(f.event, NULL, STDIN_FILENO, EPOLLIN, on_command, NULL) < 0 ||
        gnutls_certificate_allocate_credentials(&f.credentials) < 0 ||
        gnutls_priority_init(&f.priority, "NORMAL", NULL) < 0)
        return 1;
    f.begun_usec = now_usec(CLOCK_MONOTONIC);
    for (unsigned i = 0; i < count && r >= 0; i++)
        r = add_agent(first + i, strtoul(argv[4], NULL, 10) * (uint64_t)USEC_PER_SEC);
    return r < 0 ? 1 : sd_event_loop(f.event);
}
