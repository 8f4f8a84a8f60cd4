/* SPDX-License-Identifier: Apache-2.0 */
/* One table says which command has which argument, of which form. */
#include "backup/request.h"

#include <stdio.h>

#include "backup/problem.h"
#include "backup/schedule.h"
#include "basic/bounds.h"
#include "basic/strv.h"
#include "proto/text.h"

#define BIT(command) (1u << (BACKUP_##command))
#define BACKUPS (BIT(BACKUP_DATA_SOURCE) | BIT(BACKUP_SERVICE) | BIT(BACKUP_PATHS))
#define RESTORES (BIT(RESTORE_DATA_SOURCE) | BIT(RESTORE_SERVICE) | BIT(RESTORE_PATHS))
#define OF_SERVICES                                                                                \
    (BIT(INSTALL_DATA_SOURCE) | BIT(BACKUP_DATA_SOURCE) | BIT(BACKUP_SERVICE) |                    \
     BIT(RESTORE_DATA_SOURCE) | BIT(RESTORE_SERVICE))
#define OLD (BIT(INSTALL_DATA_SOURCE) | BIT(BACKUP_DATA_SOURCE) | BIT(BACKUP_SERVICE))
#define WITH_PLACE (BACKUPS | RESTORES | OLD | BIT(VERIFY_BACKUP) | BIT(LIST_BACKUPS))
#define ASKS (BIT(VERIFY_BACKUP) | BIT(LIST_BACKUPS))

static const char *const command_names[_BACKUP_COMMAND_MAX] = {
    [BACKUP_INSTALL_DATA_SOURCE] = "install_data_source",
    [BACKUP_BACKUP_DATA_SOURCE] = "backup_data_source",
    [BACKUP_BACKUP_SERVICE] = "backup_service",
    [BACKUP_BACKUP_PATHS] = "backup_paths",
    [BACKUP_RESTORE_DATA_SOURCE] = "restore_data_source",
    [BACKUP_RESTORE_SERVICE] = "restore_service",
    [BACKUP_RESTORE_PATHS] = "restore_paths",
    [BACKUP_VERIFY_BACKUP] = "verify_backup",
    [BACKUP_LIST_BACKUPS] = "list_backups",
    [BACKUP_LIST_SCHEDULES] = "list_schedules",
    [BACKUP_REMOVE_SCHEDULE] = "remove_schedule",
    [BACKUP_REMOVE_FORMER] = "remove_former",
};

const char *const compression_names[_COMPRESSION_MAX] = {"zip", "zstd", "none"};
const char *const consistency_names[_CONSISTENCY_MAX] = {"none", "lock", "snapshot"};

typedef struct Reader {
    struct json_object *arguments;
    BackupRequest *request;
    char **ret_problem;
} Reader;

typedef struct Argument {
    const char *key;
    int (*read)(const Reader *r, const struct Argument *a, struct json_object *value);
    size_t offset;
    unsigned of, needed_by; /* bits of commands */
    size_t size_max;
} Argument;

static void *member(const Reader *r, const Argument *a) {
    return (char *)r->request + a->offset;
}

/* --- texts -------------------------------------------------------------------------------------
 */

/* `may_have_lines`: also newlines and tabulators. */
static int check_text(const Reader *r, const char *key, struct json_object *value, size_t size_max,
                      bool may_have_lines) {
    const char *s;
    size_t size;

    if (!json_object_is_type(value, json_type_string))
        return problem_set(r->ret_problem, "%s is not a text", key);
    s = json_object_get_string(value);
    size = (size_t)json_object_get_string_len(value);
    if (size > size_max)
        return problem_set(r->ret_problem, "%s is too long: it has %zu bytes, at most %zu", key,
                           size, size_max);
    if (strlen(s) != size || !utf8_is_valid(s, size))
        return problem_set(r->ret_problem, "%s is not a text in UTF-8", key);
    for (; *s && !may_have_lines; s++)
        if ((unsigned char)*s < ' ' || *s == 0x7f)
            return problem_set(r->ret_problem, "%s has a character that cannot be printed", key);
    return 0;
}

