/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-agentctl/ctl.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "basic/bounds.h"
#include "basic/i18n.h"

int ctl_report(const sd_bus_error *error, int r) {
    if (sd_bus_error_has_name(error, SD_BUS_ERROR_SERVICE_UNKNOWN) ||
        sd_bus_error_has_name(error, SD_BUS_ERROR_NAME_HAS_NO_OWNER))
        (void)fprintf(stderr, _("The agent is not running. Start it: systemctl start dcm-agent\n"));
    else if (sd_bus_error_has_name(error, SD_BUS_ERROR_ACCESS_DENIED))
        (void)fprintf(stderr, _("Permission denied. Try it as root.\n"));
    else
        terminal_printf(stderr, _("The agent answered: %s\n"), error->message ?: strerror(abs(r)));
    return r;
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
    return r < 0 ? ctl_report(&error, r) : 0;
}

void ctl_print_label(const char *label, int width) {
    terminal_put_padded(stdout, label, -width);
    (void)fputs(": ", stdout);
}

void ctl_print_field(const char *label, int width, const char *value) {
    ctl_print_label(label, width);
    terminal_put(stdout, value);
    (void)putchar('\n');
}

void ctl_print_json(struct json_object *o) {
    terminal_put_json(stdout, json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY |
                                                                    JSON_C_TO_STRING_NOSLASHESCAPE |
                                                                    JSON_C_TO_STRING_SPACED));
    (void)putchar('\n');
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

const char *ctl_format_time(uint64_t usec, char *buf, size_t size) {
    time_t t = (time_t)(usec / USEC_PER_SEC);
    struct tm tm;

    if (usec == 0 || !localtime_r(&t, &tm) || strftime(buf, size, "%a %F %T %Z", &tm) == 0)
        return "-";
    return buf;
}
