/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-doctor/surroundings.h"

#include <systemd/sd-bus.h>

#define SYSTEMD "org.freedesktop.systemd1"
#define AGENT "org.dcmagent.Agent1"
#define AGENT_PATH "/org/dcmagent/Agent1"
#define AGENT_INTERFACE AGENT ".Manager"

void surroundings_done(Surroundings *s) {
    free(s->status);
    service_state_done(&s->service);
    for (char **e = s->environment; e && *e; e++)
        free(*e);
    free(s->environment);
    *s = (Surroundings){};
}

static int read_unit(sd_bus *bus, Surroundings *s) {
    int r;

    TRY(service_state_read(bus, &s->service));
    if (!s->service.is_loaded)
        return 0;
    r = sd_bus_get_property_strv(bus, SYSTEMD, SERVICE_UNIT_PATH, SYSTEMD ".Service", "Environment",
                                 NULL, &s->environment);
    s->has_unit = r >= 0;
    return r;
}

static int read_agent(sd_bus *bus, Surroundings *s) {
    _cleanup_free_ char *state = NULL, *pause = NULL, *step = NULL, *store = NULL, *jobs = NULL;

    TRY(sd_bus_get_property_string(bus, AGENT, AGENT_PATH, AGENT_INTERFACE, "State", NULL, &state));
    TRY(sd_bus_get_property_string(bus, AGENT, AGENT_PATH, AGENT_INTERFACE, "StatusText", NULL,
                                   &s->status));
    TRY(sd_bus_get_property_string(bus, AGENT, AGENT_PATH, AGENT_INTERFACE, "PauseMode", NULL,
                                   &pause));
    TRY(sd_bus_get_property_string(bus, AGENT, AGENT_PATH, AGENT_INTERFACE, "FailedStep", NULL,
                                   &step));
    TRY(sd_bus_get_property_string(bus, AGENT, AGENT_PATH, AGENT_INTERFACE, "StoreProblem", NULL,
                                   &store));
    /* an agent that was not restarted after an upgrade may not have it */
    (void)sd_bus_get_property_string(bus, AGENT, AGENT_PATH, AGENT_INTERFACE, "JobProblem", NULL,
                                     &jobs);
    s->is_full = !isempty(store);
    s->is_idle = !isempty(jobs);
    s->is_astray =
        strncmp(s->status, "Not ", strlen("Not ")) == 0; /* connected, connecting, configured */
    s->is_paused = !isempty(pause);
    s->is_running = true;
    s->is_connected = streq(state, "connected");
    s->is_refused = !s->is_connected && streq(step, "handshake");
    return 0;
}

int surroundings_read(Surroundings *ret) {
    _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
    Surroundings s = {};
    int r;

    r = sd_bus_open_system(&bus);
    if (r >= 0)
        r = read_unit(bus, &s);
    if (bus && r != -ENOMEM)
        r = read_agent(bus, &s);
    if (r == -ENOMEM) {
        surroundings_done(&s);
        return r;
    }
    *ret = s;
    return 0;
}

const char *surroundings_get(const Surroundings *s, const char *name) {
    size_t size = strlen(name);

    if (!s->has_unit)
        return getenv(name);
    for (char **e = s->environment; e && *e; e++)
        if (strncmp(*e, name, size) == 0 && (*e)[size] == '=')
            return *e + size + 1;
    return NULL;
}