static int read_text(const Reader *r, const Argument *a, struct json_object *value) {
    TRY(check_text(r, a->key, value, a->size_max, false));
    if (isempty(json_object_get_string(value)))
        return problem_set(r->ret_problem, "%s is empty", a->key);
    return free_and_strdup(member(r, a), json_object_get_string(value));
}

static int read_lines(const Reader *r, const Argument *a, struct json_object *value) {
    TRY(check_text(r, a->key, value, a->size_max, true));
    return free_and_strdup(member(r, a), json_object_get_string(value));
}

/* A name that can be that of a file and of a unit. */
static bool is_word(const char *s) {
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                  "._-";

    return *s && *s != '.' && *s != '-' && strspn(s, allowed) == strlen(s);
}

static int read_word(const Reader *r, const Argument *a, struct json_object *value) {
    TRY(read_text(r, a, value));
    return is_word(json_object_get_string(value))
               ? 0
               : problem_set(
                     r->ret_problem,
                     "%s can have letters, digits, dots, dashes and underscores, and begins "
                     "with a letter or a digit",
                     a->key);
}

/* --- paths -------------------------------------------------------------------------------------
 */

static bool is_plain_path(const char *path) {
    if (*path != '/')
        return false;
    for (const char *s = path; s; s = strchr(s, '/')) {
        const size_t n = strcspn(++s, "/");

        if ((n == 1 && *s == '.') || (n == 2 && s[0] == '.' && s[1] == '.') ||
            (n == 0 && (*s || s > path + 1)))
            return false;
    }
    return true;
}

static int check_path(const Reader *r, const char *key, struct json_object *value) {
    TRY(check_text(r, key, value, VOLUME_PATH_MAX, false));
    return is_plain_path(json_object_get_string(value))
               ? 0
               : problem_set(r->ret_problem,
                             "%s: write a path from the root directory on, without //, . and .., "
                             "and without a slash at its end",
                             key);
}

static int read_path(const Reader *r, const Argument *a, struct json_object *value) {
    TRY(check_path(r, a->key, value));
    return free_and_strdup(member(r, a), json_object_get_string(value));
}

static int read_list(const Reader *r, const Argument *a, struct json_object *value, size_t n_max,
                     int (*check)(const Reader *r, const char *key, struct json_object *value)) {
    char ***list = member(r, a);
    size_t n = 0;

    if (!json_object_is_type(value, json_type_array))
        return problem_set(r->ret_problem, "%s is not a list", a->key);
    if (json_object_array_length(value) > n_max)
        return problem_set(r->ret_problem, "%s has more than %zu entries", a->key, n_max);
    for (size_t i = 0; i < json_object_array_length(value); i++) {
        struct json_object *item = json_object_array_get_idx(value, i);

        TRY(check(r, a->key, item));
        TRY(strv_push(list, &n, strdup(json_object_get_string(item))));
    }
    return 0;
}

static int read_paths(const Reader *r, const Argument *a, struct json_object *value) {
    TRY(read_list(r, a, value, BACKUP_PATHS_MAX, check_path));
    return *(char ***)member(r, a) ? 0 : problem_set(r->ret_problem, "%s is empty", a->key);
}

static int check_pattern(const Reader *r, const char *key, struct json_object *value) {
    TRY(check_text(r, key, value, VOLUME_PATH_MAX, false));
    return isempty(json_object_get_string(value))
               ? problem_set(r->ret_problem, "%s has an empty entry", key)
               : 0;
}

static int read_patterns(const Reader *r, const Argument *a, struct json_object *value) {
    return read_list(r, a, value, BACKUP_PATHS_MAX, check_pattern);
}

/* --- keys --------------------------------------------------------------------------------------
 */

static bool is_recipient(const char *s) {
    static const char bech32[] = "023456789acdefghjklmnpqrstuvwxyz";

    if (strncmp(s, "age1", 4) == 0)
        return strlen(s) == 62 && strspn(s + 4, bech32) == 58;
    return strncmp(s, "ssh-ed25519 ", 12) == 0 || strncmp(s, "ssh-rsa ", 8) == 0;
}

