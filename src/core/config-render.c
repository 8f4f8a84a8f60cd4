/* SPDX-License-Identifier: Apache-2.0 */
#include "core/config-render.h"

#include <stdio.h>

typedef struct Rendering {
    FILE *f;
    const char *section;
} Rendering;

static void begin_section(Rendering *r, const char *section) {
    if (!streq(r->section, section))
        (void)fprintf(r->f, "%s[%s]\n", *r->section ? "\n" : "", section);
    r->section = section;
}

static int render_value(const char *section, const char *name, const char *value,
                        const ConfigOrigin *origin, void *userdata) {
    Rendering *r = userdata;

    begin_section(r, section);
    (void)fprintf(r->f, "%s = %s\n", name,
                  isempty(value) && !streq(section, "features") ? "None" : value);
    return 0;
}

int config_render(const Config *c, char **ret) {
    Rendering rendering = {.section = ""};
    char *text = NULL;
    size_t size = 0;
    int r;

    rendering.f = open_memstream(&text, &size);
    if (!rendering.f)
        return -errno;
    r = config_visit(c, render_value, &rendering);
    begin_section(&rendering, "features");
    if (fclose(rendering.f) != 0)
        r = -ENOMEM;
    if (r < 0)
        free(text);
    else
        *ret = text;
    return r;
}
