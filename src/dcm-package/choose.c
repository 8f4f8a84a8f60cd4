/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-package/choose.h"

#include <unistd.h>

#include "basic/parse-util.h"
#include "basic/strv.h"
#include "dcm-package/apt-backend.h"
#include "dcm-package/dnf-backend.h"
#include "system/platform.h"

static const Backend *const backends[] = {&apt_backend, &dnf_backend};

/* Others that are known, but have another command line or other output. */
static const char *const others[] = {"/usr/bin/dnf5", "/usr/bin/microdnf", "/usr/bin/yum",
                                     "/usr/bin/zypper"};

static bool has_programs(const Backend *b) {
    for (const char *const *path = b->programs; *path; path++)
        if (access(*path, X_OK) < 0)
            return false;
    return true;
}

static bool has_id(const Backend *b, char *const *ids) {
    for (char *const *id = ids; id && *id; id++)
        for (const char *const *known = b->ids; *known; known++)
            if (streq(*id, *known))
                return true;
    return false;
}

static const char *find_other(void) {
    for (size_t i = 0; i < ELEMENTSOF(others); i++)
        if (access(others[i], X_OK) >= 0)
            return others[i];
    return NULL;
}

static int refuse(Work *w) {
    const char *other = find_other();

    return other
               ? work_fail(w, REPLY_REFUSED, "unsupported",
                           "This server has %s, which these commands do not know: they need dnf 4 "
                           "(/usr/bin/dnf-3; on newer Fedora the package dnf4) and rpm, or apt-get",
                           other)
               : work_fail(
                     w, REPLY_REFUSED, "unsupported",
                     "This server has neither apt-get and dpkg nor dnf 4 and rpm, which these "
                     "commands need");
}

/* By the distribution: apt-get may be on a Fedora, dnf on a Debian. Only a distribution that says
 * nothing that is known here is judged by its programs. */
static const Backend *find_backend(char *const *ids) {
    for (size_t i = 0; i < ELEMENTSOF(backends); i++)
        if (has_id(backends[i], ids))
            return has_programs(backends[i]) ? backends[i] : NULL;
    for (size_t i = 0; i < ELEMENTSOF(backends); i++)
        if (has_programs(backends[i]))
            return backends[i];
    return NULL;
}

int choose_backend(Work *w) {
    _cleanup_(platform_done) Platform p = {};
    _cleanup_(strv_freep) char **ids = NULL, **like = NULL;
    size_t n = 0;

    TRY(platform_read(&p));
    TRY(parse_words(p.like, &like));
    TRY(strv_push(&ids, &n, strdup(p.name)));
    for (char **s = like; s && *s; s++)
        TRY(strv_push(&ids, &n, strdup(*s)));
    w->backend = find_backend(ids);
    return w->backend ? 0 : refuse(w);
}
