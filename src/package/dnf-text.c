/* SPDX-License-Identifier: Apache-2.0 */
#include "package/dnf-text.h"

#include <ctype.h>
#include <fnmatch.h>
#include <stdio.h>

#include "basic/bounds.h"
#include "basic/strv.h"
#include "basic/utf8.h"

#define BLANKS " \t"

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

static bool begins_with_any(const char *line, const char *const *beginnings, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (skip(line, beginnings[i]))
            return true;
    return false;
}

/* --- table of a transaction ----------------------------------------------------------------- */

typedef enum Section {
    SECTION_NONE, /* groups, modules, and what is skipped */
    SECTION_INSTALL,
    SECTION_UPGRADE,
    SECTION_DOWNGRADE,
    SECTION_REMOVE,
} Section;

enum { NAME, ARCHITECTURE, VERSION, REPOSITORY, _FIELD_MAX };

/* A row may be spread over lines, if a column is too narrow. */
typedef struct Table {
    Section section;
    char *fields[_FIELD_MAX];
    size_t n;
    const PackageList *before;
    PackageChanges *changes;
} Table;

static Section find_section(const char *line) {
    static const struct {
        const char *title;
        Section section;
    } sections[] = {
        {"Installing:", SECTION_INSTALL},
        {"Installing dependencies:", SECTION_INSTALL},
        {"Installing weak dependencies:", SECTION_INSTALL},
        {"Installing group/module packages:", SECTION_INSTALL},
        {"Installing group packages:", SECTION_INSTALL},
        {"Upgrading:", SECTION_UPGRADE},
        {"Downgrading:", SECTION_DOWNGRADE},
        {"Removing:", SECTION_REMOVE},
        {"Removing dependent packages:", SECTION_REMOVE},
        {"Removing unused dependencies:", SECTION_REMOVE},
    };

    for (size_t i = 0; i < ELEMENTSOF(sections); i++)
        if (streq(line, sections[i].title))
            return sections[i].section;
    return SECTION_NONE;
}

/* The last one, which is the newest, if there are several. */
static const Package *find_installed(const PackageList *l, const char *name,
                                     const char *architecture) {
    const Package *found = NULL;

    for (size_t i = 0; i < l->n; i++) {
        const Package *p = &l->items[i];

        if (streq(p->name, name) && (streq(p->architecture, architecture) || !found))
            found = p;
    }
    return found;
}

static int add_row(Table *t) {
    PackageChange c = {.name = t->fields[NAME],
                       .architecture = t->fields[ARCHITECTURE],
                       .is_downgrade = t->section == SECTION_DOWNGRADE};
    const Package *installed = find_installed(t->before, c.name, c.architecture);

    if (t->section == SECTION_REMOVE) {
        c.from = t->fields[VERSION];
        return package_changes_add(t->changes, &c);
    }
    c.to = t->fields[VERSION];
    c.origin = t->fields[REPOSITORY];
    if (t->section != SECTION_INSTALL && installed)
        c.from = installed->version;
    return package_changes_add(t->changes, &c);
}

/* "replacing  old.noarch 1.0-1": the package goes, unless it is an older version of the row's own.
 */
static int add_replaced(Table *t, char *rest) {
    char *name = strtok_r(rest, BLANKS, &rest), *version = strtok_r(NULL, BLANKS, &rest);
    char *dot = name ? strrchr(name, '.') : NULL;

    if (!dot || !version || t->n < _FIELD_MAX)
        return -EBADMSG;
    *dot = 0;
    if (streq(name, t->fields[NAME]))
        return 0;
    return package_changes_add(t->changes, &(PackageChange){.name = name,
                                                            .architecture = dot + 1,
                                                            .from = version,
                                                            .successor = t->fields[NAME]});
}

/* A line that begins with one blank begins a row. The size, which is last, is left out. */
static int take_row_line(Table *t, char *line) {
    char *replaced = strstr(line, "replacing  "), *rest;

    if (replaced && strspn(line, " ") == (size_t)(replaced - line))
        return add_replaced(t, replaced + strlen("replacing"));
    if (line[1] != ' ') {
        if (t->n != 0 && t->n < _FIELD_MAX)
            return -EBADMSG;
        t->n = 0;
    } else if (t->n == _FIELD_MAX)
        return 0;
    for (char *word = strtok_r(line, BLANKS, &rest); word && t->n < _FIELD_MAX;
         word = strtok_r(NULL, BLANKS, &rest))
        t->fields[t->n++] = word;
    return t->n == _FIELD_MAX ? add_row(t) : 0;
}

