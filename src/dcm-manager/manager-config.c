/* SPDX-License-Identifier: Apache-2.0 */
/* What cannot be read lets nobody in: the default is approve, and counts also in place of a value
 * that is not valid and that was to override a valid one. */
#include "dcm-manager/manager-config.h"

#include <stdio.h>

#include "basic/utf8.h"

typedef struct Reader {
    ManagerConfig config;
    IniProblem problem;
    void *userdata;
} Reader;

static int on_value(const IniPlace *at, const char *value, void *userdata) {
    Reader *r = userdata;
    int mode;

    if (!streq(at->section, "enrolment") || strcasecmp(at->name, "mode") != 0)
        return -ENOKEY;
    mode = enrolment_mode_from_string(value);
    r->config.enrolment = mode < 0 ? ENROLMENT_APPROVE : (EnrolmentMode)mode;
    return MIN(mode, 0);
}

static int on_section(const IniPlace *at, void *userdata) {
    return streq(at->section, "enrolment") ? 0 : -ENOKEY;
}

static void on_invalid(const IniPlace *at, char *buf, size_t size, void *userdata) {
    (void)utf8_format(buf, size, "approve, token or open");
}

static void on_lost(const IniPlace *at, void *userdata) {
    ((Reader *)userdata)->config.enrolment = ENROLMENT_APPROVE;
}

static void on_problem(const char *file, unsigned line, const char *text, void *userdata) {
    Reader *r = userdata;

    r->problem(file, line, text, r->userdata);
}

static bool on_unreadable(const char *file, int error, void *userdata) {
    ((Reader *)userdata)->config.enrolment = ENROLMENT_APPROVE;
    return false;
}

int manager_config_load(const char *file, IniProblem problem, void *userdata, ManagerConfig *ret) {
    static const IniCallbacks callbacks = {
        .on_value = on_value,
        .on_section = on_section,
        .on_lost = on_lost,
        .on_invalid = on_invalid,
        .on_ignored = on_problem,
        .on_unreadable = on_unreadable,
        .on_problem = on_problem,
    };
    Reader r = {.config.enrolment = ENROLMENT_APPROVE, .problem = problem, .userdata = userdata};
    _cleanup_free_ char *directory = NULL;

    if (asprintf(&directory, "%s.d", file) < 0)
        return -ENOMEM;
    TRY(ini_file_load(file, directory, &callbacks, &r));
    *ret = r.config;
    return 0;
}
