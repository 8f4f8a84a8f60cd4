/* SPDX-License-Identifier: Apache-2.0 */
/* A manager (libsoup, which this project did not write) that measures: takes one connection after
 * the other, answers the handshake, and keeps a number of `heartbeat` requests in flight until a
 * count of them is answered and acknowledged. Figures go to standard output, one JSON object per
 * connection.
 *
 *     bench-load CERTIFICATE KEY PORT IN_FLIGHT COUNT
 *
 * An answer counts when the REPLY is there; the time of each is from sending the REQUEST to that.
 */
#include <libsoup/soup.h>
#include <stdio.h>
#include <string.h>

#define GUID_FORMAT "be4c4a11-0000-4000-8000-%012x"
#define GUID_SIZE 37
#define WARM_UP 64u /* not counted */

typedef struct Load {
    GMainLoop *loop;
    SoupWebsocketConnection *connection;
    unsigned in_flight, count; /* wanted */
    unsigned sent, answered;
    unsigned round; /* makes GUIDs unique */
    gint64 begin_usec;
    gint64 *sent_usec, *took_usec;
    gboolean introduced;
} Load;

static int compare(const void *a, const void *b) {
    gint64 x = *(const gint64 *)a, y = *(const gint64 *)b;

    return x < y ? -1 : x > y;
}

static void report(Load *l) {
    gint64 wall = g_get_monotonic_time() - l->begin_usec;
    unsigned n = l->count;

    qsort(l->took_usec, n, sizeof(*l->took_usec), compare);
    printf("{\"in_flight\": %u, \"count\": %u, \"rate\": %.0f, \"p50_usec\": %lld, \"p99_usec\": "
           "%lld}\n",
           l->in_flight, n, n * 1e6 / (double)wall, (long long)l->took_usec[n / 2],
           (long long)l->took_usec[n * 99 / 100]);
    fflush(stdout);
}

static void send_request(Load *l) {
    unsigned n = l->sent++;
    char text[256];

    snprintf(text, sizeof(text),
             "{\"type\":\"REQUEST\",\"request_id\":\"" GUID_FORMAT "\",\"message_id\":\"m%u\","
             "\"payload\":{\"command\":\"heartbeat\",\"arguments\":{}}}",
             l->round + n, n);
    if (n == WARM_UP)
        l->begin_usec = g_get_monotonic_time();
    l->sent_usec[n] = g_get_monotonic_time();
    soup_websocket_connection_send_text(l->connection, text);
}

/* The number in the GUID; -1: not ours */
static gint64 parse_number(const Load *l, const char *text) {
    const char *id = strstr(text, "be4c4a11-");
    gint64 n;

    if (!id || strlen(id) < GUID_SIZE)
        return -1;
    n = g_ascii_strtoll(id + 24, NULL, 16) - l->round;
    return n >= 0 && n < l->sent ? n : -1;
}

static void on_reply(Load *l, const char *text) {
    gint64 n = parse_number(l, text);
    char ack[256];

    if (n < 0)
        return;
    snprintf(ack, sizeof(ack),
             "{\"type\":\"ACK\",\"request_id\":\"" GUID_FORMAT "\",\"message_id\":\"x\"}",
             l->round + (unsigned)n);
    soup_websocket_connection_send_text(l->connection, ack);
    if (l->sent_usec[n] == 0) /* a duplicate */
        return;
    if (n >= WARM_UP)
        l->took_usec[n - WARM_UP] = g_get_monotonic_time() - l->sent_usec[n];
    l->sent_usec[n] = 0;
    l->answered++;
    if (l->sent < l->count + WARM_UP)
        send_request(l);
    else if (l->answered == l->count + WARM_UP) {
        report(l);
        l->round += l->sent;
        soup_websocket_connection_close(l->connection, SOUP_WEBSOCKET_CLOSE_NORMAL, NULL);
    }
}

static void introduce(Load *l) {
    l->introduced = TRUE;
    soup_websocket_connection_send_text(
        l->connection, "{\"return_code\":200,\"handshake\":{\"version\":\"1\",\"agentID\":\"a-1\","
                       "\"serverName\":\"bench\"}}");
    while (l->sent < l->in_flight)
        send_request(l);
}

static void on_message(SoupWebsocketConnection *connection, int type, GBytes *bytes, Load *l) {
    const char *text = g_bytes_get_data(bytes, NULL);

    if (!l->introduced)
        introduce(l);
    else if (strstr(text, "\"REPLY\""))
        on_reply(l, text);
}

static void on_closed(SoupWebsocketConnection *connection, Load *l) {
    g_main_loop_quit(l->loop);
}

static void on_connect(SoupServer *server, SoupServerMessage *message, const char *path,
                       SoupWebsocketConnection *connection, gpointer userdata) {
    Load *l = userdata;

    l->connection = g_object_ref(connection);
    g_signal_connect(connection, "message", G_CALLBACK(on_message), l);
    g_signal_connect(connection, "closed", G_CALLBACK(on_closed), l);
}

int main(int argc, char **argv) {
    g_autoptr(GError) error = NULL;
    g_autoptr(GTlsCertificate) certificate = NULL;
    g_autoptr(SoupServer) server = NULL;
    char *protocols[] = {(char *)"dcm", NULL};
    Load l = {};

    if (argc != 6)
        return 2;
    certificate = g_tls_certificate_new_from_files(argv[1], argv[2], &error);
    if (!certificate)
        g_error("%s", error->message);
    l.in_flight = (unsigned)atoi(argv[4]);
    l.count = (unsigned)atoi(argv[5]);
    l.round = (unsigned)g_random_int_range(0, 1 << 30);
    l.sent_usec = g_new0(gint64, l.count + WARM_UP + 1);
    l.took_usec = g_new0(gint64, l.count + WARM_UP + 1);
    l.loop = g_main_loop_new(NULL, FALSE);
    server = soup_server_new("tls-certificate", certificate, NULL);
    soup_server_add_websocket_handler(server, NULL, NULL, protocols, on_connect, &l, NULL);
    if (!soup_server_listen_local(server, (guint)atoi(argv[3]),
                                  SOUP_SERVER_LISTEN_HTTPS | SOUP_SERVER_LISTEN_IPV4_ONLY, &error))
        g_error("%s", error->message);
    g_main_loop_run(l.loop);
    return 0;
}
