/* SPDX-License-Identifier: Apache-2.0 */
#include "core/config.h"

#include <inttypes.h>
#include <stdio.h>

#include "basic/bounds.h"
#include "basic/ini-file.h"
#include "basic/log.h"
#include "basic/parse-util.h"
#include "core/config-names.h"
#include "proto/console-level.h"
#include "proto/handshake.h"
#include "proto/text.h"
#include "site/storage.h"
#include "system/cloud-identity.h"

typedef enum KeyType {
    KEY_STRING, /* empty: not set */
    KEY_SECRET, /* the same, and never shown */
    KEY_LIST,   /* words; may continue on the next lines */
    KEY_PATH,
    KEY_BOOL,
    KEY_INT,
    KEY_SIZE,    /* bytes, optionally with K, M, G or T */
    KEY_MSEC,    /* whole milliseconds, kept as microseconds */
    KEY_SECONDS, /* a fraction is allowed; kept as microseconds */
} KeyType;

typedef struct Key {
    const char *section;
    const char *name;
    KeyType type;
    size_t offset;
    const char *initial;
    double min, max;
    bool (*is_valid)(const char *value); /* of a string that is not empty; NULL: each is */
    const char *allowed;                 /* by is_valid: what follows "it must be" */
} Key;

static bool is_log_level(const char *value) {
    return log_level_from_string(value) >= 0;
}

static bool is_console_level(const char *value) {
    return console_level_find(value) >= 0;
}

static bool is_cloud(const char *value) {
    return cloud_type_find(value);
}

static bool is_metadata_url(const char *value) {
    return isempty(value) || cloud_metadata_url_is_valid(value);
}

#define FIELD(f) offsetof(Config, f)

static const Key keys[] = {
    {"connection", "agentmanager_url", KEY_STRING, FIELD(agentmanager_url), ""},
    {"connection", "ca_cert", KEY_PATH, FIELD(ca_cert), ""},
    {"connection", "allow_unknown_certs", KEY_BOOL, FIELD(allow_unknown_certs), "false"},
    {"connection", "client_cert", KEY_PATH, FIELD(client_cert), ""},
    {"connection", "client_key", KEY_PATH, FIELD(client_key), ""},
    {"connection", "pin", KEY_LIST, FIELD(pin), ""},
    {"connection", "proxy", KEY_STRING, FIELD(proxy), ""},
    {"connection", "proxy_auth", KEY_PATH, FIELD(proxy_auth), ""},
    {"connection", "proxy_ca_cert", KEY_PATH, FIELD(proxy_ca_cert), ""},
    {"connection", "no_proxy", KEY_LIST, FIELD(no_proxy), ""},
    {"connection", "enrolment_token", KEY_SECRET, FIELD(enrolment_token), "",
     .is_valid = enrolment_token_is_valid, .allowed = "one word of at most 256 ASCII characters"},
    {"connection", "enrolment_token_file", KEY_PATH, FIELD(enrolment_token_file), ""},
    {"connection", "backoff", KEY_MSEC, FIELD(backoff_usec), "1000", 10, 86400e3},
    {"connection", "max_backoff", KEY_MSEC, FIELD(max_backoff_usec), "300000", 10, 86400e3},
    {"connection", "heartbeat_frequency", KEY_SECONDS, FIELD(ping_usec), "30", 1, 86400},
    {"messaging", "retransmission_timeout", KEY_SECONDS, FIELD(retransmission_usec), "5", 0.1,
     3600},
    {"messaging", "max_at_once", KEY_INT, FIELD(max_at_once), "-1", -1, 1e6},
    {"workers", "count", KEY_INT, FIELD(workers), "2", 1, 1000},
    {"workers", "long_runner_threads", KEY_INT, FIELD(long_workers), "1", 1, 1000},
    {"jobs", "retain_job_time", KEY_SECONDS, FIELD(retain_job_usec), "3600", 0, 1e9},
    {"jobs", "keep_processes", KEY_BOOL, FIELD(keep_processes), "false"},
    {"jobs", "output_budget", KEY_SIZE, FIELD(output_budget), "1G", 0, 1e15},
    {"jobs", "reply_output_max", KEY_SIZE, FIELD(reply_output_max), "1M", 4096, REPLY_OUTPUT_MAX},
    {"storage", "db_timeout", KEY_SECONDS, FIELD(db_timeout_usec), "14400", 60, 1e9},
    {"storage", "mountpoint", KEY_STRING, FIELD(mount_point), STORAGE_MOUNT_POINT,
     .is_valid = storage_mount_point_is_valid, .allowed = "an absolute path"},
    {"storage", "services_dir", KEY_STRING, FIELD(services_dir), STORAGE_SERVICES_DIR,
     .is_valid = storage_services_dir_is_valid,
     .allowed = "an absolute path of letters, digits and ._-+@"},
    {"intrusion_detection", "ossec", KEY_BOOL, FIELD(ossec), "false"},
    {"intrusion_detection", "alert_file", KEY_PATH, FIELD(alert_file),
     "/var/ossec/logs/alerts/alerts.log"},
    {"intrusion_detection", "alert_threshold", KEY_INT, FIELD(alert_threshold), "10", 0, 1e6},
    {"intrusion_detection", "max_process_time", KEY_SECONDS, FIELD(alert_interval_usec), "5", 0,
     86400},
    {"platform", "name", KEY_STRING, FIELD(platform_name), ""},
    {"platform", "version", KEY_STRING, FIELD(platform_version), ""},
    {"cloud", "type", KEY_STRING, FIELD(cloud_type), "", .is_valid = is_cloud,
     .allowed = "a cloud of agent.conf(5), or Other"},
    {"cloud", "metadata_url", KEY_STRING, FIELD(metadata_url), "", .is_valid = is_metadata_url,
     .allowed = "an address that begins with http://"},
    {"health", "interval", KEY_SECONDS, FIELD(health_interval_usec), "60", 0, 86400},
    {"health", "history", KEY_INT, FIELD(health_history), "60", 1, 10000},
    {"logging", "level", KEY_STRING, FIELD(log_level), "info", .is_valid = is_log_level,
     .allowed = "emerg, alert, crit, err, warning, notice, info or debug"},
    {"logging", "console_level", KEY_STRING, FIELD(console_level), "INFO",
     .is_valid = is_console_level, .allowed = "a level of agent.conf(5), such as INFO"},
};

