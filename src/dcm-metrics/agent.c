/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-metrics/agent.h"

#include <math.h>
#include <systemd/sd-bus.h>

#include "basic/bounds.h"

#define AGENT_NAME "org.dcmagent.Agent1"
#define AGENT_PATH "/org/dcmagent/Agent1"
#define AGENT_INTERFACE "org.dcmagent.Agent1.Manager"
#define SYSTEMD_NAME "org.freedesktop.systemd1"
#define SYSTEMD_PATH "/org/freedesktop/systemd1"
#define AGENT_UNIT_PATH SYSTEMD_PATH "/unit/dcm_2dagent_2eservice"
#define PHASES_MAX 8

/* NAN: unknown; systemd also uses the greatest number for that. */
static double ask_u64(sd_bus *bus, const char *name, const char *path, const char *interface,
                      const char *property) {
    uint64_t value;

    return sd_bus_get_property_trivial(bus, name, path, interface, property, NULL, 't', &value) <
                       0 ||
                   value == UINT64_MAX
               ? NAN
               : (double)value;
}

static int ask_text(sd_bus *bus, const char *property, char **ret) {
    return sd_bus_get_property_string(bus, AGENT_NAME, AGENT_PATH, AGENT_INTERFACE, property, NULL,
                                      ret);
}

static void expose_requests(Exposition *x, sd_bus *bus) {
    static const MetricFamily family = {"dcm_agent_requests", METRIC_GAUGE, NULL,
                                        "Requests that are stored, by state."};
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
    const char *state;
    uint32_t n;

    if (sd_bus_get_property(bus, AGENT_NAME, AGENT_PATH, AGENT_INTERFACE, "RequestCounts", NULL, &m,
                            "a{su}") < 0 ||
        sd_bus_message_enter_container(m, 'a', "{su}") < 0)
        return;
    exposition_begin(x, &family);
    while (sd_bus_message_read(m, "{su}", &state, &n) > 0)
        exposition_add(x, (const char *const[]){"state", state, NULL}, n);
}

/* Counts the entries of ListJobs by phase. */
static void expose_jobs(Exposition *x, sd_bus *bus) {
    static const MetricFamily family = {"dcm_agent_jobs", METRIC_GAUGE, NULL,
                                        "Jobs that wait or run, by state."};
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
    const char *phases[PHASES_MAX] = {"waiting", "running"}, *phase;
    unsigned counts[PHASES_MAX] = {};
    size_t i;

    if (sd_bus_call_method(bus, AGENT_NAME, AGENT_PATH, AGENT_INTERFACE, "ListJobs", NULL, &m,
                           NULL) < 0 ||
        sd_bus_message_enter_container(m, 'a', "(ssssustis)") < 0)
        return;
    while (sd_bus_message_read(m, "(ssssustis)", NULL, NULL, NULL, &phase, NULL, NULL, NULL, NULL,
                               NULL) > 0) {
        for (i = 0; i < PHASES_MAX && phases[i] && !streq(phases[i], phase); i++)
            ;
        if (i == PHASES_MAX)
            continue;
        phases[i] = phase;
        counts[i]++;
    }
    exposition_begin(x, &family);
    for (i = 0; i < PHASES_MAX && phases[i]; i++)
        exposition_add(x, (const char *const[]){"state", phases[i], NULL}, counts[i]);
}

static void expose_times(Exposition *x, sd_bus *bus) {
    static const struct {
        MetricFamily family;
        const char *property;
    } times[] = {
        {{"dcm_agent_connected_since_timestamp_seconds", METRIC_GAUGE, "seconds",
          "When the manager accepted the connection."},
         "ConnectedSinceUSec"},
        {{"dcm_agent_certificate_end_timestamp_seconds", METRIC_GAUGE, "seconds",
          "When the manager's certificate ends."},
         "CertificateEndUSec"},
    };

    for (size_t i = 0; i < ELEMENTSOF(times); i++) {
        double usec = ask_u64(bus, AGENT_NAME, AGENT_PATH, AGENT_INTERFACE, times[i].property);

        if (usec > 0)
            exposition_add_single(x, &times[i].family, usec / (double)USEC_PER_SEC);
    }
}

static void expose_footprint(Exposition *x, sd_bus *bus) {
    static const MetricFamily cpu = {"dcm_agent_cpu_seconds", METRIC_COUNTER, "seconds",
                                     "Processor time of the agent's service."};
    static const MetricFamily memory = {"dcm_agent_memory_bytes", METRIC_GAUGE, "bytes",
                                        "Memory of the agent's service, its page cache counted."};
    static const char interface[] = SYSTEMD_NAME ".Service";

    exposition_add_single(
        x, &cpu, ask_u64(bus, SYSTEMD_NAME, AGENT_UNIT_PATH, interface, "CPUUsageNSec") * 1e-9);
    exposition_add_single(x, &memory,
                          ask_u64(bus, SYSTEMD_NAME, AGENT_UNIT_PATH, interface, "MemoryCurrent"));
}

static void expose_failed_units(Exposition *x, sd_bus *bus) {
    static const MetricFamily family = {"dcm_units_failed", METRIC_GAUGE, NULL,
                                        "Units that systemd calls failed."};
    uint32_t n;

    if (sd_bus_get_property_trivial(bus, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_NAME ".Manager",
                                    "NFailedUnits", NULL, 'u', &n) >= 0)
        exposition_add_single(x, &family, n);
}

static void expose_state(Exposition *x, const char *version, const char *state) {
    static const MetricFamily up = {"dcm_agent_up", METRIC_GAUGE, NULL,
                                    "1: the agent answers on D-Bus."};
    static const MetricFamily info = {"dcm_agent", METRIC_INFO, NULL, "The agent's version."};
    static const MetricFamily connected = {"dcm_agent_connected", METRIC_GAUGE, NULL,
                                           "1: the manager has accepted the connection."};

    exposition_add_single(x, &up, version ? 1 : 0);
    if (version) {
        exposition_begin(x, &info);
        exposition_add(x, (const char *const[]){"version", version, NULL}, 1);
    }
    exposition_add_single(x, &connected, state && streq(state, "connected") ? 1 : 0);
}

void agent_expose(Exposition *x) {
    _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
    _cleanup_free_ char *version = NULL, *state = NULL;

    if (sd_bus_open_system(&bus) >= 0) {
        (void)sd_bus_set_method_call_timeout(bus, METRICS_BUS_USEC);
        (void)ask_text(bus, "Version", &version);
        if (version)
            (void)ask_text(bus, "State", &state);
    }
    expose_state(x, version, state);
    if (version) {
        expose_requests(x, bus);
        expose_jobs(x, bus);
        expose_times(x, bus);
        expose_footprint(x, bus);
    }
    if (bus)
        expose_failed_units(x, bus);
}
