/* SPDX-License-Identifier: Apache-2.0 */
#include "package/apt-text.h"

#include <ctype.h>
#include <strings.h>

#include "basic/array.h"
#include "basic/bounds.h"
#include "basic/strv.h"

/* The next line of a text, ended by a NUL; NULL: there is none. */
static char *next_line(char **text) {
    char *line = *text, *end;

    if (!*line)
        return NULL;
    end = line + strcspn(line, "\n");
    *text = *end ? end + 1 : end;
    *end = 0;
    return line;
}

static const char *skip(const char *line, const char *beginning) {
    const size_t size = strlen(beginning);

    return strncmp(line, beginning, size) == 0 ? line + size : NULL;
}

/* --- simulation ----------------------------------------------------------------------------- */

/* Takes the text between two characters that follows at *s, if it begins there. */
static char *take_between(char **s, char begin, char end) {
    char *from = *s, *to;

    if (*from != begin)
        return NULL;
    to = strchr(from, end);
    if (!to)
        return NULL;
    *to = 0;
    *s = to + 1;
    while (**s == ' ')
        (*s)++;
    return from + 1;
}

static char *take_word(char **s) {
    char *word = *s;
    const size_t size = strcspn(word, " ");

    *s += size;
    while (**s == ' ')
        *(*s)++ = 0;
    return word;
}

/* "1.1 Debian:12.5/stable, Debian-Security:12/stable-security [amd64]": version, origin,
 * architecture. */
static bool cut_version(char *text, PackageChange *c) {
    char *rest = text, *bracket, *end;

    c->to = take_word(&rest);
    bracket = strrchr(rest, '[');
    end = bracket ? strchr(bracket, ']') : NULL;
    if (!*c->to || !end)
        return false;
    *end = 0;
    c->architecture = bracket + 1;
    while (bracket > rest && bracket[-1] == ' ')
        bracket--;
    *bracket = 0;
    c->origin = *rest ? rest : NULL;
    return true;
}

/* False: no name is left. */
static bool cut_architecture(PackageChange *c) {
    char *colon = strchr(c->name, ':');

    if (colon) {
        *colon = 0;
        c->architecture = c->architecture ?: colon + 1;
    }
    return *c->name;
}

/* "name [1.0] (1.1 Label:suite [all]) [another:all ]" */
static int add_installation(PackageChanges *changes, char *s) {
    PackageChange c = {.name = take_word(&s)};
    char *to;

    c.from = take_between(&s, '[', ']');
    to = take_between(&s, '(', ')');
    if (!to || !cut_version(to, &c) || !cut_architecture(&c))
        return -EBADMSG;
    return package_changes_add(changes, &c);
}

/* "name [1.0]", or in a purge of what was removed before, "name " */
static int add_removal(PackageChanges *changes, char *s, bool is_purge) {
    PackageChange c = {.name = take_word(&s)};

    c.from = take_between(&s, '[', ']');
    if ((!c.from && !(is_purge && !*s)) || !cut_architecture(&c))
        return -EBADMSG;
    return package_changes_add(changes, &c);
}

static int parse_plan(char *text, PackageChanges *changes) {
    for (char *line; (line = next_line(&text));) {
        if (skip(line, "Inst "))
            TRY(add_installation(changes, line + strlen("Inst ")));
        else if (skip(line, "Remv "))
            TRY(add_removal(changes, line + strlen("Remv "), false));
        else if (skip(line, "Purg "))
            TRY(add_removal(changes, line + strlen("Purg "), true));
    }
    return 0;
}

int apt_plan_parse(const char *text, PackageChanges *ret) {
    _cleanup_free_ char *copy = strdup(text);
    PackageChanges changes = {};
    int r = copy ? parse_plan(copy, &changes) : -ENOMEM;

    if (r < 0)
        package_changes_done(&changes);
    else
        *ret = changes;
    return r;
}

/* --- progress ------------------------------------------------------------------------------- */

