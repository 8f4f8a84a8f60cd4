/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/service-state.h"

#include <stdarg.h>

#include "basic/i18n.h"
#include "basic/service.h"
#include "basic/utf8.h"

#define SYSTEMD "org.freedesktop.systemd1"

/* of systemd, systemd.exec(5) */
#define EXIT_CREDENTIALS 243

void service_state_done(ServiceState *s) {
    free(s->status_text);
    free(s->active_state);
    free(s->result);
    *s = (ServiceState){};
}

static int read_text(sd_bus *bus, const char *interface, const char *name, char **ret) {
    return sd_bus_get_property_string(bus, SYSTEMD, SERVICE_UNIT_PATH, interface, name, NULL, ret);
}

static int read_service(sd_bus *bus, ServiceState *s) {
    _cleanup_free_ char *file_state = NULL;
    int32_t exit_status = 0;

    TRY(read_text(bus, SYSTEMD ".Unit", "ActiveState", &s->active_state));
    TRY(read_text(bus, SYSTEMD ".Unit", "UnitFileState", &file_state));
    TRY(read_text(bus, SYSTEMD ".Service", "StatusText", &s->status_text));
    TRY(read_text(bus, SYSTEMD ".Service", "Result", &s->result));
    TRY(sd_bus_get_property_trivial(bus, SYSTEMD, SERVICE_UNIT_PATH, SYSTEMD ".Service",
                                    "ExecMainStatus", NULL, 'i', &exit_status));
    s->is_enabled = strncmp(file_state, "enabled", strlen("enabled")) == 0;
    s->exit_status = (int)exit_status;
    return 0;
}

int service_state_read(sd_bus *bus, ServiceState *ret) {
    _cleanup_free_ char *load_state = NULL;

    *ret = (ServiceState){};
    TRY(read_text(bus, SYSTEMD ".Unit", "LoadState", &load_state));
    ret->is_masked = streq(load_state, "masked");
    ret->is_loaded = streq(load_state, "loaded");
    return ret->is_loaded ? read_service(bus, ret) : 0;
}

static bool begins(const char *text, const char *word) {
    return strncmp(text, word, strlen(word)) == 0;
}

static void put(char buf[static SERVICE_TEXT_SIZE], const char *format, ...) _printf_(2, 3);
static void put(char buf[static SERVICE_TEXT_SIZE], const char *format, ...) {
    va_list ap;

    va_start(ap, format);
    (void)utf8_format_list(buf, SERVICE_TEXT_SIZE, format, ap);
    va_end(ap);
}

/* dcm-agentd and dcm-run end with a reason in their status text where they know one. */
static void explain_failure(const ServiceState *s, char buf[static SERVICE_TEXT_SIZE]) {
    const char *reason = strempty(s->status_text);

    if (s->exit_status == EXIT_CREDENTIALS)
        put(buf, "%s",
            _("systemd cannot decrypt a credential of the service, for instance the sealed token, "
              "since the key of this host or its TPM has changed: journalctl -u dcm-agent"));
    else if (s->exit_status == EXIT_NEWER_DATABASE)
        put(buf, "%s",
            _("a newer version of dcm-agent created the database; install that version again"));
    else if (begins(reason, SERVICE_FAILED))
        put(buf, _("the agent failed: %s: journalctl -u dcm-agent"),
            reason + strlen(SERVICE_FAILED));
    else
        put(buf, _("the agent failed (%s, status %d): journalctl -u dcm-agent"),
            strempty(s->result), s->exit_status);
}

ServiceCause service_state_explain(const ServiceState *s, char buf[static SERVICE_TEXT_SIZE]) {
    const char *state = strempty(s->active_state), *last = strempty(s->status_text);
    bool has_failed = streq(state, "failed") || (streq(state, "activating") && s->exit_status != 0);

    if (s->is_masked) {
        put(buf, "%s",
            _("dcm-agent.service is masked, so that it cannot start: systemctl unmask dcm-agent"));
        return SERVICE_IS_BROKEN;
    }
    if (begins(last, SERVICE_STOPPED_FOR_GOOD)) {
        put(buf, "%s", last);
        return SERVICE_HAS_ITS_REASONS;
    }
    if (has_failed && s->exit_status != EXIT_HEMLOCK) {
        explain_failure(s, buf);
        return SERVICE_IS_BROKEN;
    }
    if (streq(state, "activating")) {
        put(buf, "%s", _("the agent is starting"));
        return SERVICE_HAS_ITS_REASONS;
    }
    put(buf, "%s",
        s->is_enabled ? _("the agent is not running: systemctl start dcm-agent")
                      : _("the agent is not running: systemctl enable --now dcm-agent"));
    return SERVICE_IS_STOPPED;
}