static int parse_table(Table *t, char *text) {
    char *line;

    while ((line = next_line(&text)) && !streq(line, "Dependencies resolved."))
        ;
    while ((line = next_line(&text)) && !streq(line, "Transaction Summary")) {
        if (*line != ' ') {
            if (t->n != 0 && t->n < _FIELD_MAX)
                return -EBADMSG;
            t->section = find_section(line);
            t->n = 0;
        } else if (t->section != SECTION_NONE)
            TRY(take_row_line(t, line));
    }
    return t->n == 0 || t->n == _FIELD_MAX ? 0 : -EBADMSG;
}

int dnf_plan_parse(const char *text, const PackageList *before, PackageChanges *ret) {
    _cleanup_free_ char *copy = strdup(text);
    PackageChanges changes = {};
    Table t = {.before = before, .changes = &changes};
    int r = copy ? parse_table(&t, copy) : -ENOMEM;

    if (r < 0)
        package_changes_done(&changes);
    else
        *ret = changes;
    return r;
}

/* --- progress ------------------------------------------------------------------------------- */

/* "3/12": how many of them, in per cent. */
static bool parse_share(const char *text, unsigned *ret) {
    char *end;
    unsigned long done, total;

    if (!isdigit((unsigned char)*text))
        return false;
    done = strtoul(text, &end, 10);
    if (*end != '/' || !isdigit((unsigned char)end[1]))
        return false;
    total = strtoul(end + 1, &end, 10);
    if (total == 0 || done > total || total > PACKAGES_MAX * 10ul)
        return false;
    *ret = (unsigned)(done * 100 / total);
    return !*end || strchr(" )", *end);
}

/* "(1/4): nginx-1.0-1.noarch.rpm ..." */
static bool parse_download(const char *line, DnfStatus *ret) {
    if (*line != '(' || !parse_share(line + 1, &ret->percent))
        return false;
    ret->kind = DNF_STATUS_DOWNLOAD;
    (void)utf8_format(ret->text, sizeof(ret->text), "downloading packages");
    return true;
}

/* The last word of the line; blanks may follow. */
static const char *find_last_word(const char *line) {
    size_t size = strlen(line);

    while (size > 0 && line[size - 1] == ' ')
        size--;
    while (size > 0 && line[size - 1] != ' ')
        size--;
    return line + size;
}

/* "  Installing       : nginx-1.0-1.noarch           1/4 " */
bool dnf_status_parse(const char *line, DnfStatus *ret) {
    const char *colon = strstr(line, ": "), *action = line + 2, *package;
    size_t size;

    if (parse_download(line, ret))
        return true;
    if (!skip(line, "  ") || !isupper((unsigned char)*action) || !colon ||
        !parse_share(find_last_word(line), &ret->percent))
        return false;
    package = colon + 2;
    package += strspn(package, " ");
    if (package >= find_last_word(line))
        return false; /* "Preparing": no package */
    size = strcspn(action, ":");
    while (size > 0 && action[size - 1] == ' ')
        size--;
    ret->kind = skip(action, "Verifying") ? DNF_STATUS_VERIFICATION : DNF_STATUS_TRANSACTION;
    (void)utf8_format(ret->text, sizeof(ret->text), "%c%.*s %.*s", tolower((unsigned char)*action),
                      (int)MIN(size, (size_t)32) - 1, action + 1,
                      (int)MIN(strcspn(package, " "), (size_t)80), package);
    return true;
}

bool dnf_line_begins_transaction(const char *line) {
    return streq(line, "Running transaction");
}

bool dnf_line_is_of_script(const char *line) {
    return skip(line, "warning: %") && strstr(line, "scriptlet failed");
}

const char *dnf_find_reason(const char *line) {
    /* what follows the word */
    static const char *const words[] = {"Error: ", "error: "};
    static const char *const whole[] = {"  - ",
                                        " Problem",
                                        "  installing package ",
                                        "Error in ",
                                        "Error unpacking ",
                                        "Errors during downloading",
                                        "No such command",
                                        "All matches were filtered out",
                                        "The GPG keys listed for",
                                        "Public key for ",
                                        "warning: %"};

    for (size_t i = 0; i < ELEMENTSOF(words); i++) {
        const char *rest = skip(line, words[i]);

        if (rest)
            return *rest ? rest : NULL;
    }
    if (begins_with_any(line, whole, ELEMENTSOF(whole)) ||
        (skip(line, "Package ") && strstr(line, " is not signed")))
        return line + strspn(line, " -");
    return NULL;
}

/* --- versions ------------------------------------------------------------------------------- */

/* "1.0-1" of "2:1.0-1" */
static const char *skip_epoch(const char *version, size_t size) {
    const char *colon = memchr(version, ':', size);

    return colon ? colon + 1 : version;
}

static bool is_version(const char *have, size_t size, const char *wanted) {
    const char *short_have = strchr(wanted, ':') ? have : skip_epoch(have, size);
    const size_t rest = size - (size_t)(short_have - have), wanted_size = strlen(wanted);

    if (wanted_size > rest || strncmp(short_have, wanted, wanted_size) != 0)
        return false;
    return wanted_size == rest || (short_have[wanted_size] == '-' && !strchr(wanted, '-'));
}

