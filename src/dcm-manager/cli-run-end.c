/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-manager/cli-run-end.h"

#include "basic/i18n.h"
#include "basic/terminal.h"
#include "basic/time-util.h"
#include "dcm-manager/payload.h"
#include "proto/text.h"

#define RETURN_CODE_MAX 125 /* larger return codes are mapped */
/* between two queries of a long runner's job */
#define JOB_PAUSE_USEC_MIN (USEC_PER_SEC / 4)
#define JOB_PAUSE_USEC_MAX (30 * USEC_PER_SEC)

static void print_text(FILE *f, const char *text) {
    size_t size = strlen(text);

    terminal_pass(f, text, size);
    if (size > 0 && text[size - 1] != '\n')
        (void)fputc('\n', f);
}

static void print_error(FILE *f, const char *wire) {
    _cleanup_free_ char *text = NULL;

    print_text(f, error_text_for_people(wire, &text) >= 0 ? text : wire);
}

/* The return code counts as 1 then. */
static void print_no_reply(struct json_object *reply) {
    if (reply)
        terminal_printf(stderr, _("dcm-manager: the agent's answer is not a reply object: %s\n"),
                        json_object_get_string(reply));
    else
        (void)fprintf(stderr, _("dcm-manager: the agent's reply is null: it has no result\n"));
}

/* The message, or what the reply is about if it has none. */
static void print_result(struct json_object *reply) {
    const char *message = strempty(json_get_string(reply, "message"));
    struct json_object *object = json_get(reply, "reply_object");

    if (!isempty(message) || !object)
        print_text(stdout, message);
    else if (json_object_is_type(object, json_type_string))
        print_text(stdout, json_object_get_string(object));
    else {
        terminal_put_json(stdout,
                          json_object_to_json_string_ext(
                              object, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE));
        (void)putchar('\n');
    }
}

int run_return_code(struct json_object *reply) {
    int64_t return_code = 1;

    (void)json_to_integer(json_get(reply, "return_code"), &return_code);
    return return_code >= 0 && return_code <= RETURN_CODE_MAX ? (int)return_code : 1;
}

void run_print_texts(struct json_object *reply, FILE *errors) {
    if (!json_object_is_type(reply, json_type_object)) {
        print_no_reply(reply);
        return;
    }
    print_result(reply);
    print_error(errors, strempty(json_get_string(reply, "error_message")));
}

static bool is_refused(struct json_object *request) {
    return streq(strempty(json_get_string(request, "state")), "NACKED");
}

static struct json_object *run_request(const char *agent, const char *guid,
                                       struct json_object *payload) {
    struct json_object *request = client_request("run");

    if (!request) {
        (void)json_object_put(payload);
        return NULL;
    }
    if (json_add(request, "payload", payload) < 0 || json_add_string(request, "agent", agent) < 0 ||
        (guid && json_add_string(request, "guid", guid) < 0)) {
        (void)json_object_put(request);
        return NULL;
    }
    return request;
}

int run_order(Client *client, const char *agent, const char *guid, struct json_object *payload,
              struct json_object **ret) {
    return client_call(client, run_request(agent, guid, payload), ret);
}

static int call_wait(Client *client, const char *guid, struct json_object **ret) {
    struct json_object *request = client_request("wait");

    if (request && json_add_string(request, "guid", guid) < 0)
        return EXIT_OTHER;
    return client_call(client, request, ret);
}

static int reconnect(const Options *o, Client **client) {
    *client = client_free(*client);
    return client_new(o->control, o->timeout_sec, client);
}

/* The request outlives a restart of the manager, and so does waiting for it where systemd keeps
 * the socket. */
static int wait_for_reply(const Options *o, Client **client, const char *guid,
                          struct json_object **ret) {
    int r;

    for (;;) {
        client_expect_loss(*client);
        r = call_wait(*client, guid, ret);
        if (r == 0 || r == EXIT_TIMED_OUT || !client_is_lost(*client))
            return r;
        r = reconnect(o, client);
        if (r > 0)
            return r;
    }
}

/* --- long runners -------------------------------------------------------------------------------
 */

