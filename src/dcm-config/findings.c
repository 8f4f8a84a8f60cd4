/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-config/findings.h"

#include <stdio.h>

#include "basic/i18n.h"
#include "basic/terminal.h"
#include "cli/screen.h"

int findings_init(Findings *f, bool json) {
    *f = (Findings){.json = json, .list = json_object_new_array()};
    return f->list ? 0 : -ENOMEM;
}

void findings_done(Findings *f) {
    (void)json_object_put(f->list);
}

static void add_json(Findings *f, const char *file, unsigned line, const char *text) {
    struct json_object *o = json_object_new_object();

    if (json_add_string(o, "file", file) >= 0 && json_add_int(o, "line", line) >= 0 &&
        json_add_string(o, "text", text) >= 0 && json_object_array_add(f->list, o) >= 0)
        return;
    (void)json_object_put(o);
}

static bool is_known(const Findings *f, const char *file, unsigned line, const char *text) {
    for (size_t i = 0; i < json_object_array_length(f->list); i++) {
        struct json_object *o = json_object_array_get_idx(f->list, i);

        if (streq_ptr(json_object_get_string(json_get(o, "file")), file) &&
            json_object_get_int64(json_get(o, "line")) == line &&
            streq_ptr(json_object_get_string(json_get(o, "text")), text))
            return true;
    }
    return false;
}

/* Several files may have one cause, such as the directory above them. */
void findings_add(Findings *f, const char *file, unsigned line, const char *text) {
    if (is_known(f, file, line, text))
        return;
    f->n++;
    add_json(f, file, line, text);
    if (f->json)
        return;
    if (!file)
        terminal_printf(stdout, "%s\n", text);
    else if (line > 0)
        terminal_printf(stdout, "%s:%u: %s\n", file, line, text);
    else
        terminal_printf(stdout, "%s: %s\n", file, text);
}

int findings_end(Findings *f) {
    if (f->json) {
        terminal_put_json(stdout, json_object_to_json_string_ext(
                                      f->list, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
                                                   JSON_C_TO_STRING_NOSLASHESCAPE));
        (void)putchar('\n');
    } else if (f->n == 0)
        (void)puts(_("No problems."));
    else
        (void)printf(_("Problems: %u\n"), f->n);
    if (screen_end() < 0)
        return EXIT_FAILURE;
    return f->n == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