static char *take_part(char **s) {
    char *part = *s, *colon = strchr(part, ':');

    if (!colon)
        return NULL;
    *colon = 0;
    *s = colon + 1;
    return part;
}

static bool parse_percent(const char *text, unsigned *ret) {
    char *end;
    double percent;

    if (!isdigit((unsigned char)*text))
        return false;
    percent = strtod(text, &end);
    if (*end || !(percent >= 0 && percent <= 1000))
        return false;
    *ret = (unsigned)MIN(percent, 100.0);
    return true;
}

bool apt_status_parse(char *line, AptStatus *ret) {
    static const char *const kinds[] = {"dlstatus", "pmstatus", "pmerror", "pmconffile"};
    char *rest = line, *kind = take_part(&rest), *package, *percent;
    size_t i = 0;

    while (kind && i < ELEMENTSOF(kinds) && !streq(kind, kinds[i]))
        i++;
    if (!kind || i == ELEMENTSOF(kinds))
        return false;
    package = take_part(&rest);
    percent = package ? take_part(&rest) : NULL;
    *ret = (AptStatus){.kind = (AptStatusKind)i, .package = package, .text = rest};
    return percent && parse_percent(percent, &ret->percent);
}

/* " user : Depends: library but it is not going to be installed" */
static bool is_unmet(const char *line) {
    const char *colon = *line == ' ' && line[1] != ' ' ? strstr(line, " : ") : NULL;

    return colon && colon == line + 1 + strcspn(line + 1, " ") && strstr(colon + 3, ": ");
}

const char *apt_find_reason(const char *line) {
    static const char *const beginnings[] = {"E: ", "Err: ", "dpkg: error: "};
    static const char *const whole[] = {"dpkg: error processing", "dpkg: unrecoverable",
                                        "dpkg-deb: error"};
    static const char more[] = "E: The following information from --solver"; /* a heading */

    if (skip(line, more))
        return NULL;

    for (size_t i = 0; i < ELEMENTSOF(beginnings); i++)
        if (skip(line, beginnings[i]))
            return skip(line, beginnings[i]);
    for (size_t i = 0; i < ELEMENTSOF(whole); i++)
        if (skip(line, whole[i]))
            return line;
    return skip(line, " cannot copy extracted data") || skip(line, " unable to") || is_unmet(line)
               ? line + 1
               : NULL;
}

/* --- sources and versions ------------------------------------------------------------------- */

void apt_sources_done(AptSources *s) {
    strv_free(s->security);
    *s = (AptSources){};
}

/* "500 URI SUITE/COMPONENT ARCH Packages" behind blanks: what follows the priority; NULL: another
 * line. */
static const char *find_source(const char *line) {
    const char *s = line + strspn(line, " ");

    s += *s == '-';
    if (s == line || !isdigit((unsigned char)*s))
        return NULL;
    s += strspn(s, "0123456789");
    return *s == ' ' && s[1] ? s + 1 : NULL;
}

/* "v=12,o=Debian,a=stable-security,n=bookworm-security,l=Debian-Security,c=main,b=amd64" */
static bool is_security(const char *release) {
    for (const char *s = release; s; s = strchr(s, ','), s = s ? s + 1 : NULL) {
        const size_t size = strcspn(s, ",");

        if (size > 2 && strchr("oanl", *s) && s[1] == '=')
            for (size_t i = 2; i + strlen("security") <= size; i++)
                if (strncasecmp(s + i, "security", strlen("security")) == 0)
                    return true;
    }
    return false;
}

static int parse_sources(char *text, AptSources *s) {
    const char *source = NULL, *release;

    for (char *line; (line = next_line(&text));) {
        if (skip(line, "Pinned packages:"))
            return 0;
        release = skip(line + strspn(line, " "), "release ");
        if (release && source && is_security(release)) {
            if (s->n >= PACKAGE_SOURCES_MAX)
                return -ENOBUFS;
            TRY(strv_push(&s->security, &s->n, strdup(source)));
        }
        source = find_source(line) ?: source;
    }
    return 0;
}

