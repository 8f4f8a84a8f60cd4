/* SPDX-License-Identifier: Apache-2.0 */
/* Each kind of configuration has its arguments; those of the others are not looked at, as managers
 * send them all. */
#include "configure/plan.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>

#include "basic/bounds.h"
#include "basic/strv.h"

#define DEFAULT_USER "dcm"
#define ABSENT                                                                                     \
    "NULL" /* an argument of a script that is not given, as it was with the Python agent */

typedef struct Reader {
    struct json_object *arguments;
    ConfigurePlan *plan;
    char *error; /* what is wrong; the first thing */
} Reader;

void configure_plan_done(ConfigurePlan *p) {
    for (size_t i = 0; i < p->n_files; i++) {
        explicit_bzero(p->files[i].text, p->files[i].size);
        free(p->files[i].text);
    }
    for (size_t i = 0; i < p->n_arguments; i++)
        free(p->arguments[i]);
    for (size_t i = 0; i < p->n_objects; i++) {
        free(p->objects[i].bucket);
        free(p->objects[i].name);
    }
    free(p->objects);
    strv_free(p->environment);
    (void)json_object_put(p->place);
    *p = (ConfigurePlan){};
}

_printf_(2, 3) static int refuse(Reader *r, const char *format, ...) {
    va_list list;

    va_start(list, format);
    if (vasprintf(&r->error, format, list) < 0)
        r->error = NULL;
    va_end(list);
    return r->error ? -EINVAL : -ENOMEM;
}

/* --- arguments of the request --------------------------------------------------------------- */

