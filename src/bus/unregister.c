/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/unregister.h"

#include "basic/log.h"

#define ERROR_IN_PROGRESS "org.dcmagent.Error.InProgress"

typedef struct Call {
    sd_bus_message *message;
    Agent *agent;
} Call;

static void call_free(Call *c) {
    sd_bus_message_unref(c->message);
    free(c);
}

static void on_done(int error, bool is_told, void *userdata) {
    Call *c = userdata;
    sd_bus *bus = sd_bus_message_get_bus(c->message);

    if (error < 0)
        (void)sd_bus_reply_method_errno(c->message, error, NULL);
    else
        (void)sd_bus_reply_method_return(c->message, "b", is_told);
    if (error >= 0) {
        log_notice("The owner of this server has unregistered this agent, which forgets its id and "
                   "its token; the manager %s",
                   is_told ? "knows" : "was not told");
        (void)sd_bus_flush(bus);
        agent_stop_for_good(c->agent, ENDING_UNREGISTERED);
    }
    call_free(c);
}

int bus_unregister(sd_bus_message *m, Agent *agent, sd_bus_error *error) {
    Call *c = calloc(1, sizeof(*c));
    int r;

    if (!c)
        return -ENOMEM;
    c->message = sd_bus_message_ref(m);
    c->agent = agent;
    r = farewell_begin(agent_get_farewell(agent), on_done, c);
    if (r >= 0)
        return 1; /* answered later */
    call_free(c);
    return r == -EALREADY
               ? sd_bus_error_set_const(error, ERROR_IN_PROGRESS, "The agent is leaving already")
               : r;
}
