/* SPDX-License-Identifier: Apache-2.0 */
#include "volume/request.h"

#include <ctype.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <strings.h>

#include "basic/bounds.h"
#include "basic/sha256.h"
#include "basic/strv.h"
#include "proto/text.h"

#define KEY "encryptedFsEncryptionKey"
#define FIELD(type_, name)                                                                         \
    { .key = #name, .type = (type_), .offset = offsetof(VolumeRequest, name) }

static const Field request_fields[] = {
    FIELD(FIELD_BOOL, format),
    FIELD(FIELD_TEXT, fs_type),
    {.key = "raid_level",
     .type = FIELD_INT,
     .offset = offsetof(VolumeRequest, raid_level),
     .fallback = -1},
    FIELD(FIELD_TEXTS, devices),
    FIELD(FIELD_BOOL, encrypted),
    FIELD(FIELD_TEXT, mount_point),
    FIELD(FIELD_TEXT, label),
    FIELD(FIELD_TEXT, options),
    FIELD(FIELD_BOOL, force),
    FIELD(FIELD_BOOL, degraded),
    FIELD(FIELD_BOOL, persistent),
    FIELD(FIELD_BOOL, unlock_at_boot),
    FIELD(FIELD_BOOL, wait_for_sync),
};

const FieldTable volume_request_table = {request_fields, ELEMENTSOF(request_fields),
                                         sizeof(VolumeRequest)};

static const struct {
    const char *name;
    size_t label_max; /* bytes; mke2fs(8), mkfs.xfs(8), mkfs.btrfs(8) */
} file_systems[] = {{"ext3", 16}, {"ext4", 16}, {"xfs", 12}, {"btrfs", 255}};

static const int levels[] = {0, 1, 4, 5, 6, 10};

/* They would make another thing of the mount, or of its line. */
static const char *const strange_options[] = {"bind",   "rbind",    "move",   "remount",    "loop",
                                              "noauto", "defaults", "nofail", "x-dcm-agent"};

typedef struct Reader {
    struct json_object *arguments;
    char **ret_problem;
} Reader;

static int _printf_(2, 3) fail(const Reader *r, const char *format, ...) {
    va_list list;
    int n;

    va_start(list, format);
    n = vasprintf(r->ret_problem, format, list);
    va_end(list);
    if (n < 0) {
        *r->ret_problem = NULL;
        return -ENOMEM;
    }
    return -EINVAL;
}

void volume_request_done(VolumeRequest *q) {
    fields_done(&volume_request_table, q);
}

static bool is_given(const Reader *r, const char *key) {
    return json_get(r->arguments, key) != NULL;
}

static int read_bool(const Reader *r, const char *key, bool fallback, bool *ret) {
    struct json_object *value = json_get(r->arguments, key);

    *ret = fallback;
    if (!value)
        return 0;
    if (!json_object_is_type(value, json_type_boolean))
        return fail(r, "%s is neither true nor false", key);
    *ret = json_object_get_boolean(value);
    return 0;
}

/* A text in one line. */
static bool is_plain(const char *s) {
    for (; *s; s++)
        if ((unsigned char)*s < ' ' || *s == 0x7f)
            return false;
    return true;
}

static int read_text(const Reader *r, const char *key, const char *fallback, size_t size_max,
                     char **ret) {
    const char *s = is_given(r, key) ? json_get_string(r->arguments, key) : fallback;

    if (!s)
        return is_given(r, key) ? fail(r, "%s is not a text", key) : 0;
    if (isempty(s))
        return fail(r, "%s is empty", key);
    if (strlen(s) > size_max)
        return fail(r, "%s is too long: it has %zu bytes, at most %zu", key, strlen(s), size_max);
    if (!is_plain(s) || !utf8_is_valid(s, strlen(s)))
        return fail(r, "%s has a character that cannot be printed", key);
    return free_and_strdup(ret, s);
}

static size_t find_file_system(const char *name) {
    size_t i = 0;

    while (i < ELEMENTSOF(file_systems) && !streq(file_systems[i].name, name))
        i++;
    return i;
}

static int read_file_system(const Reader *r, VolumeRequest *q) {
    TRY(read_text(r, "fileSystem", NULL, VOLUME_TEXT_MAX, &q->fs_type));
    if (!q->fs_type)
        return fail(r, "fileSystem is missing");
    if (find_file_system(q->fs_type) == ELEMENTSOF(file_systems))
        return fail(r, "fileSystem is \"%s\"; it can be ext3, ext4, xfs or btrfs", q->fs_type);
    return 0;
}

static int read_level(const Reader *r, VolumeRequest *q) {
    _cleanup_free_ char *text = NULL;
    char name[16];

    q->raid_level = -1;
    TRY(read_text(r, "raidLevel", "NONE", VOLUME_TEXT_MAX, &text));
    if (!text || strcasecmp(text, "NONE") == 0)
        return 0;
    for (size_t i = 0; i < ELEMENTSOF(levels); i++) {
        (void)snprintf(name, sizeof(name), "RAID%d", levels[i]);
        if (strcasecmp(text, name) == 0) {
            q->raid_level = levels[i];
            return 0;
        }
    }
    return fail(r,
                "raidLevel is \"%s\"; it can be NONE, RAID0, RAID1, RAID4, RAID5, RAID6 or RAID10",
                text);
}

/* A name, or the number of a disk in its cloud. */
static const char *device_name(struct json_object *item) {
    int64_t n;

    if (!json_object_is_type(item, json_type_string))
        return json_to_integer(item, &n) >= 0 ? json_object_get_string(item) : NULL;
    return strlen(json_object_get_string(item)) == (size_t)json_object_get_string_len(item)
               ? json_object_get_string(item)
               : NULL;
}

static int read_device(const Reader *r, struct json_object *item, VolumeRequest *q, size_t *n) {
    const char *s = device_name(item);

    if (isempty(s) || strlen(s) > VOLUME_NAME_MAX || !is_plain(s))
        return fail(r, "devices: entry %zu is not the name of a device", *n + 1);
    return strv_push(&q->devices, n, strdup(s));
}

static int read_devices(const Reader *r, VolumeRequest *q) {
    struct json_object *list = json_get(r->arguments, "devices");
    size_t n = 0;

    if (!json_object_is_type(list, json_type_array))
        return fail(r, list ? "devices is not a list" : "devices is missing");
    if (json_object_array_length(list) > VOLUME_DEVICES_MAX)
        return fail(r, "devices has more than %d entries", VOLUME_DEVICES_MAX);
    for (size_t i = 0; i < json_object_array_length(list); i++)
        TRY(read_device(r, json_object_array_get_idx(list, i), q, &n));
    if (n > 1 && q->raid_level < 0)
        return fail(r, "raidLevel is NONE, but there are %zu devices: name one, or a level", n);
    return 0;
}

/* Removes double slashes, and one at the end, in place. */
static void tidy_path(char *path) {
    char *to = path;

    for (const char *s = path; *s; s++)
        if (*s != '/' || s[1] != '/')
            *to++ = *s;
    if (to > path + 1 && to[-1] == '/')
        to--;
    *to = 0;
}

static bool has_dots(const char *path) {
    for (const char *s = path; s; s = strchr(s, '/')) {
        size_t n = strcspn(++s, "/");

        if ((n == 1 && *s == '.') || (n == 2 && s[0] == '.' && s[1] == '.'))
            return true;
    }
    return false;
}

static int read_mount_point(const Reader *r, const char *fallback, VolumeRequest *q) {
    TRY(read_text(r, "mountPoint", fallback, VOLUME_PATH_MAX, &q->mount_point));
    if (!q->mount_point)
        return fail(r, "mountPoint is missing, and the configuration has none");
    if (*q->mount_point != '/')
        return fail(r, "mountPoint is \"%s\": it does not begin with a slash", q->mount_point);
    tidy_path(q->mount_point);
    return has_dots(q->mount_point)
               ? fail(r, "mountPoint is \"%s\": write it without . and ..", q->mount_point)
               : 0;
}

static int read_label(const Reader *r, VolumeRequest *q) {
    const size_t max = file_systems[find_file_system(q->fs_type)].label_max;

    TRY(read_text(r, "label", NULL, VOLUME_TEXT_MAX, &q->label));
    if (!q->label)
        return 0;
    if (!q->format)
        return fail(r, "label is given to a new file system, but formatVolume is false");
    if (strlen(q->label) > max)
        return fail(r, "label has %zu bytes; %s takes at most %zu", strlen(q->label), q->fs_type,
                    max);
    return strchr(q->label, '/') ? fail(r, "label has a slash") : 0;
}

bool mount_options_have(const char *options, const char *name) {
    const size_t size = strlen(name);

    for (const char *s = options; s; s = strchr(s, ','), s = s ? s + 1 : NULL)
        if (strncmp(s, name, size) == 0 && strchr(",=", s[size])) /* also the NUL */
            return true;
    return false;
}

static int read_options(const Reader *r, VolumeRequest *q) {
    TRY(read_text(r, "options", NULL, VOLUME_OPTIONS_MAX, &q->options));
    if (!q->options)
        return 0;
    if (strpbrk(q->options, " \\#\"'"))
        return fail(r, "options has a blank, a quote, # or \\: separate options by commas");
    for (size_t i = 0; i < ELEMENTSOF(strange_options); i++)
        if (mount_options_have(q->options, strange_options[i]))
            return fail(r, "options has \"%s\", which cannot be chosen here", strange_options[i]);
    return q->format && mount_options_have(q->options, "ro")
               ? fail(r, "options has \"ro\", but formatVolume is true: nobody could write to the "
                         "new file system")
               : 0;
}

static int read_choices(const Reader *r, bool has_key, VolumeRequest *q) {
    TRY(read_bool(r, "force", false, &q->force));
    TRY(read_bool(r, "degraded", false, &q->degraded));
    TRY(read_bool(r, "persistent", true, &q->persistent));
    TRY(read_bool(r, "unlock_at_boot", false, &q->unlock_at_boot));
    TRY(read_bool(r, "wait_for_sync", false, &q->wait_for_sync));
    q->encrypted = has_key;
    if (q->unlock_at_boot && !has_key)
        return fail(r, "unlock_at_boot needs encryptedFsEncryptionKey");
    if (q->unlock_at_boot && !q->persistent)
        return fail(r, "unlock_at_boot contradicts persistent = false");
    return 0;
}

static int check_known(const Reader *r, const char *const *known, const char *command) {
    struct json_object_iterator i, end = json_object_iter_end(r->arguments);

    for (i = json_object_iter_begin(r->arguments); !json_object_iter_equal(&i, &end);
         json_object_iter_next(&i)) {
        const char *key = json_object_iter_peek_name(&i);
        size_t k = 0;

        while (known[k] && !streq(known[k], key))
            k++;
        if (!known[k] && streq(key, "install_missing_tools"))
            return fail(r, "whether programs are installed is this server's choice: "
                           "install_missing_tools is set in policy.conf(5), not in a request");
        if (!known[k])
            return fail(r, "%.*s is not an argument of %s", VOLUME_TEXT_MAX, key, command);
    }
    return is_given(r, KEY) ? fail(r, KEY " is in the request; it must come as a file") : 0;
}

static int read_request(const Reader *r, const char *default_mount_point, bool has_key,
                        VolumeRequest *q) {
    static const char *const known[] = {
        "formatVolume",   "fileSystem",    "raidLevel", "devices",  "mountPoint",
        "label",          "options",       "force",     "degraded", "persistent",
        "unlock_at_boot", "wait_for_sync", "dry_run",   KEY,        NULL,
    };

    if (!json_object_is_type(r->arguments, json_type_object))
        return fail(r, "the request is not a JSON object");
    TRY(check_known(r, known, "mount_volume"));
    if (!is_given(r, "formatVolume"))
        return fail(r, "formatVolume is missing");
    TRY(read_bool(r, "formatVolume", false, &q->format));
    TRY(read_file_system(r, q));
    TRY(read_level(r, q));
    TRY(read_devices(r, q));
    TRY(read_mount_point(r, default_mount_point, q));
    TRY(read_label(r, q));
    TRY(read_options(r, q));
    return read_choices(r, has_key, q);
}

int volume_request_parse(struct json_object *arguments, const char *default_mount_point,
                         bool has_key, VolumeRequest *ret, char **ret_problem) {
    const Reader reader = {arguments, ret_problem};
    int r;

    *ret = (VolumeRequest){};
    *ret_problem = NULL;
    r = read_request(&reader, default_mount_point, has_key, ret);
    if (r < 0)
        volume_request_done(ret);
    return r;
}

int volume_request_dry_run(struct json_object *arguments, bool *ret, char **ret_problem) {
    const Reader reader = {arguments, ret_problem};

    *ret_problem = NULL;
    return read_bool(&reader, "dry_run", false, ret);
}

int volume_request_name(struct json_object *arguments, const char *command, const char **ret_name,
                        char **ret_problem) {
    static const char *const known[] = {"deviceId", "encrypted", "dry_run", KEY, NULL};
    const Reader reader = {arguments, ret_problem};
    const char *name;

    *ret_problem = NULL;
    name = json_get_scalar(arguments, "deviceId");
    if (isempty(name))
        return fail(&reader, "deviceId is missing");
    TRY(check_known(&reader, known, command));
    *ret_name = name;
    return 0;
}

bool volume_name_is_path(const char *name) {
    const size_t n = strlen(name);

    return n > 1 && n <= NAME_MAX && *name == '/' && name[n - 1] != '/' && !strstr(name, "//") &&
           !has_dots(name) && strncmp(name, "/dev/", strlen("/dev/")) != 0;
}

static void add(Sha256 *s, const char *text) {
    sha256_update(s, strempty(text), strlen(strempty(text)) + 1);
}

/* The names in the order of the alphabet: each time the least that is greater than the last. */
static void add_devices(Sha256 *s, char *const *devices) {
    const char *last = NULL;

    for (;;) {
        const char *next = NULL;

        for (char *const *d = devices; d && *d; d++)
            if ((!last || strcmp(*d, last) > 0) && (!next || strcmp(*d, next) < 0))
                next = *d;
        if (!next)
            return;
        add(s, next);
        last = next;
    }
}

void volume_request_id(const VolumeRequest *q, char ret[static VOLUME_ID_SIZE]) {
    char hex[SHA256_HEX_SIZE], numbers[64];
    Sha256 s;

    sha256_init(&s);
    (void)snprintf(numbers, sizeof(numbers), "1 %d %d %d %d %d", q->format, q->raid_level,
                   q->encrypted, q->persistent, q->unlock_at_boot);
    add(&s, numbers);
    add(&s, q->fs_type);
    add(&s, q->mount_point);
    add(&s, q->label);
    add(&s, q->options);
    add_devices(&s, q->devices);
    sha256_final_hex(&s, hex);
    memcpy(ret, hex, VOLUME_ID_SIZE - 1);
    ret[VOLUME_ID_SIZE - 1] = 0;
}
