/* SPDX-License-Identifier: Apache-2.0 */
#include "package/repository.h"

#include <ctype.h>
#include <stdio.h>

#include "basic/bounds.h"
#include "basic/strv.h"
#include "package/request.h"

#define MARK "# dcm-agent: add_repository has made the repository "
#define KEY_BEGIN "-----BEGIN PGP PUBLIC KEY BLOCK-----"
#define KEY_END "-----END PGP PUBLIC KEY BLOCK-----"

void repository_done(Repository *r) {
    free(r->name);
    free(r->uri);
    free(r->suite);
    strv_free(r->components);
    free(r->key);
    *r = (Repository){};
}

static bool is_alnum(char c) {
    return isalnum((unsigned char)c) && !((unsigned char)c & 0x80);
}

/* All characters are letters, digits or among `more`, the first is a letter or digit, and no path
 * leads upwards. */
static bool is_word(const char *s, const char *more, size_t size_max) {
    if (!is_alnum(*s) || strlen(s) > size_max || strstr(s, ".."))
        return false;
    for (; *s; s++)
        if (!is_alnum(*s) && !strchr(more, *s))
            return false;
    return true;
}

bool repository_name_is_valid(const char *name) {
    return is_word(name, "-", REPOSITORY_NAME_MAX);
}

/* What a policy allows must not lead elsewhere. */
static bool leaves_directory(const char *uri) {
    return strstr(uri, "/..") || strcasestr(uri, "%2e");
}

/* No @: there is no password. No comma: for dnf another address begins there. */
bool repository_uri_is_valid(const char *uri) {
    static const char *const schemes[] = {"https://", "http://", "file:/"};
    size_t i = 0;

    while (i < ELEMENTSOF(schemes) && strncmp(uri, schemes[i], strlen(schemes[i])) != 0)
        i++;
    if (i == ELEMENTSOF(schemes) || !uri[strlen(schemes[i])] || strlen(uri) > URL_SIZE_MAX)
        return false;
    for (const char *s = uri; *s; s++)
        if (!is_alnum(*s) && !strchr("/:._~%+-=&?[]$()", *s))
            return false;
    return !leaves_directory(uri);
}

static bool suite_is_valid(const char *suite) {
    return is_word(suite, "._/-", REPOSITORY_NAME_MAX) || streq(suite, "/") || streq(suite, "./");
}

/* base64 and what else is in an armored block: nothing that ends a line of another file early. */
static bool is_key_text(const char *key) {
    for (const char *s = key; *s; s++)
        if (((unsigned char)*s < ' ' && !strchr("\r\n\t", *s)) || (unsigned char)*s > '~')
            return false;
    return true;
}

bool repository_key_is_valid(const char *key) {
    const char *end = strstr(key, KEY_END);

    return strncmp(key, KEY_BEGIN, strlen(KEY_BEGIN)) == 0 && end &&
           strlen(key) <= REPOSITORY_KEY_MAX && is_key_text(key) && !strstr(key, "PRIVATE KEY");
}

static int read_components(struct json_object *arguments, Repository *r, char **ret_problem) {
    size_t n = 0;

    TRY(package_read_texts(arguments, "components", REPOSITORY_COMPONENTS_MAX, &r->components,
                           ret_problem));
    for (char **c = r->components; c && *c; c++, n++)
        if (!is_word(*c, "._/-", REPOSITORY_NAME_MAX))
            return package_problem(ret_problem, "components: \"%s\" is not the name of one", *c);
    if (streq(r->suite + strlen(r->suite) - 1, "/"))
        return n == 0 ? 0
                      : package_problem(ret_problem,
                                        "components are given, but suite ends with a slash");
    return n > 0 ? 0 : package_problem(ret_problem, "components is missing");
}

