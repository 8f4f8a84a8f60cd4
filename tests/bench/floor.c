/* SPDX-License-Identifier: Apache-2.0 */
/* What the promises cost at least: a peer that says for each REQUEST what the agent says, from
 * constant texts, after as many fdatasync() as the agent makes for what came in one turn of the
 * loop; it parses, decides and remembers nothing.
 *
 *     bench-floor PORT CA FILE SYNCS */
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/stream.h"
#include "net/tls-client.h"
#include "proto/http-upgrade.h"
#include "proto/url.h"

#define GUID_SIZE 36
#define TURN_MAX 1024
#define PAGE ((size_t)4096)

static struct {
    sd_event *event;
    sd_event_source *commit;
    Stream *stream;
    Url url;
    char key[WEBSOCKET_KEY_SIZE];
    char guids[TURN_MAX][GUID_SIZE + 1];
    unsigned n;
    bool introduced;
    int fd;
    unsigned syncs;
} f;

static void say(const char *format, ...) _printf_(1, 2);
static void say(const char *format, ...) {
    char text[512];
    va_list ap;

    va_start(ap, format);
    (void)vsnprintf(text, sizeof(text), format, ap);
    va_end(ap);
    (void)stream_send_text(f.stream, text, strlen(text));
}

static void promise(unsigned n) {
    static char page[PAGE * 2];

    for (unsigned i = 0; i < f.syncs; i++)
        if (write(f.fd, page, sizeof(page)) < 0 || fdatasync(f.fd) < 0)
            _exit(1);
}

static int on_commit(sd_event_source *source, void *userdata) {
    promise(f.n);
    for (unsigned i = 0; i < f.n; i++) {
        const char *guid = f.guids[i];

        say("{\"type\":\"ACK\",\"message_id\":\"2507432c1\",\"request_id\":\"%s\","
            "\"entity\":\"user_accepts\",\"agent_id\":\"a-1\"}",
            guid);
        say("{\"type\":\"LOG\",\"token\":\"\",\"level\":\"INFO\",\"message\":\"The%%20job%%20"
            "heartbeat%%20has%%20started%%20with%%20request_id%%20%s.\"}",
            guid);
        say("{\"type\":\"LOG\",\"token\":\"\",\"level\":\"INFO\",\"message\":\"The%%20job%%20"
            "heartbeat%%20with%%20request_id%%20%s%%20has%%20succeeded.\"}",
            guid);
        say("{\"type\":\"REPLY\",\"message_id\":\"2507432c2\",\"request_id\":\"%s\",\"entity\":"
            "\"timer\",\"agent_id\":\"a-1\",\"payload\":{\"return_code\":0,\"reply_type\":"
            "\"string\",\"reply_object\":\"STARTING\",\"message\":\"\",\"error_message\":\"\"}}",
            guid);
    }
    f.n = 0;
    return 0;
}

static void on_message(const char *text, size_t size, bool is_text, void *userdata) {
    const char *id;

    if (!f.introduced) {
        f.introduced = true;
        return;
    }
    if (!memmem(text, size, "\"REQUEST\"", 9))
        return;
    id = memmem(text, size, "\"request_id\":\"", 14);
    if (!id || f.n == TURN_MAX)
        _exit(1);
    memcpy(f.guids[f.n++], id + 14, GUID_SIZE);
    (void)sd_event_source_set_enabled(f.commit, SD_EVENT_ONESHOT);
}

static void on_secured(void *userdata) {
    _cleanup_free_ char *request = NULL;

    if (websocket_key_generate(f.key) < 0 ||
        http_upgrade_request(&f.url, f.key, "bench", &request) < 0 ||
        stream_send_head(f.stream, request) < 0)
        _exit(1);
}

static int on_head(const char *head, size_t size, void *userdata) {
    return stream_send_text(f.stream, "{}", 2);
}

static void on_closed(int error, void *userdata) {
    (void)sd_event_exit(f.event, 0);
}

int main(int argc, char *argv[]) {
    static const StreamCallbacks callbacks = {
        .on_secured = on_secured,
        .on_head = on_head,
        .on_message = on_message,
        .on_closed = on_closed,
    };
    struct sockaddr_in address = {.sin_family = AF_INET};
    TlsOptions options = {};
    _cleanup_(tls_client_freep) TlsClient *tls = NULL;
    Transport *transport;
    Poller *poller;
    char text[64], error[256];
    const char *reason;
    int fd;

    if (argc != 5)
        return 2;
    options.ca_cert = argv[2];
    f.syncs = (unsigned)strtoul(argv[4], NULL, 10);
    f.fd = open(argv[3], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    (void)snprintf(text, sizeof(text), "wss://127.0.0.1:%s/", argv[1]);
    address.sin_port = htons((uint16_t)strtoul(argv[1], NULL, 10));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (f.fd < 0 || fd < 0 || url_parse(text, &f.url, &reason) < 0 ||
        connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        fcntl(fd, F_SETFL, O_NONBLOCK) < 0 || sd_event_default(&f.event) < 0 ||
        sd_event_add_defer(f.event, &f.commit, on_commit, NULL) < 0 ||
        sd_event_source_set_enabled(f.commit, SD_EVENT_OFF) < 0 ||
        transport_new(fd, &transport) < 0 || tls_client_new(&options, "127.0.0.1", &tls) < 0 ||
        tls_client_start(tls, transport, error, sizeof(error)) < 0 ||
        poller_new(f.event, &poller) < 0 ||
        stream_new(poller, transport, true, &callbacks, NULL, &f.stream) < 0)
        return 1;
    return sd_event_loop(f.event);
}