bool config_key(size_t i, ConfigKey *ret) {
    static const char *const types[] = {
        [KEY_STRING] = "string", [KEY_SECRET] = "string",     [KEY_LIST] = "list",
        [KEY_PATH] = "path",     [KEY_BOOL] = "boolean",      [KEY_INT] = "integer",
        [KEY_SIZE] = "bytes",    [KEY_MSEC] = "milliseconds", [KEY_SECONDS] = "seconds",
    };

    if (i >= ELEMENTSOF(keys))
        return false;
    *ret = (ConfigKey){
        .section = keys[i].section,
        .name = keys[i].name,
        .type = types[keys[i].type],
        .initial = keys[i].initial,
        .min = keys[i].min,
        .max = keys[i].max,
    };
    return true;
}

typedef struct Reader {
    Config *config;
    IniProblem problem;
    void *userdata;
} Reader;

static bool is_text(KeyType type) {
    return type == KEY_STRING || type == KEY_SECRET || type == KEY_LIST || type == KEY_PATH;
}

void config_done(Config *c) {
    for (size_t i = 0; i < ELEMENTSOF(keys); i++)
        if (is_text(keys[i].type)) {
            char *text = *(char **)((char *)c + keys[i].offset);

            if (text) /* a secret, or a proxy's URL with a password */
                explicit_bzero(text, strlen(text));
            free(text);
        }
    for (size_t i = 0; c->origins && i < ELEMENTSOF(keys); i++)
        free(c->origins[i].file);
    free(c->origins);
    free(c->unusable);
    (void)json_object_put(c->features);
    (void)json_object_put(c->feature_lines);
    *c = (Config){};
}

static int set_size(const Key *k, const char *value, uint64_t *field) {
    uint64_t n;

    if (parse_size(value, &n) < 0 || (double)n < k->min || (double)n > k->max)
        return -EINVAL;
    *field = n;
    return 0;
}

static int parse_number(const Key *k, const char *value, double *ret) {
    char *end;

    errno = 0;
    *ret = strtod(value, &end);
    if (end == value || *end || errno || !(*ret >= k->min && *ret <= k->max))
        return -EINVAL;
    if (k->type != KEY_SECONDS && *ret != (double)(int64_t)*ret)
        return -EINVAL;
    return 0;
}

/* Without a credentials directory the name stays, so that opening it fails: falling back to the
 * default could be less secure. */
