/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-doctor/report.h"

#include <stdarg.h>
#include <stdio.h>

#include "basic/i18n.h"
#include "basic/standard-streams.h"
#include "basic/terminal.h"
#include "basic/utf8.h"
#include "cli/screen.h"

#define TEXT_SIZE 1024
#define NAME_WIDTH 14
#define WORD_WIDTH 8
#define COLUMNS_WIDE 60
#define INDENT_NARROW 4

/* names in JSON; translated when shown */
static const char *const checks[_CHECK_MAX] = {
    [CHECK_CONFIGURATION] = N_("configuration"),
    [CHECK_CLOCK] = N_("clock"),
    [CHECK_CLOUD] = N_("cloud"),
    [CHECK_NAME] = N_("name"),
    [CHECK_ROUTE] = "route",
    [CHECK_PROXY] = N_("proxy"),
    [CHECK_TCP] = "TCP",
    [CHECK_TLS] = "TLS",
    [CHECK_HTTP] = "HTTP",
    [CHECK_HANDSHAKE] = N_("handshake"),
    [CHECK_VOLUMES] = N_("volumes"),
    [CHECK_SERVICE] = N_("service"),
};

static const struct {
    const char *name, *shown;
    Colour colour;
} findings[_FINDING_MAX] = {
    [FINDING_OK] = {"ok", N_("ok"), COLOUR_GREEN},
    [FINDING_WARNING] = {"warning", N_("warning"), COLOUR_YELLOW},
    [FINDING_FAILED] = {"failed", N_("FAILED"), COLOUR_RED},
    [FINDING_SKIPPED] = {"skipped", N_("skipped"), COLOUR_GREY},
};

int report_init(Report *r, bool json) {
    *r = (Report){.json = json};
    r->checks = json_object_new_array();
    return r->checks ? 0 : -ENOMEM;
}

void report_done(Report *r) {
    (void)json_object_put(r->checks);
}

static void print_line(const Report *r, Check check, Finding finding, const char *text) {
    /* a narrow screen has the text below */
    const int columns = screen_get_width();
    const bool is_narrow = columns < COLUMNS_WIDE;
    const int indent = is_narrow ? INDENT_NARROW : WORD_WIDTH + NAME_WIDTH + 4;

    (void)printf("%s", screen_get_colour(findings[finding].colour));
    terminal_put_padded(stdout, _(findings[finding].shown), WORD_WIDTH);
    (void)printf("%s  ", screen_get_colour(COLOUR_END));
    terminal_put_padded(stdout, _(checks[check]), NAME_WIDTH);
    (void)printf(is_narrow ? "\n%*s" : "%*s", is_narrow ? indent : 2, "");
    terminal_put_wrapped(stdout, text, columns, indent);
    (void)fflush(stdout);
}

static void add_json(Report *r, Check check, Finding finding, const char *text) {
    struct json_object *o = json_object_new_object();

    if (json_add_string(o, "check", checks[check]) >= 0 &&
        json_add_string(o, "result", findings[finding].name) >= 0 &&
        json_add_string(o, "text", text) >= 0 && json_object_array_add(r->checks, o) >= 0)
        return;
    (void)json_object_put(o);
}

void report_add(Report *r, Check check, Finding finding, const char *format, ...) {
    char text[TEXT_SIZE];
    va_list ap;

    va_start(ap, format);
    (void)utf8_format_list(text, sizeof(text), format, ap);
    va_end(ap);
    r->done[check] = true;
    if (finding == FINDING_FAILED)
        r->failed = true;
    if (r->json)
        add_json(r, check, finding, text);
    else
        print_line(r, check, finding, text);
}

void report_not_reached(Report *r) {
    for (Check c = 0; c <= CHECK_HANDSHAKE; c++)
        if (!r->done[c])
            report_add(r, c, FINDING_SKIPPED, "%s", _("not reached"));
}

int report_end(Report *r) {
    if (r->json) {
        terminal_put_json(stdout, json_object_to_json_string_ext(
                                      r->checks, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
                                                     JSON_C_TO_STRING_NOSLASHESCAPE));
        (void)putchar('\n');
    }
    if (standard_output_flush() < 0)
        return EXIT_FAILURE;
    return r->failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
