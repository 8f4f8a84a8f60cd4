/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/exposition.h"

#include <math.h>

#include "proto/text.h"

static const struct {
    const char *name, *suffix;
} types[_METRIC_TYPE_MAX] = {
    [METRIC_COUNTER] = {"counter", "_total"},
    [METRIC_GAUGE] = {"gauge", ""},
    [METRIC_INFO] = {"info", "_info"},
    [METRIC_HISTOGRAM] = {"histogram", ""},
};

int exposition_init(Exposition *x) {
    *x = (Exposition){};
    x->f = open_memstream(&x->text, &x->size);
    return x->f ? 0 : -ENOMEM;
}

void exposition_done(Exposition *x) {
    if (x->f)
        (void)fclose(x->f);
    free(x->text);
}

void exposition_begin(Exposition *x, const MetricFamily *family) {
    x->family = family;
    (void)fprintf(x->f, "# TYPE %s %s\n", family->name, types[family->type].name);
    if (family->unit)
        (void)fprintf(x->f, "# UNIT %s %s\n", family->name, family->unit);
    (void)fprintf(x->f, "# HELP %s %s\n", family->name, family->help);
}

static void put_quoted(FILE *f, const char *raw) {
    _cleanup_free_ char *text = NULL;

    if (utf8_replace_invalid(raw, strlen(raw), &text) < 0)
        return;
    for (const char *p = text; *p; p++)
        switch (*p) {
        case '\\':
        case '"':
            (void)fprintf(f, "\\%c", *p);
            break;
        case '\n':
            (void)fputs("\\n", f);
            break;
        default:
            (void)fputc(*p, f);
            break;
        }
}

void exposition_add_part(Exposition *x, const char *part, const char *const *labels, double value) {
    if (isnan(value))
        return;
    (void)fprintf(x->f, "%s%s", x->family->name, part);
    for (size_t i = 0; labels && labels[i]; i += 2) {
        (void)fprintf(x->f, "%s%s=\"", i == 0 ? "{" : ",", labels[i]);
        put_quoted(x->f, labels[i + 1]);
        (void)fputs(labels[i + 2] ? "\"" : "\"}", x->f);
    }
    (void)fprintf(x->f, " %.15g\n", value);
}

void exposition_add(Exposition *x, const char *const *labels, double value) {
    exposition_add_part(x, types[x->family->type].suffix, labels, value);
}

void exposition_add_single(Exposition *x, const MetricFamily *family, double value) {
    if (isnan(value))
        return;
    exposition_begin(x, family);
    exposition_add(x, NULL, value);
}

int exposition_end(Exposition *x) {
    bool failed;

    (void)fputs("# EOF\n", x->f);
    failed = ferror(x->f);
    if (fclose(x->f) != 0)
        failed = true;
    x->f = NULL;
    return failed ? -ENOMEM : 0;
}