static int check_recipient(const Reader *r, const char *key, struct json_object *value) {
    TRY(check_text(r, key, value, BACKUP_RECIPIENT_MAX, false));
    if (strncmp(json_object_get_string(value), "AGE-SECRET-KEY-", 15) == 0)
        return problem_set(r->ret_problem,
                           "%s has a secret key; give the public key, which begins with age1, and "
                           "make a new pair: the secret one has been sent",
                           key);
    return is_recipient(json_object_get_string(value))
               ? 0
               : problem_set(r->ret_problem,
                             "%s: a public key for age begins with age1 and has 62 characters, or "
                             "is a line ssh-ed25519 or ssh-rsa",
                             key);
}

static int read_recipients(const Reader *r, const Argument *a, struct json_object *value) {
    return read_list(r, a, value, BACKUP_RECIPIENTS_MAX, check_recipient);
}

/* --- choices and numbers -----------------------------------------------------------------------
 */

static int read_bool(const Reader *r, const Argument *a, struct json_object *value) {
    if (!json_object_is_type(value, json_type_boolean))
        return problem_set(r->ret_problem, "%s is neither true nor false", a->key);
    *(bool *)member(r, a) = json_object_get_boolean(value);
    return 0;
}

static int read_choice(const Reader *r, const Argument *a, struct json_object *value,
                       const char *const *names, size_t n, unsigned *ret) {
    for (size_t i = 0; i < n && json_object_is_type(value, json_type_string); i++)
        if (streq(names[i], json_object_get_string(value))) {
            *ret = (unsigned)i;
            return 0;
        }
    return problem_set(r->ret_problem, "%s can be %s, %s or %s", a->key, names[0], names[1],
                       names[2]);
}

static int read_compression(const Reader *r, const Argument *a, struct json_object *value) {
    unsigned choice = 0;

    TRY(read_choice(r, a, value, compression_names, _COMPRESSION_MAX, &choice));
    r->request->compression = (Compression)choice;
    return 0;
}

static int read_consistency(const Reader *r, const Argument *a, struct json_object *value) {
    unsigned choice = 0;

    TRY(read_choice(r, a, value, consistency_names, _CONSISTENCY_MAX, &choice));
    r->request->consistency = (Consistency)choice;
    return 0;
}

static int read_number(const Reader *r, const char *key, struct json_object *value, int64_t max,
                       unsigned *ret) {
    int64_t n;

    if (json_to_integer(value, &n) < 0 || n < 0 || n > max)
        return problem_set(r->ret_problem, "%s is no whole number from 0 to %lld", key,
                           (long long)max);
    *ret = (unsigned)n;
    return 0;
}

static int read_delay(const Reader *r, const Argument *a, struct json_object *value) {
    return read_number(r, a->key, value, BACKUP_DELAY_SEC_MAX, member(r, a));
}

static int read_retention(const Reader *r, const Argument *a, struct json_object *value) {
    Retention *to = member(r, a);
    const struct {
        const char *key;
        unsigned *to;
    } parts[] = {{"newest", &to->newest},
                 {"days", &to->days},
                 {"weeks", &to->weeks},
                 {"months", &to->months}};

    if (!json_object_is_type(value, json_type_object))
        return problem_set(r->ret_problem, "%s is not an object", a->key);
    json_object_object_foreach(value, key, number) {
        size_t i = 0;

        while (i < ELEMENTSOF(parts) && !streq(parts[i].key, key))
            i++;
        if (i == ELEMENTSOF(parts))
            return problem_set(r->ret_problem, "%s can have newest, days, weeks and months",
                               a->key);
        TRY(read_number(r, parts[i].key, number, BACKUP_KEPT_MAX, parts[i].to));
    }
    return 0;
}

static int read_schedule(const Reader *r, const Argument *a, struct json_object *value) {
    TRY(read_text(r, a, value));
    return schedule_check(json_object_get_string(value), r->ret_problem);
}

/* It is read elsewhere: places.h, or by the agent. */
static int read_elsewhere(const Reader *r, const Argument *a, struct json_object *value) {
    return 0;
}

/* --- the table ---------------------------------------------------------------------------------
 */