/* A line of text. NULL: it is absent, empty, or null. */
static int read_line(Reader *r, const char *name, const char **ret) {
    const char *text = json_get_scalar(r->arguments, name);

    *ret = NULL;
    for (const char *c = strempty(text); *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            return refuse(r, "%s has a control character", name);
    *ret = isempty(text) ? NULL : text;
    return 0;
}

/* NULL: it is absent. */
static int read_list(Reader *r, const char *name, struct json_object **ret) {
    *ret = json_get(r->arguments, name);
    return *ret && !json_object_is_type(*ret, json_type_array) ? refuse(r, "%s is no list", name)
                                                               : 0;
}

static bool is_name(const char *text) {
    if (!isalnum((unsigned char)*text))
        return false;
    for (; *text; text++)
        if (!isalnum((unsigned char)*text) && !strchr("._-", *text))
            return false;
    return true;
}

/* A name of letters, digits, dots, dashes and underscores: nothing that a program would read as an
 * option or a path. */
static int read_name(Reader *r, const char *name, const char **ret) {
    int k = read_line(r, name, ret);

    if (k >= 0 && *ret && !is_name(*ret))
        k = refuse(r,
                   "%s may have letters, digits, dots, dashes and underscores only, and begins "
                   "with a letter or a digit",
                   name);
    return k;
}

/* --- arguments of the script ---------------------------------------------------------------- */

static int add_argument(Reader *r, const char *text) {
    char *copy = strdup(text ?: ABSENT);

    if (!copy)
        return -ENOMEM;
    r->plan->arguments[r->plan->n_arguments++] = copy;
    return 0;
}

static int add_path(Reader *r, const char *file) {
    char *text;

    if (asprintf(&text, "%c%s", CONFIGURE_FILE, file) < 0)
        return -ENOMEM;
    r->plan->arguments[r->plan->n_arguments++] = text;
    return 0;
}

_printf_(2, 3) static int add_variable(Reader *r, const char *format, ...) {
    va_list list;
    char *text;
    int n;

    va_start(list, format);
    n = vasprintf(&text, format, list);
    va_end(list);
    return strv_push(&r->plan->environment, &r->plan->n_environment, n < 0 ? NULL : text);
}

/* --- files ---------------------------------------------------------------------------------- */

static int add_file(Reader *r, const char *name, const char *text, size_t size, bool end_line) {
    ConfigureFile *f = &r->plan->files[r->plan->n_files];
    const bool grows = end_line && (size == 0 || text[size - 1] != '\n');

    f->text = malloc(size + 1);
    if (!f->text)
        return -ENOMEM;
    memcpy(f->text, text, size);
    if (grows)
        f->text[size++] = '\n';
    f->name = name;
    f->size = size;
    r->plan->n_files++;
    return 0;
}

/* The file has the argument's text, and ends with a newline. 0: it is absent. */
static int add_file_of(Reader *r, const char *name, const char *argument) {
    struct json_object *o = json_get(r->arguments, argument);
    const size_t size =
        o && json_object_is_type(o, json_type_string) ? (size_t)json_object_get_string_len(o) : 0;

    if (size == 0)
        return 0;
    TRY(add_file(r, name, json_object_get_string(o), size, true));
    return 1;
}

/* Its path is the next argument of the script. */
static int add_file_argument(Reader *r, const char *name, const char *argument) {
    int k;

    TRY(k = add_file_of(r, name, argument));
    return k > 0 ? add_path(r, name) : add_argument(r, NULL);
}

static int add_file_variable(Reader *r, const char *variable, const char *name,
                             const char *argument) {
    int k;

    TRY(k = add_file_of(r, name, argument));
    return k > 0 ? add_variable(r, "%s=%c%s", variable, CONFIGURE_FILE, name) : 0;
}

static int add_json(Reader *r, const char *name, struct json_object *o) {
    size_t size;
    const char *text = json_to_text(o, &size);

    return text ? add_file(r, name, text, size, true) : -ENOMEM;
}

/* --- PUPPET --------------------------------------------------------------------------------- */

/* The host of a URL, or of HOST:PORT, or just HOST. */
static int read_host(Reader *r, const char *endpoint, char **ret) {
    const char *host = strstr(endpoint, "://");
    size_t n;

    host = host ? host + 3 : endpoint;
    n = strcspn(host, "/?#");
    for (const char *at = memchr(host, '@', n); at; at = memchr(host, '@', n)) {
        n -= (size_t)(at + 1 - host);
        host = at + 1;
    }
    n = MIN(n, strcspn(host, ":"));
    *ret = strndup(host, n);
    if (!*ret)
        return -ENOMEM;
    if (!is_name(*ret)) {
        free(*ret);
        *ret = NULL;
        return refuse(r, "endpoint has no name of a host: write puppet.example.com, or "
                         "https://puppet.example.com:8140");
    }
    return 0;
}

/* What puppet.conf would have, for a script of the site that wants such a file. */
static int add_settings(Reader *r, const char *host, const char *client) {
    _cleanup_free_ char *text = NULL;

    if (asprintf(&text, "[agent]\nserver = %s\n%s%s%s", host, client ? "certname = " : "",
                 strempty(client), client ? "\n" : "") < 0) {
        text = NULL;
        return -ENOMEM;
    }
    return add_file(r, "puppet.conf", text, strlen(text), true);
}

static int plan_puppet(Reader *r) {
    const char *endpoint, *client, *environment;
    _cleanup_free_ char *host = NULL;

    TRY(read_line(r, "endpoint", &endpoint));
    TRY(read_name(r, "configClientName", &client));
    TRY(read_name(r, "environmentId", &environment));
    if (!endpoint)
        return refuse(r, "PUPPET needs an endpoint, the name of the Puppet server");
    for (const char *c = strempty(client); *c; c++)
        if (isupper((unsigned char)*c))
            return refuse(r, "configClientName must be in lower case: Puppet refuses other names "
                             "of certificates");
    if (!json_get(r->arguments, "configCert") != !json_get(r->arguments, "configKey"))
        return refuse(r, "configCert and configKey belong together, and one of them is missing");
    TRY(read_host(r, endpoint, &host));
    TRY(add_argument(r, host));
    TRY(add_file_argument(r, "cert.pem", "configCert"));
    TRY(add_file_argument(r, "key.pem", "configKey"));
    TRY(add_argument(r, client));
    TRY(add_argument(r, PKGLIBDIR "/scripts"));
    TRY(add_settings(r, host, client));
    TRY(add_path(r, "puppet.conf"));
    TRY(add_file_variable(r, "DCM_PUPPET_CA", "ca.pem", "configCa"));
    return environment ? add_variable(r, "DCM_PUPPET_ENVIRONMENT=%s", environment) : 0;
}

/* --- CHEF ----------------------------------------------------------------------------------- */

static int add_run_list(Reader *r) {
    _cleanup_json_ struct json_object *o = json_object_new_object();
    struct json_object *ids;

    if (!o)
        return -ENOMEM;
    TRY(read_list(r, "runListIds", &ids));
    TRY(json_add(o, "run_list", ids ? json_object_get(ids) : json_object_new_array()));
    TRY(add_json(r, "first-boot.json", o));
    return add_path(r, "first-boot.json");
}

static int plan_chef(Reader *r) {
    const char *user, *client, *id, *endpoint, *environment;

    TRY(read_line(r, "runAsUser", &user));
    TRY(read_name(r, "configClientName", &client));
    TRY(read_name(r, "authId", &id));
    TRY(read_line(r, "endpoint", &endpoint));
    TRY(read_name(r, "environmentId", &environment));
    TRY(add_argument(r, user ?: DEFAULT_USER));
    TRY(add_argument(r, client));
    TRY(add_file_argument(r, "validation.pem", "encryptedAuthSecret"));
    TRY(add_run_list(r));
    TRY(add_argument(r, id));
    TRY(add_argument(r, endpoint));
    TRY(add_argument(r, environment));
    return add_argument(r, NULL); /* the version: the distribution's, or the administrator's */
}

/* --- ANSIBLE -------------------------------------------------------------------------------- */

/* What git reads as an address, and not as an option or a program to be run (git-remote-ext). */
static bool is_repository(const char *text) {
    static const char *const schemes[] = {"https://", "ssh://", "file://"};
    const char *colon = strchr(text, ':'), *slash = strchr(text, '/');

    for (size_t i = 0; i < ELEMENTSOF(schemes); i++)
        if (strncmp(text, schemes[i], strlen(schemes[i])) == 0)
            return text[strlen(schemes[i])] != '-';
    if (*text == '/')
        return true;
    /* USER@HOST:PATH */
    return colon && !strstr(text, "://") && colon[1] != ':' && isalnum((unsigned char)*text) &&
           (!slash || slash > colon);
}

static bool is_relative_path(const char *text) {
    if (*text == '-' || *text == '/')
        return false;
    for (const char *c = text; c; c = strchr(c, '/')) {
        c += *c == '/';
        if (strncmp(c, "..", 2) == 0 && (c[2] == 0 || c[2] == '/'))
            return false;
    }
    return true;
}

/* As in https://USER:PASSWORD@HOST: everybody on this server could read it. */
static bool has_password(const char *repository) {
    const char *begin = strstr(repository, "://");
    const size_t n = begin ? strcspn(begin + 3, "/?#") : 0;
    const char *at = n > 0 ? memchr(begin + 3, '@', n) : NULL;

    return at && memchr(begin + 3, ':', (size_t)(at - begin - 3));
}

static int check_repository(Reader *r, const char *repository, const char *branch,
                            const char *playbook) {
    if (!is_repository(repository))
        return refuse(r, "repository must be https://HOST/PATH, ssh://USER@HOST/PATH, "
                         "USER@HOST:PATH, file:///PATH or /PATH; what comes by other ways can "
                         "be changed underway");
    if (has_password(repository))
        return refuse(r, "repository has a password in it: write the password, or a token, in "
                         "repositoryToken");
    if (branch && (*branch == '-' || strpbrk(branch, " ~^:?*[\\")))
        return refuse(r, "branch is no name of a branch, a tag or a commit");
    if (playbook && !is_relative_path(playbook))
        return refuse(r, "playbook must be the path of a file in the repository");
    return 0;
}

static int add_variables(Reader *r) {
    struct json_object *variables = json_get(r->arguments, "variables");

    if (!variables)
        return 0;
    TRY(add_json(r, "variables.json", variables));
    return add_variable(r, "DCM_ANSIBLE_VARIABLES=%cvariables.json", CONFIGURE_FILE);
}

static int plan_ansible(Reader *r) {
    const char *repository, *branch, *playbook;
    int text;

    TRY(read_line(r, "repository", &repository));
    TRY(read_line(r, "branch", &branch));
    TRY(read_line(r, "playbook", &playbook));
    TRY(text = add_file_of(r, "playbook.yml", "playbookText"));
    if (!repository == !text)
        return refuse(r, "ANSIBLE needs either a repository or playbookText");
    if (repository)
        TRY(check_repository(r, repository, branch, playbook));
    TRY(add_argument(r, repository));
    TRY(add_argument(r, branch));
    TRY(text ? add_path(r, "playbook.yml") : add_argument(r, playbook));
    TRY(add_variables(r));
    TRY(add_file_variable(r, "DCM_ANSIBLE_KEY", "repository.key", "repositoryKey"));
    TRY(add_file_variable(r, "DCM_ANSIBLE_TOKEN", "repository.token", "repositoryToken"));
    return add_file_variable(r, "DCM_ANSIBLE_KNOWN_HOSTS", "known_hosts", "knownHosts");
}

/* --- SCRIPT --------------------------------------------------------------------------------- */

static int add_object(Reader *r, const char *path) {
    const char *slash = strrchr(path, '/');
    ConfigureObject *o = &r->plan->objects[r->plan->n_objects];

    if (!slash || slash == path || !slash[1])
        return refuse(r, "scriptFiles has an entry without a directory and a name: write "
                         "CONTAINER/NAME");
    r->plan->n_objects++;
    o->bucket = strndup(path, (size_t)(slash - path));
    o->name = strdup(slash + 1);
    return o->bucket && o->name ? 0 : -ENOMEM;
}

static int add_objects(Reader *r) {
    struct json_object *list;
    size_t n;

    TRY(read_list(r, "scriptFiles", &list));
    n = list ? json_object_array_length(list) : 0;
    if (n == 0)
        return refuse(r, "SCRIPT needs scriptFiles, the objects that are run");
    r->plan->objects = calloc(n, sizeof(*r->plan->objects));
    if (!r->plan->objects)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++)
        TRY(add_object(r, strempty(json_object_get_string(json_object_array_get_idx(list, i)))));
    return 0;
}