static int set_path(char **field, const char *file, const char *value) {
    static const char credential[] = "credential:";
    const char *slash = strrchr(file, '/'), *directory = getenv("CREDENTIALS_DIRECTORY");
    bool is_credential = strncmp(value, credential, strlen(credential)) == 0;
    char *path;

    if (is_credential
            ? isempty(directory)
            : isempty(value) || *value == '/' || !slash || strncmp(value, "pkcs11:", 7) == 0)
        return free_and_strdup(field, isempty(value) ? NULL : value);
    if ((is_credential ? asprintf(&path, "%s/%s", directory, value + strlen(credential))
                       : asprintf(&path, "%.*s/%s", (int)(slash - file), file, value)) < 0)
        return -ENOMEM;
    free(*field);
    *field = path;
    return 0;
}

/* -EINVAL leaves the field unchanged. */
static int set_key(Config *c, const Key *k, const char *file, const char *value) {
    void *field = (char *)c + k->offset;
    double number;

    switch (k->type) {
    case KEY_STRING:
    case KEY_SECRET:
    case KEY_LIST:
        if (!utf8_is_valid(value, strlen(value))) /* features go onto the wire */
            return -EINVAL;
        if (k->is_valid && !isempty(value) && !k->is_valid(value))
            return -EINVAL;
        return free_and_strdup(field, isempty(value) ? NULL : value);
    case KEY_PATH:
        return set_path(field, file, value);
    case KEY_BOOL:
        return parse_bool(value, field);
    case KEY_SIZE:
        return set_size(k, value, field);
    default:
        TRY(parse_number(k, value, &number));
        if (k->type == KEY_INT)
            *(int64_t *)field = (int64_t)number;
        else
            *(uint64_t *)field =
                (uint64_t)(number * (double)(k->type == KEY_MSEC ? USEC_PER_MSEC : USEC_PER_SEC));
        return 0;
    }
}

static const Key *find_key(const char *section, const char *name) {
    for (size_t i = 0; i < ELEMENTSOF(keys); i++)
        if (streq(keys[i].section, section) && strcasecmp(keys[i].name, name) == 0)
            return &keys[i];
    return NULL;
}

const ConfigOrigin *config_origin(const Config *c, const char *section, const char *name) {
    const Key *k = find_key(section, name);

    assert(k);
    return &c->origins[k - keys];
}

static int add_feature(Config *c, const IniPlace *at, const char *value) {
    struct json_object *text, *lines;

    if (!utf8_is_valid(at->name, strlen(at->name)) || !utf8_is_valid(value, strlen(value)))
        return -EINVAL;
    text = json_object_new_string(value);
    if (!text || json_object_object_add(c->features, at->name, text) < 0) {
        (void)json_object_put(text);
        return -ENOMEM;
    }
    lines = json_object_new_array_ext(2);
    if (lines && json_object_array_add(lines, json_object_new_string(at->file)) >= 0 &&
        json_object_array_add(lines, json_object_new_int((int)at->line)) >= 0 &&
        json_object_object_add(c->feature_lines, at->name, lines) >= 0)
        return 0;
    (void)json_object_put(lines);
    return -ENOMEM;
}

static bool section_exists(const char *section) {
    for (size_t i = 0; i < ELEMENTSOF(keys); i++)
        if (streq(keys[i].section, section))
            return true;
    return streq(section, "features");
}

/* Keeps the first reason. */
static int note_unusable(Config *c, const char *format, ...) _printf_(2, 3);
static int note_unusable(Config *c, const char *format, ...) {
    va_list ap;
    int r = 0;

    if (c->unusable)
        return 0;
    va_start(ap, format);
    r = vasprintf(&c->unusable, format, ap);
    va_end(ap);
    if (r < 0)
        c->unusable = NULL;
    return r < 0 ? -ENOMEM : 0;
}

static int append_list(Config *c, const Key *k, const char *value) {
    char **field = (char **)((char *)c + k->offset), *joined;

    if (!utf8_is_valid(value, strlen(value)))
        return -EINVAL;
    if (asprintf(&joined, "%s %s", strempty(*field), value) < 0)
        return -ENOMEM;
    free(*field);
    *field = joined;
    return 0;
}

static void describe_allowed(const Key *k, char *buf, size_t size) {
    ConfigKey key;

    if (k->allowed)
        (void)utf8_format(buf, size, "%s", k->allowed);
    else if (config_key((size_t)(k - keys), &key))
        config_describe_values(key.type, key.min, key.max, buf, size);
}

static int check_guard(Config *c, const Key *k, const IniPlace *at, int error) {
    char allowed[128] = "";

    if (error != -EINVAL || !config_is_guard(k->name))
        return error;
    describe_allowed(k, allowed, sizeof(allowed));
    TRY(note_unusable(c, "%s:%u: the value of %s in [%s] is not valid%s%s", at->file, at->line,
                      k->name, k->section, *allowed ? ": it must be " : "", allowed));
    return -EINVAL;
}

