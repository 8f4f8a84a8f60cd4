/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-doctor/surroundings.h"

#include <systemd/sd-bus.h>

#define SYSTEMD "org.freedesktop.systemd1"
#define UNIT_PATH "/org/freedesktop/systemd1/unit/dcm_2dagent_2eservice"
#define AGENT "org.dcmagent.Agent1"
#define AGENT_PATH "/org/dcmagent/Agent1"
#define AGENT_INTERFACE AGENT ".Manager"

void surroundings_done(Surroundings *s) {
    free(s->status);
    free(s->last_status);
    free(s->active_state);
    for (char **e = s->environment; e && *e; e++)
        free(*e);
    free(s->environment);
    *s = (Surroundings){};
}

static int read_service(sd_bus *bus, Surroundings *s) {
    _cleanup_free_ char *file_state = NULL;
    int32_t exit_status = 0;

    TRY(sd_bus_get_property_string(bus, SYSTEMD, UNIT_PATH, SYSTEMD ".Unit", "ActiveState", NULL,
                                   &s->active_state));
    TRY(sd_bus_get_property_string(bus, SYSTEMD, UNIT_PATH, SYSTEMD ".Unit", "UnitFileState", NULL,
                                   &file_state));
    TRY(sd_bus_get_property_string(bus, SYSTEMD, UNIT_PATH, SYSTEMD ".Service", "StatusText", NULL,
                                   &s->last_status));
    TRY(sd_bus_get_property_trivial(bus, SYSTEMD, UNIT_PATH, SYSTEMD ".Service", "ExecMainStatus",
                                    NULL, 'i', &exit_status));
    s->is_enabled = strncmp(file_state, "enabled", strlen("enabled")) == 0;
    s->exit_status = (int)exit_status;
    return 0;
}

static int read_unit(sd_bus *bus, Surroundings *s) {
    _cleanup_free_ char *load_state = NULL;
    int r;

    TRY(sd_bus_get_property_string(bus, SYSTEMD, UNIT_PATH, SYSTEMD ".Unit", "LoadState", NULL,
                                   &load_state));
    s->is_masked = streq(load_state, "masked");
    if (!streq(load_state, "loaded"))
        return 0;
    TRY(read_service(bus, s));
    r = sd_bus_get_property_strv(bus, SYSTEMD, UNIT_PATH, SYSTEMD ".Service", "Environment", NULL,
                                 &s->environment);
    s->has_unit = r >= 0;
    return r;
}

static int read_agent(sd_bus *bus, Surroundings *s) {
    _cleanup_free_ char *state = NULL, *pause = NULL;

    TRY(sd_bus_get_property_string(bus, AGENT, AGENT_PATH, AGENT_INTERFACE, "State", NULL, &state));
    TRY(sd_bus_get_property_string(bus, AGENT, AGENT_PATH, AGENT_INTERFACE, "StatusText", NULL,
                                   &s->status));
    TRY(sd_bus_get_property_string(bus, AGENT, AGENT_PATH, AGENT_INTERFACE, "Pause", NULL, &pause));
    s->is_paused = !isempty(pause);
    s->is_running = true;
    s->is_connected = streq(state, "connected");
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