static int read_suite(struct json_object *arguments, PackageFamily family, Repository *r,
                      char **ret_problem) {
    TRY(package_read_text(arguments, "suite", REPOSITORY_NAME_MAX, &r->suite, ret_problem));
    if (family == PACKAGE_RPM)
        return r->suite || json_get(arguments, "components")
                   ? package_problem(ret_problem,
                                     "suite and components are for apt; this server has rpm")
                   : 0;
    if (!r->suite)
        return package_problem(ret_problem, "suite is missing");
    if (!suite_is_valid(r->suite))
        return package_problem(ret_problem, "suite is \"%s\", which is not the name of one",
                               r->suite);
    return read_components(arguments, r, ret_problem);
}

static int parse(struct json_object *arguments, PackageFamily family, Repository *r,
                 char **ret_problem) {
    TRY(package_read_text(arguments, "name", REPOSITORY_NAME_MAX, &r->name, ret_problem));
    TRY(package_read_text(arguments, "uri", URL_SIZE_MAX, &r->uri, ret_problem));
    TRY(package_read_text(arguments, "key", REPOSITORY_KEY_MAX, &r->key, ret_problem));
    if (!r->name || !repository_name_is_valid(r->name))
        return package_problem(ret_problem, "name is missing, or has other characters than "
                                            "letters, digits and dashes");
    if (!r->uri || !repository_uri_is_valid(r->uri))
        return package_problem(ret_problem,
                               "uri is missing, or is none of http, https or file; it can have "
                               "neither a password, nor a comma, nor ..");
    if (!r->key || !repository_key_is_valid(r->key))
        return package_problem(ret_problem, "key is missing, or is not the text of a public key "
                                            "that begins with " KEY_BEGIN);
    return read_suite(arguments, family, r, ret_problem);
}

int repository_parse(struct json_object *arguments, PackageFamily family, Repository *ret,
                     char **ret_problem) {
    Repository repository = {};
    int r = parse(arguments, family, &repository, ret_problem);

    if (r < 0)
        repository_done(&repository);
    else
        *ret = repository;
    return r;
}

/* "main contrib"; "" for none. The caller frees. */
static char *join(char *const *words) {
    char *text = strdup("");

    for (char *const *w = words; text && w && *w; w++) {
        char *longer;

        if (asprintf(&longer, "%s%s%s", text, *text ? " " : "", *w) < 0)
            longer = NULL;
        free(text);
        text = longer;
    }
    return text;
}

int repository_write_deb822(const Repository *r, const char *key_path, char **ret) {
    _cleanup_free_ char *components = join(r->components);

    if (!components)
        return -ENOMEM;
    return asprintf(ret,
                    MARK "%s; remove_repository removes it.\n"
                         "Types: deb\n"
                         "URIs: %s\n"
                         "Suites: %s\n"
                         "%s%s%s"
                         "Signed-By: %s\n",
                    r->name, r->uri, r->suite, *components ? "Components: " : "", components,
                    *components ? "\n" : "", key_path) < 0
               ? -ENOMEM
               : 0;
}

int repository_write_repo(const Repository *r, const char *key_path, char **ret) {
    /* dnf takes "file:/srv" for a relative path */
    const char *path = strncmp(r->uri, "file:/", 6) == 0 && r->uri[6] != '/' ? r->uri + 5 : NULL;

    return asprintf(ret,
                    MARK "%s; remove_repository removes it.\n"
                         "[dcm-%s]\n"
                         "name=%s\n"
                         "baseurl=%s%s\n"
                         "enabled=1\n"
                         "gpgcheck=1\n"
                         "repo_gpgcheck=%d\n"
                         "gpgkey=file://%s\n",
                    r->name, r->name, r->name, path ? "file://" : "", path ?: r->uri,
                    !r->has_unsigned_list, key_path) < 0
               ? -ENOMEM
               : 0;
}

bool repository_is_ours(const char *text, const char *name) {
    const size_t size = strlen(MARK);

    return strncmp(text, MARK, size) == 0 && strncmp(text + size, name, strlen(name)) == 0 &&
           text[size + strlen(name)] == ';';
}