#define TO(name) offsetof(BackupRequest, name)
#define SECOND (BIT(BACKUP_DATA_SOURCE) | BIT(BACKUP_SERVICE))
#define ELSEWHERE(key, of)                                                                         \
    { key, read_elsewhere, 0, of, 0, 0 }

static const Argument table[] = {
    {"serviceId", read_word, TO(service_id), OF_SERVICES | ASKS | BIT(REMOVE_FORMER), OF_SERVICES,
     BACKUP_NAME_MAX},
    {"dataSourceName", read_text, TO(data_source),
     BIT(BACKUP_DATA_SOURCE) | BIT(RESTORE_DATA_SOURCE) | ASKS, BIT(BACKUP_DATA_SOURCE),
     BACKUP_NAME_MAX},
    {"name", read_word, TO(name),
     BIT(BACKUP_PATHS) | BIT(RESTORE_PATHS) | ASKS | BIT(REMOVE_SCHEDULE),
     BIT(BACKUP_PATHS) | BIT(REMOVE_SCHEDULE), BACKUP_TEXT_MAX},
    {"dataSourceImage", read_text, TO(object), BIT(INSTALL_DATA_SOURCE), BIT(INSTALL_DATA_SOURCE),
     OBJECT_NAME_MAX},
    {"object", read_text, TO(object), RESTORES | BIT(VERIFY_BACKUP), 0, OBJECT_NAME_MAX},
    {"configuration", read_lines, TO(configuration),
     BIT(INSTALL_DATA_SOURCE) | BIT(BACKUP_DATA_SOURCE) | BIT(RESTORE_DATA_SOURCE),
     BIT(INSTALL_DATA_SOURCE) | BIT(BACKUP_DATA_SOURCE), BACKUP_CONFIGURATION_MAX},
    {"paths", read_paths, TO(paths), BIT(BACKUP_PATHS), BIT(BACKUP_PATHS), 0},
    {"excludes", read_patterns, TO(excludes), BIT(BACKUP_PATHS), 0, 0},
    {"one_file_system", read_bool, TO(one_file_system), BIT(BACKUP_PATHS), 0, 0},
    {"path", read_path, TO(path), BIT(RESTORE_PATHS), 0, 0},
    {"target", read_path, TO(target), BIT(RESTORE_PATHS) | BIT(REMOVE_FORMER), BIT(RESTORE_PATHS),
     0},
    {"compression", read_compression, TO(compression), BACKUPS, 0, 0},
    {"recipient", read_recipients, TO(recipients), BACKUPS, 0, 0},
    {"identity", read_lines, TO(identity), RESTORES | BIT(INSTALL_DATA_SOURCE), 0,
     BACKUP_IDENTITY_MAX},
    {"retain", read_retention, TO(retain), BACKUPS, 0, 0},
    {"schedule", read_schedule, TO(schedule), BACKUPS, 0, BACKUP_CALENDAR_MAX},
    {"schedule_delay", read_delay, TO(delay_sec), BACKUPS, 0, 0},
    {"consistency", read_consistency, TO(consistency), BACKUPS, 0, 0},
    {"pre", read_word, TO(pre), BACKUPS, 0, BACKUP_NAME_MAX},
    {"post", read_word, TO(post), BACKUPS, 0, BACKUP_NAME_MAX},
    ELSEWHERE("place", WITH_PLACE),
    ELSEWHERE("second_place", BACKUPS | ASKS),
    ELSEWHERE("customerId", BIT(INSTALL_DATA_SOURCE)),
    ELSEWHERE("imageDirectory", BIT(INSTALL_DATA_SOURCE)),
    ELSEWHERE("cloudId", BIT(INSTALL_DATA_SOURCE)),
    ELSEWHERE("apiAccessKey", BIT(INSTALL_DATA_SOURCE)),
    ELSEWHERE("apiSecretKey", BIT(INSTALL_DATA_SOURCE)),
    ELSEWHERE("regionId", BIT(INSTALL_DATA_SOURCE)),
    ELSEWHERE("serverCloud", BIT(INSTALL_DATA_SOURCE) | BIT(BACKUP_DATA_SOURCE)),
    ELSEWHERE("serverRegion", BIT(INSTALL_DATA_SOURCE) | BIT(BACKUP_DATA_SOURCE)),
    ELSEWHERE("toBackupDirectory", SECOND),
    ELSEWHERE("primaryCloudId", SECOND),
    ELSEWHERE("primaryApiKey", SECOND),
    ELSEWHERE("primarySecretKey", SECOND),
    ELSEWHERE("primaryRegionId", SECOND),
    ELSEWHERE("apiEndpoint", OLD),
    ELSEWHERE("apiAccount", OLD),
    ELSEWHERE("storageDelegate", OLD),
    ELSEWHERE("storageEndpoint", OLD),
    ELSEWHERE("storageAccount", OLD),
    ELSEWHERE("storagePublicKey", BIT(INSTALL_DATA_SOURCE) | BIT(BACKUP_SERVICE)),
    ELSEWHERE("storagePrivateKey", BIT(INSTALL_DATA_SOURCE) | BIT(BACKUP_SERVICE)),
    ELSEWHERE("storageApiKey", BIT(BACKUP_DATA_SOURCE)),
    ELSEWHERE("storageSecretKey", BIT(BACKUP_DATA_SOURCE)),
    ELSEWHERE("secondaryCloudId", SECOND),
    ELSEWHERE("secondaryRegionId", SECOND),
    ELSEWHERE("secondaryEndpoint", BIT(BACKUP_DATA_SOURCE)),
    ELSEWHERE("secondaryAccount", BIT(BACKUP_DATA_SOURCE)),
    ELSEWHERE("secondaryApiKey", SECOND),
    ELSEWHERE("secondarySecretKey", SECOND),
    ELSEWHERE("secondaryApiEndpoint", SECOND),
    ELSEWHERE("secondaryApiAccount", SECOND),
    ELSEWHERE("secondaryStorageDelegate", SECOND),
    ELSEWHERE("secondaryStorageEndpoint", SECOND),
    ELSEWHERE("secondaryStorageAccount", SECOND),
    ELSEWHERE("secondaryStorageApiKey", BIT(BACKUP_DATA_SOURCE)),
    ELSEWHERE("secondaryStorageSecretKey", BIT(BACKUP_DATA_SOURCE)),
    ELSEWHERE("secondaryStoragePublicKey", BIT(BACKUP_SERVICE)),
    ELSEWHERE("secondaryStoragePrivateKey", BIT(BACKUP_SERVICE)),
};

