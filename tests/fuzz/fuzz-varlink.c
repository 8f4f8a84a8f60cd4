/* SPDX-License-Identifier: Apache-2.0 */
/* What a local peer sends to the agent's socket (fuzz-socket.h): each call is answered once and in
 * order, until one is none; what a job says reaches the console as text of its bounds. The agent's
 * state, its console and systemd are this program's. And what a job reads as an answer. */
#include <syslog.h>

#include "basic/bounds.h"
#include "basic/guid.h"
#include "basic/log.h"
#include "fuzz-socket.h"
#include "proto/text.h"
#include "proto/varlink.h"
#include "varlink/agent-service.h"
#include "varlink/caller.h"

#define GUID "1"
#define NO_JOB_EACH 4u /* of so many callers one is no job */

static sd_event *event;
static Voices *voices;
static unsigned n_callers;

/* --- systemd -----------------------------------------------------------------------------------
 */

struct Caller {
    sd_event_source *source;
    CallerCallback callback;
    void *userdata;
};

static int on_unit(sd_event_source *source, void *userdata) {
    char unit[JOB_UNIT_SIZE];
    Caller *c = userdata;

    guid_to_unit_name(GUID, unit);
    c->callback(0, ++n_callers % NO_JOB_EACH == 0 ? "ssh.service" : unit, c->userdata);
    return 0;
}

int caller_new(sd_bus *bus, pid_t pid, int pid_fd, CallerCallback callback, void *userdata,
               Caller **ret) {
    Caller *c = calloc(1, sizeof(*c));

    CHECK(c && pid == getpid() && pid_fd >= 0);
    *c = (Caller){.callback = callback, .userdata = userdata};
    CHECK(sd_event_add_defer(event, &c->source, on_unit, c) >= 0);
    *ret = c;
    return 0;
}

Caller *caller_free(Caller *c) {
    if (!c)
        return NULL;
    sd_event_source_disable_unref(c->source);
    free(c);
    return NULL;
}

/* --- the agent ---------------------------------------------------------------------------------
 */

Voices *agent_get_voices(const Agent *a) {
    return voices;
}

const Uplink *agent_get_uplink(const Agent *a) {
    return NULL;
}

Store *agent_get_store(const Agent *a) {
    return NULL;
}

AgentView agent_view(const Agent *a) {
    return (AgentView){.agent_id = "agent", .server_name = "", .pause = ""};
}

UplinkView uplink_view(const Uplink *u) {
    return (UplinkView){.state = "open", .status = "", .url = ""};
}

int store_count_requests(Store *s, unsigned ret_counts[static _REQUEST_STATE_MAX]) {
    for (size_t i = 0; i < _REQUEST_STATE_MAX; i++)
        ret_counts[i] = 0;
    return 0;
}

bool console_takes(const Console *c, int level) {
    return false; /* no file is followed */
}

void console_log_job(Console *c, int level, const char *command, const char *guid,
                     const char *line) {
    CHECK(level >= LOG_ERR && level <= LOG_DEBUG && streq(guid, GUID));
    CHECK(strlen(line) <= 3 * JOB_LINE_MAX && utf8_is_valid(line, strlen(line)));
}

/* --- what is said ------------------------------------------------------------------------------
 */

static void check_answer(const char *text, size_t size) {
    _cleanup_json_ struct json_object *o = NULL;
    _cleanup_free_ char *error = NULL;
    int r;

    CHECK(json_parse(text, size, &o) == 0 && json_object_is_type(o, json_type_object));
    CHECK(json_get(o, "error") || json_get(o, "parameters"));
    r = varlink_answer_parse(text, size, &error);
    CHECK(r == 0 || (r == -EREMOTEIO && strncmp(error, "org.", 4) == 0));
}

static unsigned check_answers(const FuzzAnswers *a) {
    unsigned n = 0;

    for (size_t i = 0, size; i < a->size; i += size + 1) {
        const char *nul = memchr(a->data + i, 0, a->size - i);

        CHECK(nul);
        size = (size_t)(nul - a->data) - i;
        check_answer(a->data + i, size);
        n++;
    }
    return n;
}

/* Of calls that want an answer, before the first message that is no call. */
static unsigned count_calls(const uint8_t *data, size_t size) {
    _cleanup_free_ char *text = malloc(size + 1);
    size_t used = 0;
    unsigned n = 0;
    char *nul;

    CHECK(text);
    for (size_t i = 0; i < size; i++)
        if (data[i] != FUZZ_WRITE_END)
            text[used++] = (char)data[i];
    for (char *p = text; (nul = memchr(p, 0, used - (size_t)(p - text))); p = nul + 1) {
        VarlinkCall c;

        if (nul - p >= (ssize_t)VARLINK_MESSAGE_MAX ||
            varlink_call_parse(p, (size_t)(nul - p), &c) < 0)
            break;
        CHECK(c.method && strchr(c.method, '.'));
        n += !c.oneway;
        varlink_call_done(&c);
    }
    return n;
}

static void check_talk(const uint8_t *data, size_t size) {
    _cleanup_(fuzz_answers_done) FuzzAnswers answers = {};
    int listen_fd = fuzz_listen();
    AgentService *service = NULL;
    unsigned n_calls, n_answers;

    n_callers = 0;
    CHECK(sd_event_new(&event) >= 0 && voices_new(event, NULL, NULL, &voices) == 0);
    voices_add(voices, GUID, "run_script", -1, false);
    CHECK(agent_service_new(event, NULL, NULL, listen_fd, &service) == 0);
    fuzz_talk(event, listen_fd, data, size, &answers);
    n_calls = count_calls(data, size);
    n_answers = check_answers(&answers);
    CHECK(n_answers == n_calls || (n_answers < n_calls && n_calls > JOB_LINES_MAX));
    agent_service_free(service);
    voices_free(voices);
    sd_event_unref(event);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    _cleanup_free_ char *error = NULL;
    int r;

    log_set_level(LOG_CRIT);
    check_talk(data, size);
    r = varlink_answer_parse((const char *)data, size, &error);
    CHECK((r == -EREMOTEIO) == (error != NULL));
    CHECK(r == 0 || r == -EREMOTEIO || r == -EBADMSG);
    return 0;
}