bool dnf_find_available(const char *text, const char *name, const char *version,
                        const char **ret_newest) {
    const size_t name_size = strlen(name);
    bool found = false;

    *ret_newest = NULL;
    for (const char *line = text; *line; line += *line == '\n') {
        const char *have = strncmp(line, name, name_size) == 0 && line[name_size] == '\t'
                               ? line + name_size + 1
                               : NULL;

        line += strcspn(line, "\n");
        if (have)
            have += strcspn(have, "\t\n");
        if (!have || *have != '\t')
            continue;
        *ret_newest = ++have;
        found = found || !*version || is_version(have, strcspn(have, "\t\n"), version);
    }
    return found;
}

int dnf_write_package(const Package *p, char **ret) {
    return asprintf(ret, "%s-%s.%s", p->name, p->version, p->architecture) < 0 ? -ENOMEM : 0;
}

/* --- what was cut off ----------------------------------------------------------------------- */

void dnf_unfinished_done(DnfUnfinished *u) {
    strv_free(u->installed);
    strv_free(u->removed);
    *u = (DnfUnfinished){};
}

/* " ** Install  lasting-1.0-1.noarch @main": not done, as far as dnf knows. */
static int add_unfinished(char *line, bool all, DnfUnfinished *u) {
    static const struct {
        const char *name;
        bool is_removal;
    } actions[] = {
        {"Install"},   {"Dep-Install"}, {"Upgrade"},       {"Update"},          {"Downgrade"},
        {"Reinstall"}, {"Reason"},      {"Removed", true}, {"Obsoleted", true},
    };
    const bool counts = skip(line, " ** ") || (all && skip(line, "    "));
    char *rest, *action = counts ? strtok_r(line + 4, BLANKS, &rest) : NULL;
    char *package = action ? strtok_r(NULL, BLANKS, &rest) : NULL;

    for (size_t i = 0; package && i < ELEMENTSOF(actions); i++)
        if (streq(action, actions[i].name))
            return actions[i].is_removal
                       ? strv_push(&u->removed, &u->n_removed, strdup(package))
                       : strv_push(&u->installed, &u->n_installed, strdup(package));
    return 0;
}

int dnf_history_parse(const char *text, bool all, DnfUnfinished *ret) {
    _cleanup_(dnf_unfinished_done) DnfUnfinished u = {};
    _cleanup_free_ char *copy = strdup(text);
    char *rest = copy;
    bool unfinished = false;

    if (!copy)
        return -ENOMEM;
    for (char *line; (line = next_line(&rest));) {
        if (skip(line, "End rpmdb"))
            unfinished = all || strstr(line, " **");
        else if (unfinished)
            TRY(add_unfinished(line, all, &u));
    }
    *ret = u;
    u = (DnfUnfinished){};
    return 0;
}

/* rpm(8), VERIFY OPTIONS: nine letters or dots, two spaces, "c" for configuration, the path. */
const char *dnf_find_lost_content(const char *line) {
    enum { SIZE = 0, DIGEST = 2, MTIME = 7, ATTRIBUTE = 11, PATH = 13 };

    if (strlen(line) <= PATH || line[ATTRIBUTE] != 'c' || line[MTIME] != '.' || line[PATH] != '/')
        return NULL;
    return line[SIZE] == 'S' || line[DIGEST] == '5' ? line + PATH : NULL;
}

/* --- versionlock ---------------------------------------------------------------------------- */

/* The lock has an epoch, which the version may lack, and often a * for the architecture. */
static int is_locked(const Package *p, const char *lock, bool *ret) {
    _cleanup_free_ char *plain = NULL, *with_epoch = NULL;

    TRY(dnf_write_package(p, &plain));
    if (asprintf(&with_epoch, "%s-0:%s.%s", p->name, p->version, p->architecture) < 0) {
        with_epoch = NULL;
        return -ENOMEM;
    }
    *ret =
        streq(lock, p->name) || fnmatch(lock, plain, 0) == 0 || fnmatch(lock, with_epoch, 0) == 0;
    return 0;
}

static int mark_locked(PackageList *l, const char *lock) {
    for (size_t i = 0; i < l->n; i++) {
        bool locked;

        TRY(is_locked(&l->items[i], lock, &locked));
        l->items[i].is_held |= locked;
    }
    return 0;
}

int dnf_mark_held(PackageList *l, const char *locks) {
    _cleanup_free_ char *copy = strdup(locks);
    char *rest = copy;

    if (!copy)
        return -ENOMEM;
    for (char *line; (line = next_line(&rest));)
        if (*line && !strchr("#!", *line))
            TRY(mark_locked(l, line));
    return 0;
}