/* --- the whole ---------------------------------------------------------------------------------
 */

const char *backup_command_name(BackupCommand command) {
    return command_names[command];
}

BackupCommand backup_command_of(const char *name) {
    for (size_t i = 0; i < _BACKUP_COMMAND_MAX; i++)
        if (streq(command_names[i], name))
            return (BackupCommand)i;
    return _BACKUP_COMMAND_INVALID;
}

static void clear(char *secret) {
    if (secret)
        explicit_bzero(secret, strlen(secret));
    free(secret);
}

void backup_request_done(BackupRequest *q) {
    free(q->service_id);
    free(q->data_source);
    free(q->name);
    free(q->object);
    clear(q->configuration);
    strv_free(q->paths);
    strv_free(q->excludes);
    free(q->path);
    free(q->target);
    strv_free(q->recipients);
    clear(q->identity);
    free(q->schedule);
    free(q->pre);
    free(q->post);
    *q = (BackupRequest){};
}

static const Argument *find(const char *key, unsigned command) {
    for (size_t i = 0; i < ELEMENTSOF(table); i++)
        if (streq(table[i].key, key) && (table[i].of & command))
            return &table[i];
    return NULL;
}

static int check_known(const Reader *r, unsigned command) {
    json_object_object_foreach(r->arguments, key, value) {
        (void)value;
        if (!find(key, command))
            return problem_set(r->ret_problem, "%.*s is not an argument of %s",
                               UTF8_SHORT(key, BACKUP_NAME_MAX),
                               backup_command_name(r->request->command));
    }
    return 0;
}