/* The key that may have been meant: of that name in another section, or similar in this one. */
static const Key *find_meant(const IniPlace *at, const char *guard) {
    for (size_t i = 0; i < ELEMENTSOF(keys); i++)
        if (strcasecmp(keys[i].name, guard ?: at->name) == 0)
            return &keys[i];
    for (size_t i = 0; i < ELEMENTSOF(keys); i++)
        if (streq(keys[i].section, at->section) && config_names_resemble(at->name, keys[i].name))
            return &keys[i];
    return NULL;
}

static void describe_unknown(const IniPlace *at, const Key *meant, char *buf, size_t size) {
    int n = isempty(at->section)
                ? utf8_format(buf, size, "%s stands before the first [section]", at->name)
                : utf8_format(buf, size, "there is no key %s in [%s]", at->name, at->section);

    if (!meant)
        return;
    buf += n;
    size -= (size_t)n;
    if (strcasecmp(meant->name, at->name) == 0)
        (void)utf8_format(buf, size, " (it belongs to [%s])", meant->section);
    else
        (void)utf8_format(buf, size, " (is %s in [%s] meant?)", meant->name, meant->section);
}

/* What a guard should have done is not done: that may mean less security. */
static int on_unknown(Reader *r, const IniPlace *at) {
    const char *guard = config_guard_meant(at->name);
    bool is_told = !isempty(at->section) && !section_exists(at->section) &&
                   !config_section_is_old(at->section); /* by on_section() */
    char text[512];

    if (config_key_is_old(at->section, at->name) || (is_told && !guard))
        return 0;
    describe_unknown(at, find_meant(at, guard), text, sizeof(text));
    r->problem(at->file, at->line, text, r->userdata);
    return guard ? note_unusable(r->config, "%s:%u: %s; correct or remove it, then reload",
                                 at->file, at->line, text)
                 : 0;
}

static int on_section(const IniPlace *at, void *userdata) {
    Reader *r = userdata;
    char text[512];

    if (section_exists(at->section) || config_section_is_old(at->section))
        return 0;
    for (size_t i = 0; i < ELEMENTSOF(keys); i++)
        if (config_names_resemble(at->section, keys[i].section)) {
            (void)utf8_format(text, sizeof(text), "there is no section [%s] (is [%s] meant?)",
                              at->section, keys[i].section);
            r->problem(at->file, at->line, text, r->userdata);
            return 0;
        }
    return -ENOKEY;
}

static int set_from_file(Config *c, const Key *k, const IniPlace *at, const char *value) {
    ConfigOrigin *origin = &c->origins[k - keys];

    TRY(set_key(c, k, at->file, value));
    origin->line = at->line;
    return free_and_strdup(&origin->file, at->file);
}

static int on_value(const IniPlace *at, const char *value, void *userdata) {
    const Key *k = find_key(at->section, at->name);
    Reader *r = userdata;

    if (streq(at->section, "features"))
        return add_feature(r->config, at, value);
    return k ? check_guard(r->config, k, at, set_from_file(r->config, k, at, value))
             : on_unknown(r, at);
}

/* Detects a section whose keys are indented, which would become one long value. */
static bool begins_with_key(const char *section, const char *value) {
    _cleanup_free_ char *name = strndup(value, strcspn(value, " \t=:"));

    if (!name || find_key(section, name))
        return true;
    return !section_exists(section) && !config_section_is_old(section) && config_is_guard(name);
}

static int on_more(const IniPlace *at, const char *value, void *userdata) {
    Config *c = ((Reader *)userdata)->config;
    const Key *k = find_key(at->section, at->name);

    if (begins_with_key(at->section, value) || (k && k->type != KEY_LIST))
        return -EINVAL;
    if (!k)
        return 0;
    return check_guard(c, k, at, append_list(c, k, value));
}

static void on_problem(const char *file, unsigned line, const char *text, void *userdata) {
    Reader *reader = userdata;

    reader->problem(file, line, text, reader->userdata);
}

static void on_lost(const IniPlace *at, void *userdata) {
    Reader *reader = userdata;

    if (config_is_guard(at->name))
        (void)note_unusable(reader->config,
                            "%s:%u: the line of %s is lost: it is too long, or indented", at->file,
                            at->line, at->name);
}