int apt_sources_parse(const char *text, AptSources *ret) {
    _cleanup_free_ char *copy = strdup(text);
    AptSources s = {};
    int r = copy ? parse_sources(copy, &s) : -ENOMEM;

    if (r < 0)
        apt_sources_done(&s);
    else
        *ret = s;
    return r;
}

void apt_candidates_done(AptCandidates *c) {
    for (size_t i = 0; i < c->n; i++) {
        free(c->items[i].name);
        free(c->items[i].installed);
        free(c->items[i].candidate);
        free(c->items[i].security);
        strv_free(c->items[i].versions);
    }
    free(c->items);
    *c = (AptCandidates){};
}

static bool has_source(const AptSources *s, const char *source) {
    for (size_t i = 0; s && i < s->n; i++)
        if (streq(s->security[i], source))
            return true;
    return false;
}

static int set_version(char **field, const char *version) {
    return free_and_strdup(field, streq(version, "(none)") ? NULL : version);
}

static int begin_candidate(AptCandidates *c, const char *line) {
    AptCandidate *a;

    TRY(array_reserve(&c->items, &c->allocated, c->n + 1, PACKAGES_MAX));
    a = &c->items[c->n++];
    *a = (AptCandidate){.name = strndup(line, strlen(line) - 1)};
    return a->name ? 0 : -ENOMEM;
}

/* " *** 1.0 500" is the installed one, "     1.1 500" another one. */
static int add_version(AptCandidate *a, const char *line, bool *ret_is_installed) {
    const char *version = line + strspn(line, " *");

    *ret_is_installed = *ret_is_installed || skip(line, " ***");
    if (a->n_versions >= PACKAGE_VERSIONS_MAX)
        return 0;
    return strv_push(&a->versions, &a->n_versions, strndup(version, strcspn(version, " ")));
}

typedef struct TableReader {
    const AptSources *sources;
    bool is_installed; /* this version, or one before it */
} TableReader;

static int read_table_line(AptCandidate *a, const char *line, TableReader *t) {
    static const char indent[] = "        "; /* of a source; a version has five blanks */
    const char *source = skip(line, indent) ? find_source(line) : NULL;

    if (!source)
        return add_version(a, line, &t->is_installed);
    if (a->n_versions == 0 || a->security || t->is_installed || !a->installed ||
        !has_source(t->sources, source))
        return 0;
    return free_and_strdup(&a->security, a->versions[a->n_versions - 1]);
}

static int read_candidate_line(AptCandidate *a, const char *line, TableReader *t) {
    const char *value;

    value = skip(line, "  Installed: ");
    if (value)
        return set_version(&a->installed, value);
    value = skip(line, "  Candidate: ");
    if (value)
        return set_version(&a->candidate, value);
    if (!skip(line, "     ") && !skip(line, " *** "))
        return 0; /* Version table:, Package pin: */
    return a->n_versions > 0 || !skip(line, "        ") ? read_table_line(a, line, t) : 0;
}

static int parse_candidates(char *text, const AptSources *sources, AptCandidates *c) {
    TableReader t = {.sources = sources};

    for (char *line; (line = next_line(&text));) {
        const size_t size = strlen(line);

        if (size > 1 && *line != ' ' && line[size - 1] == ':') {
            TRY(begin_candidate(c, line));
            t.is_installed = false;
        } else if (c->n > 0) {
            TRY(read_candidate_line(&c->items[c->n - 1], line, &t));
        }
    }
    return 0;
}

int apt_candidates_parse(const char *text, const AptSources *sources, AptCandidates *ret) {
    _cleanup_free_ char *copy = strdup(text);
    AptCandidates c = {};
    int r = copy ? parse_candidates(copy, sources, &c) : -ENOMEM;

    if (r < 0)
        apt_candidates_done(&c);
    else
        *ret = c;
    return r;
}

const AptCandidate *apt_candidates_find(const AptCandidates *c, const char *name) {
    for (size_t i = 0; i < c->n; i++)
        if (streq(c->items[i].name, name))
            return &c->items[i];
    return NULL;
}