static int read_all(const Reader *r, unsigned command) {
    for (size_t i = 0; i < ELEMENTSOF(table); i++) {
        struct json_object *value = json_get(r->arguments, table[i].key);

        if (!(table[i].of & command))
            continue;
        if (value)
            TRY(table[i].read(r, &table[i], value));
        else if (table[i].needed_by & command)
            return problem_set(r->ret_problem, "%s is missing", table[i].key);
    }
    return 0;
}

static bool has_root(char *const *paths) {
    for (char *const *p = paths; p && *p; p++)
        if (streq(*p, "/"))
            return true;
    return false;
}

static int check_consistency(const Reader *r, const BackupRequest *q) {
    if (q->consistency == CONSISTENCY_LOCK && q->command == BACKUP_BACKUP_PATHS)
        return problem_set(r->ret_problem, "consistency can be none or snapshot: only services "
                                           "can be locked");
    if (q->consistency == CONSISTENCY_SNAPSHOT && q->command == BACKUP_BACKUP_DATA_SOURCE)
        return problem_set(r->ret_problem, "consistency can be none or lock: the data are read by "
                                           "a hook, which does not see a snapshot");
    return 0;
}

static int check_together(const Reader *r, const BackupRequest *q) {
    const unsigned command = 1u << q->command;

    if ((command & RESTORES) && !q->object && !q->name && q->command == BACKUP_RESTORE_PATHS)
        return problem_set(r->ret_problem, "name and object are missing: one of them says what is "
                                           "to be restored");
    if (q->command == BACKUP_RESTORE_DATA_SOURCE && !q->object && !q->data_source)
        return problem_set(r->ret_problem, "dataSourceName and object are missing: one of them "
                                           "says what is to be restored");
    if (q->command == BACKUP_VERIFY_BACKUP && !q->object && !q->service_id && !q->name)
        return problem_set(r->ret_problem, "object is missing, and neither name nor serviceId says "
                                           "of what the newest backup is to be verified");
    if (q->command == BACKUP_REMOVE_FORMER && !q->service_id == !q->target)
        return problem_set(r->ret_problem, "give either serviceId or target");
    if (q->command == BACKUP_BACKUP_PATHS && q->compression == COMPRESSION_ZIP &&
        json_get(r->arguments, "compression"))
        return problem_set(r->ret_problem, "compression can be zstd or none: a zip file keeps "
                                           "neither ACLs nor hard links");
    if (has_root(q->paths) && q->paths[1])
        return problem_set(r->ret_problem, "paths has the root directory, below which all others "
                                           "are: give it alone");
    TRY(check_consistency(r, q));
    if (q->target && streq(q->target, "/"))
        return problem_set(r->ret_problem,
                           "target is the root directory, which cannot be replaced");
    if (q->delay_sec > 0 && !q->schedule)
        return problem_set(r->ret_problem, "schedule_delay needs schedule");
    return 0;
}

static int parse(const Reader *r) {
    const unsigned command = 1u << r->request->command;

    if (!json_object_is_type(r->arguments, json_type_object))
        return problem_set(r->ret_problem, "the request is not a JSON object");
    TRY(check_known(r, command));
    if (r->request->command == BACKUP_BACKUP_PATHS)
        r->request->compression = COMPRESSION_ZSTD;
    TRY(read_all(r, command));
    return check_together(r, r->request);
}

int backup_request_parse(BackupCommand command, struct json_object *arguments, BackupRequest *ret,
                         char **ret_problem) {
    const Reader reader = {arguments, ret, ret_problem};
    int r;

    *ret = (BackupRequest){.command = command};
    *ret_problem = NULL;
    r = parse(&reader);
    if (r < 0)
        backup_request_done(ret);
    return r;
}

int backup_request_series(const BackupRequest *q, Series *ret) {
    if (q->name && q->command != BACKUP_REMOVE_SCHEDULE)
        return series_init(SERIES_PATHS, NULL, q->name, ret);
    if (q->service_id && q->data_source)
        return series_init(SERIES_DATA_SOURCE, q->service_id, q->data_source, ret);
    if (q->service_id && q->command != BACKUP_RESTORE_DATA_SOURCE)
        return series_init(SERIES_SERVICE, q->service_id, NULL, ret);
    return -ENOENT;
}