static bool on_unreadable(const char *file, int error, void *userdata) {
    Config *c = ((Reader *)userdata)->config;
    char why[512];

    ini_unreadable_describe(file, error, why, sizeof(why));
    if (error == -EACCES)
        (void)note_unusable(c, "configuration file %s is not readable by user dcm-agent%s", file,
                            why + strlen("is not readable"));
    else
        (void)note_unusable(c, "configuration file %s %s", file, why);
    return false;
}

static void on_invalid(const IniPlace *at, char *buf, size_t size, void *userdata) {
    const Key *k = find_key(at->section, at->name);

    if (k)
        describe_allowed(k, buf, size);
}

static const IniCallbacks ini_callbacks = {
    .on_value = on_value,
    .on_section = on_section,
    .on_more = on_more,
    .on_lost = on_lost,
    .on_invalid = on_invalid,
    .on_ignored = on_problem,
    .on_unreadable = on_unreadable,
    .on_problem = on_problem,
};

int config_parse(Config *c, const char *file, const char *text, IniProblem problem,
                 void *userdata) {
    return ini_file_parse(file, text, &ini_callbacks,
                          &(Reader){.config = c, .problem = problem, .userdata = userdata});
}

int config_init(Config *ret) {
    Config c = {};
    int r = 0;

    for (size_t i = 0; i < ELEMENTSOF(keys) && r >= 0; i++)
        r = set_key(&c, &keys[i], "", keys[i].initial);
    c.features = json_object_new_object();
    c.feature_lines = json_object_new_object();
    c.origins = calloc(ELEMENTSOF(keys), sizeof(*c.origins));
    if (r < 0 || !c.features || !c.feature_lines || !c.origins) {
        config_done(&c);
        return -ENOMEM;
    }
    *ret = c;
    return 0;
}

int config_load(const char *file, const char *directory, IniProblem problem, void *userdata,
                Config *ret) {
    _cleanup_(config_done) Config c = {};

    TRY(config_init(&c));
    TRY(ini_file_load(file, directory, &ini_callbacks,
                      &(Reader){.config = &c, .problem = problem, .userdata = userdata}));
    *ret = c;
    c = (Config){};
    return 0;
}

static void print_text(FILE *f, const char *text) {
    const char *scheme = strstr(strempty(text), "://"), *at = strrchr(strempty(text), '@');

    if (scheme && at)
        (void)fprintf(f, "%.*s%s", (int)(scheme + strlen("://") - text), text, at + 1);
    else
        (void)fputs(strempty(text), f);
}

static void print_value(FILE *f, const Config *c, const Key *k) {
    const void *field = (const char *)c + k->offset;
    uint64_t unit = k->type == KEY_MSEC ? USEC_PER_MSEC : USEC_PER_SEC;

    switch (k->type) {
    case KEY_BOOL:
        (void)fputs(*(const bool *)field ? "True" : "False", f);
        break;
    case KEY_INT:
        (void)fprintf(f, "%" PRId64, *(const int64_t *)field);
        break;
    case KEY_MSEC:
    case KEY_SECONDS:
        (void)fprintf(f, "%.12g", (double)*(const uint64_t *)field / (double)unit);
        break;
    case KEY_SIZE:
        (void)fprintf(f, "%" PRIu64, *(const uint64_t *)field);
        break;
    case KEY_SECRET:
        (void)fputs(*(char *const *)field ? CONFIG_SECRET : "", f);
        break;
    default:
        print_text(f, *(char *const *)field);
        break;
    }
}

static int format_value(const Config *c, const Key *k, char **ret) {
    size_t size = 0;
    FILE *f = open_memstream(ret, &size);

    if (!f)
        return -errno;
    print_value(f, c, k);
    if (fclose(f) == 0)
        return 0;
    free(TAKE_PTR(*ret));
    return -ENOMEM;
}

int config_visit(const Config *c,
                 int (*visit)(const char *section, const char *name, const char *value,
                              const ConfigOrigin *origin, void *userdata),
                 void *userdata) {
    for (size_t i = 0; i < ELEMENTSOF(keys); i++) {
        _cleanup_free_ char *value = NULL;

        TRY(format_value(c, &keys[i], &value));
        TRY(visit(keys[i].section, keys[i].name, value, &c->origins[i], userdata));
    }
    json_object_object_foreach(c->features, name, value) {
        struct json_object *at = json_object_object_get(c->feature_lines, name);
        const ConfigOrigin origin = {
            .file = (char *)(uintptr_t)json_object_get_string(json_object_array_get_idx(at, 0)),
            .line = (unsigned)json_object_get_int(json_object_array_get_idx(at, 1)),
        };

        TRY(visit("features", name, json_object_get_string(value), &origin, userdata));
    }
    return 0;
}