/* A reply that gives a job's number instead of its result. */
static bool find_job(struct json_object *request, int64_t *ret_number) {
    struct json_object *reply = json_get(request, "reply");

    return !is_refused(request) &&
           streq(strempty(json_get_string(reply, "reply_type")), "job_description") &&
           json_to_integer(json_get(json_get(reply, "reply_object"), "job_id"), ret_number) >= 0;
}

static struct json_object *description_payload(int64_t job) {
    struct json_object *arguments = json_object_new_object(), *payload = NULL;

    if (arguments && json_add_int(arguments, "jobId", job) < 0) {
        (void)json_object_put(arguments);
        return NULL;
    }
    return arguments && payload_new("get_job_description", arguments, false, &payload) >= 0
               ? payload
               : NULL;
}

/* The answer to a request of its own. */
static int query_job(const Options *o, Client **client, const char *agent, int64_t job,
                     struct json_object **ret) {
    _cleanup_json_ struct json_object *answer = NULL;
    int r;

    client_expect_loss(*client);
    r = run_order(*client, agent, NULL, description_payload(job), &answer);
    if (r > 0 && client_is_lost(*client)) { /* the manager was restarted in the pause */
        r = reconnect(o, client);
        if (r == 0)
            r = run_order(*client, agent, NULL, description_payload(job), &answer);
    }
    return r > 0 ? r : wait_for_reply(o, client, strempty(json_get_string(answer, "guid")), ret);
}

static bool has_ended(struct json_object *description) {
    const char *status = strempty(json_get_string(description, "job_status"));

    return !streq(status, "WAITING") && !streq(status, "RUNNING");
}

static bool job_has_ended(struct json_object *answer) {
    return has_ended(json_get(json_get(json_get(answer, "request"), "reply"), "reply_object"));
}

/* Asks again and again, ever more seldom. */
static int follow_job(const Options *o, Client **client, const char *agent, int64_t job,
                      struct json_object **ret) {
    uint64_t pause = JOB_PAUSE_USEC_MIN;

    for (;;) {
        _cleanup_json_ struct json_object *answer = NULL;
        int r = client_sleep(*client, pause);

        if (r == 0)
            r = query_job(o, client, agent, job, &answer);
        if (r > 0)
            return r;
        if (job_has_ended(answer)) {
            *ret = TAKE_PTR(answer);
            return 0;
        }
        pause = MIN(pause * 3 / 2, JOB_PAUSE_USEC_MAX);
    }
}

/* --- the end of a request ----------------------------------------------------------------------
 */

int run_follow(const Options *o, Client **client, const char *agent, const char *guid,
               RunEnd *ret) {
    _cleanup_json_ struct json_object *answer = NULL;
    int r = wait_for_reply(o, client, guid, &answer);

    if (r > 0)
        return r;
    ret->has_job = !o->long_runner && find_job(json_get(answer, "request"), &ret->job);
    if (ret->has_job && !job_has_ended(answer))
        return follow_job(o, client, agent, ret->job, &ret->answer);
    ret->answer = TAKE_PTR(answer);
    return 0;
}

int run_look(const Options *o, Client **client, const char *agent, const char *guid, RunEnd *ret) {
    _cleanup_json_ struct json_object *answer = NULL, *described = NULL;
    struct json_object *request = client_request("show");
    const char *state;
    int r;

    if (!request || json_add_string(request, "guid", guid) < 0) {
        (void)json_object_put(request);
        return -EXIT_OTHER;
    }
    r = client_call(*client, request, &answer);
    if (r > 0)
        return -r;
    state = strempty(json_get_string(json_get(answer, "request"), "state"));
    if (!streq(state, "REPLIED") && !streq(state, "NACKED"))
        return 0;
    ret->has_job = !o->long_runner && find_job(json_get(answer, "request"), &ret->job);
    if (ret->has_job && !job_has_ended(answer)) {
        r = query_job(o, client, agent, ret->job, &described);
        if (r > 0 || !job_has_ended(described))
            return -r;
    }
    ret->answer = described ? TAKE_PTR(described) : TAKE_PTR(answer);
    return 1;
}

bool run_end_is_refused(const RunEnd *e) {
    return is_refused(json_get(e->answer, "request"));
}

struct json_object *run_end_reply(const RunEnd *e) {
    struct json_object *reply = json_get(json_get(e->answer, "request"), "reply"),
                       *description = json_get(reply, "reply_object");

    return e->has_job && description ? json_get(description, "command_reply") : reply;
}
