/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-agentctl/ctl.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>

#include "basic/i18n.h"
#include "basic/utf8.h"
#include "cli/service-state.h"
#include "dcm-agentctl/bus-json.h"

/* systemd knows why it does not run. */
static void explain_absence(const Context *c, char buf[static CTL_TEXT_SIZE]) {
    _cleanup_(service_state_done) ServiceState state = {};
    char text[SERVICE_TEXT_SIZE];

    if (service_state_read(c->bus, &state) >= 0 &&
        service_state_explain(&state, text) != SERVICE_IS_STOPPED)
        (void)utf8_format(buf, CTL_TEXT_SIZE, _("The agent is not running: %s\n"), text);
    else
        (void)utf8_format(buf, CTL_TEXT_SIZE, _("The agent is not running. Start it: %s\n"),
                          state.is_loaded && !state.is_enabled ? "systemctl enable --now dcm-agent"
                                                               : "systemctl start dcm-agent");
}

int ctl_explain(const Context *c, const sd_bus_error *error, int r,
                char buf[static CTL_TEXT_SIZE]) {
    if (sd_bus_error_has_name(error, SD_BUS_ERROR_SERVICE_UNKNOWN) ||
        sd_bus_error_has_name(error, SD_BUS_ERROR_NAME_HAS_NO_OWNER)) {
        explain_absence(c, buf);
        return -EHOSTDOWN;
    }
    if (sd_bus_error_has_name(error, SD_BUS_ERROR_ACCESS_DENIED)) {
        (void)utf8_format(buf, CTL_TEXT_SIZE, "%s", _("Permission denied. Try it as root.\n"));
        return -EACCES;
    }
    (void)utf8_format(buf, CTL_TEXT_SIZE, _("The agent answered: %s\n"),
                      error->message ?: strerror(abs(r)));
    return r;
}

int ctl_report(const Context *c, const sd_bus_error *error, int r) {
    char text[CTL_TEXT_SIZE];

    r = ctl_explain(c, error, r, text);
    terminal_printf(stderr, "%s", text);
    return r;
}

int ctl_exit_status(int r) {
    return r >= 0                        ? r
           : r == -EHOSTDOWN             ? EXIT_NOT_RUNNING
           : r == -EACCES || r == -EPERM ? EXIT_NOT_ALLOWED
                                         : EXIT_FAILURE;
}

int ctl_call(const Context *c, const char *method, sd_bus_message **ret, const char *signature,
             ...) {
    _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
    va_list ap;
    int r;

    r = sd_bus_message_new_method_call(c->bus, &m, AGENT_NAME, AGENT_PATH, AGENT_INTERFACE, method);
    if (r >= 0 && signature) {
        va_start(ap, signature);
        r = sd_bus_message_appendv(m, signature, ap);
        va_end(ap);
    }
    if (r >= 0)
        r = sd_bus_call(c->bus, m, 0, &error, ret);
    return r < 0 ? ctl_report(c, &error, r) : 0;
}

int ctl_read_properties(const Context *c, sd_bus_error *error, struct json_object **ret) {
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;

    TRY(sd_bus_call_method(c->bus, AGENT_NAME, AGENT_PATH, "org.freedesktop.DBus.Properties",
                           "GetAll", error, &m, "s", AGENT_INTERFACE));
    return ctl_json_from_bus(m, ret);
}

void ctl_print_label(const char *label, int width) {
    terminal_put_padded(stdout, label, -width);
    (void)fputs(": ", stdout);
}

void ctl_print_field(const char *label, int width, const char *value) {
    ctl_print_label(label, width);
    terminal_put_wrapped(stdout, value, screen_get_width(), width + 2);
}

struct json_object *ctl_name_values(struct json_object *tuple, const char *const keys[], size_t n) {
    struct json_object *o = json_object_new_object();

    for (size_t i = 0; o && i < n; i++)
        (void)json_object_object_add(o, keys[i],
                                     json_object_get(json_object_array_get_idx(tuple, i)));
    return o;
}

int ctl_read_rows(sd_bus_message *m, const char *const keys[], size_t n, struct json_object **ret) {
    _cleanup_json_ struct json_object *tuples = NULL, *rows = json_object_new_array();

    if (!rows)
        return -ENOMEM;
    TRY(ctl_json_from_bus(m, &tuples));
    for (size_t i = 0; i < json_object_array_length(tuples); i++)
        (void)json_object_array_add(rows,
                                    ctl_name_values(json_object_array_get_idx(tuples, i), keys, n));
    *ret = TAKE_PTR(rows);
    return 0;
}

#define GUID_WHOLE 36 /* one of this length, or longer, is not a beginning */

int ctl_find_guid(const Context *c, const char *text, char **ret) {
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
    _cleanup_json_ struct json_object *tuples = NULL;
    const char *found = text;
    unsigned n = 0;

    if (strlen(text) < GUID_WHOLE) {
        TRY(ctl_call(c, "ListRequests", &m, "u", (uint32_t)0));
        TRY(ctl_json_from_bus(m, &tuples));
    }
    for (size_t i = 0; tuples && i < json_object_array_length(tuples); i++) {
        const char *guid = json_object_get_string(
            json_object_array_get_idx(json_object_array_get_idx(tuples, i), 0));

        if (streq(guid, text)) {
            n = 1;
            found = guid;
            break;
        }
        if (strncmp(guid, text, strlen(text)) == 0) {
            n++;
            found = guid;
        }
    }
    if (n > 1) {
        terminal_printf(stderr, _("%u requests begin with %s; give more of the GUID\n"), n, text);
        return -ENOTUNIQ;
    }
    *ret = strdup(found);
    return *ret ? 0 : -ENOMEM;
}

void ctl_print_first_values(const char *method) {
    _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
    _cleanup_json_ struct json_object *tuples = NULL;
    bool with_limit = streq(method, "ListRequests");

    if (sd_bus_open_system(&bus) < 0 ||
        sd_bus_call_method(bus, AGENT_NAME, AGENT_PATH, AGENT_INTERFACE, method, NULL, &m,
                           with_limit ? "u" : NULL, (uint32_t)20) < 0 ||
        ctl_json_from_bus(m, &tuples) < 0)
        return;
    for (size_t i = 0; i < json_object_array_length(tuples); i++)
        terminal_printf(stdout, "%s\n",
                        json_object_get_string(
                            json_object_array_get_idx(json_object_array_get_idx(tuples, i), 0)));
}

int ctl_watch_signals(sd_event *event, const int *signals, sd_event_signal_handler_t handler,
                      void *userdata) {
    int r = 0;

    (void)signal(SIGPIPE, SIG_IGN);
    for (; *signals && r >= 0; signals++) {
        sigset_t set;

        (void)sigemptyset(&set);
        (void)sigaddset(&set, *signals);
        (void)sigprocmask(SIG_BLOCK, &set, NULL);
        r = sd_event_add_signal(event, NULL, *signals, handler, userdata);
    }
    return r;
}