static int add_place(Reader *r) {
    static const struct {
        const char *argument, *key;
    } keys[] = {
        {"storageDelegate", "cloudId"},  {"providerRegionId", "region"},
        {"storageEndpoint", "endpoint"}, {"storageAccount", "account"},
        {"storagePublicKey", "key"},     {"storagePrivateKey", "secret"},
    };
    const char *text;

    r->plan->place = json_object_new_object();
    if (!r->plan->place)
        return -ENOMEM;
    for (size_t i = 0; i < ELEMENTSOF(keys); i++) {
        TRY(read_line(r, keys[i].argument, &text));
        if (text)
            TRY(json_add_string(r->plan->place, keys[i].key, text));
    }
    if (!json_get_string(r->plan->place, "cloudId"))
        return refuse(r, "SCRIPT needs storageDelegate, the number of the cloud that has the "
                         "scripts");
    return 0;
}

static int plan_script(Reader *r) {
    const char *user, *customer;

    TRY(read_line(r, "runAsUser", &user));
    TRY(read_line(r, "customerId", &customer));
    TRY(add_place(r));
    TRY(add_objects(r));
    TRY(add_argument(r, user ?: DEFAULT_USER));
    return add_argument(r, customer);
}

/* -------------------------------------------------------------------------------------------- */

static const struct {
    const char *name, *type;
    int (*plan)(Reader *);
} types[] = {
    {"PUPPET", "PUPPET", plan_puppet},       {"CHEF", "CHEF", plan_chef},
    {"ANSIBLE", "ANSIBLE", plan_ansible},    {"SCRIPT", "ENSTRATUS", plan_script},
    {"ENSTRATUS", "ENSTRATUS", plan_script},
};

int configure_plan(struct json_object *arguments, ConfigurePlan *ret, char **ret_error) {
    _cleanup_(configure_plan_done) ConfigurePlan plan = {};
    Reader r = {.arguments = arguments, .plan = &plan};
    const char *type = json_get_string(arguments, "configType");
    int k = 0;

    for (size_t i = 0; i < ELEMENTSOF(types) && !plan.type; i++)
        if (type && strcasecmp(type, types[i].name) == 0) {
            plan.type = types[i].type;
            k = types[i].plan(&r);
        }
    if (!plan.type)
        k = refuse(&r, "configType must be PUPPET, CHEF, ANSIBLE or SCRIPT");
    if (k < 0) {
        *ret_error = r.error;
        return k;
    }
    *ret = plan;
    plan = (ConfigurePlan){};
    return 0;
}
