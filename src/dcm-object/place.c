/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-object/place.h"

#include <stdio.h>

#include "basic/bounds.h"
#include "basic/utf8.h"

static const struct {
    const char *name;
    PlaceKind kind;
} kinds[] = {
    {"s3", PLACE_S3},
    {"azure", PLACE_AZURE},
    {"google", PLACE_GOOGLE},
    {"swift", PLACE_SWIFT},
    {"sftp", PLACE_SFTP},
    {"webdav", PLACE_WEBDAV},
    {"directory", PLACE_DIRECTORY},
    /* the ids of the clouds that the Python agent could store in */
    {"1", PLACE_S3},
    {"14", PLACE_S3},
    {"4", PLACE_AZURE},
    {"9", PLACE_GOOGLE},
    {"35", PLACE_SWIFT},
};

static const struct {
    const char *key;
    size_t offset;
    bool is_text; /* may have several lines */
} members[] = {
    {"endpoint", offsetof(Place, endpoint), false},
    {"region", offsetof(Place, region), false},
    {"account", offsetof(Place, account), false},
    {"domain", offsetof(Place, domain), false},
    {"bucket", offsetof(Place, bucket), false},
    {"key", offsetof(Place, key), false},
    {"secret", offsetof(Place, secret), true}, /* Google: may be the JSON of a service account */
    {"token", offsetof(Place, token), false},
    {"sas", offsetof(Place, sas), false},
    {"credentials", offsetof(Place, credentials), true},
    {"privateKey", offsetof(Place, private_key), true},
    {"hostKey", offsetof(Place, host_key), true},
    {"certificate", offsetof(Place, certificate), true},
};

static char **member_at(const Place *p, size_t offset) {
    return (char **)((char *)(uintptr_t)p + offset);
}

void place_done(Place *p) {
    for (size_t i = 0; i < ELEMENTSOF(members); i++) {
        char *value = *member_at(p, members[i].offset);

        if (value)
            explicit_bzero(value, strlen(value));
        free(value);
    }
    free(p->cloud);
    *p = (Place){};
}

PlaceKind place_kind_of(const char *cloud) {
    for (size_t i = 0; i < ELEMENTSOF(kinds); i++)
        if (streq(kinds[i].name, strempty(cloud)))
            return kinds[i].kind;
    return PLACE_UNSUPPORTED;
}

const char *place_kind_name(PlaceKind kind) {
    for (size_t i = 0; i < ELEMENTSOF(kinds); i++)
        if (kinds[i].kind == kind)
            return kinds[i].name;
    return "unsupported";
}

bool place_has_buckets(const Place *p) {
    return p->kind >= PLACE_S3 && p->kind <= PLACE_SWIFT;
}

static bool is_plain(const char *text, bool is_text) {
    const size_t size = strlen(text);
    uint32_t c;

    for (size_t i = 0, n; i < size; i += n) {
        n = utf8_decode(text + i, size - i, &c);
        if (n == 0)
            return false;
        if ((c < ' ' && !(is_text && (c == '\n' || c == '\r' || c == '\t'))) || c == 0x7f)
            return false;
    }
    return true;
}

static bool parts_are_valid(const char *name) {
    for (const char *p = name;; p++) {
        const size_t size = strcspn(p, "/");

        if (size == 0 || (size <= 2 && strspn(p, ".") >= size))
            return false;
        p += size;
        if (!*p)
            return true;
    }
}

bool object_name_is_valid(const char *name) {
    return name && strlen(name) <= OBJECT_NAME_MAX && is_plain(name, false) &&
           parts_are_valid(name);
}

static int problem(char **ret, const char *text) {
    *ret = strdup(text);
    return *ret ? -EINVAL : -ENOMEM;
}

static int problem_of(char **ret, const char *key, const char *text) {
    return asprintf(ret, "The place's %s %s", key, text) < 0 ? -ENOMEM : -EINVAL;
}

static int check_unsupported(const Place *p, char **ret) {
    if (isempty(p->cloud))
        return problem(ret, "The place names neither a provider nor the id of a cloud");
    if (asprintf(ret,
                 "The object storage of the cloud %.*s is not supported; supported are the clouds "
                 "1 and 14 (Amazon S3), 4 (Azure), 9 (Google), 35 (OpenStack Swift), and the "
                 "providers s3, azure, google, swift, sftp, webdav and directory",
                 UTF8_SHORT(p->cloud, 64)) < 0)
        return -ENOMEM;
    return -EOPNOTSUPP;
}

static bool is_url(const char *s) {
    return s && (strncasecmp(s, "http://", 7) == 0 || strncasecmp(s, "https://", 8) == 0) &&
           !strpbrk(s, " \"<>\\^`{|}@?#");
}

static int check_bucket(const Place *p, char **ret) {
    const char *rest = p->bucket;

    if (isempty(p->bucket))
        return problem(ret, "The place names no bucket");
    if (place_has_buckets(p))
        return strchr(p->bucket, '/') || !object_name_is_valid(p->bucket)
                   ? problem(ret, "The place's bucket is no name of a bucket: it has no slash")
                   : 0;
    if (p->kind == PLACE_DIRECTORY && *p->bucket != '/')
        return problem(ret, "The place's bucket is not the absolute path of a directory");
    rest += strspn(rest, "/");
    return *rest && !object_name_is_valid(rest)
               ? problem(ret, "The place's bucket is no plain path of a directory")
               : 0;
}

static int need_keys(const Place *p, char **ret) {
    if (isempty(p->key))
        return problem(ret, "The place has no key (key: user name or access key)");
    return isempty(p->secret) ? problem(ret, "The place has no secret (secret: password or "
                                             "secret key)")
                              : 0;
}

static int check_azure(const Place *p, char **ret) {
    if (p->sas)
        return p->account || p->key || p->endpoint || is_url(p->endpoint) ||
                       strncasecmp(p->sas, "https://", 8) == 0 ||
                       strncasecmp(p->sas, "http://", 7) == 0
                   ? 0
                   : problem(ret, "The place has no account, which its SAS is for");
    if (isempty(p->key) && isempty(p->account))
        return problem(ret, "The place has no account");
    return isempty(p->secret) ? problem(ret, "The place has neither an account key (secret) nor a "
                                             "SAS (sas)")
                              : 0;
}

static int check_google(const Place *p, char **ret) {
    if (p->credentials || (p->secret && *p->secret == '{'))
        return 0;
    if (!isempty(p->key) && !isempty(p->secret))
        return 0;
    return problem(ret, "The place has neither the JSON of a service account (credentials) nor "
                        "interoperability keys (key and secret)");
}

static int check_sftp(const Place *p, char **ret) {
    if (isempty(p->endpoint))
        return problem(ret, "The place has no endpoint: host, or host:port");
    if (isempty(p->key))
        return problem(ret, "The place has no user name (key)");
    if (isempty(p->secret) && isempty(p->private_key))
        return problem(ret, "The place has neither a password (secret) nor a privateKey");
    if (isempty(p->host_key) || !strchr(p->host_key, ' '))
        return problem(ret, "The place has no hostKey: the keys of the server, a line for each, as "
                            "ssh-keyscan prints them behind the server's name, for instance "
                            "\"ssh-ed25519 AAAA...\"");
    return 0;
}

static int check_url(const Place *p, bool needed, char **ret) {
    if (isempty(p->endpoint))
        return needed ? problem(ret, "The place has no endpoint: the URL of the server") : 0;
    return is_url(p->endpoint) ? 0
                               : problem(ret, "The place's endpoint is no plain http or https "
                                              "URL: no user, no password, no query");
}

static int check_kind(const Place *p, char **ret) {
    switch (p->kind) {
    case PLACE_S3:
        TRY(check_url(p, false, ret));
        return need_keys(p, ret);
    case PLACE_AZURE:
        return check_azure(p, ret);
    case PLACE_GOOGLE:
        TRY(check_url(p, false, ret));
        return check_google(p, ret);
    case PLACE_SWIFT:
        TRY(check_url(p, true, ret));
        return need_keys(p, ret);
    case PLACE_SFTP:
        return check_sftp(p, ret);
    case PLACE_WEBDAV:
        return check_url(p, true, ret);
    case PLACE_DIRECTORY:
        return 0;
    default:
        return check_unsupported(p, ret);
    }
}

int place_check(const Place *p, char **ret_problem) {
    for (size_t i = 0; i < ELEMENTSOF(members); i++) {
        const char *value = *member_at(p, members[i].offset);

        if (value && strlen(value) > PLACE_VALUE_MAX)
            return problem_of(ret_problem, members[i].key, "is too long");
        if (value && !is_plain(value, members[i].is_text))
            return problem_of(ret_problem, members[i].key, "has control characters");
    }
    TRY(check_kind(p, ret_problem));
    return check_bucket(p, ret_problem);
}

static bool is_member(const char *key) {
    if (streq(key, "provider") || streq(key, "cloudId"))
        return true;
    for (size_t i = 0; i < ELEMENTSOF(members); i++)
        if (streq(members[i].key, key))
            return true;
    return false;
}

/* The JSON of a service account may stand there as an object. */
static const char *member_text(struct json_object *o, const char *key) {
    struct json_object *value = json_get(o, key);

    if (value && streq(key, "credentials") && json_object_is_type(value, json_type_object))
        return json_to_text(value, NULL);
    return value && json_object_is_type(value, json_type_string) ? json_get_string(o, key) : NULL;
}

static int read_members(struct json_object *o, Place *p, char **ret_problem) {
    for (size_t i = 0; i < ELEMENTSOF(members); i++) {
        struct json_object *value = json_get(o, members[i].key);
        const char *text = member_text(o, members[i].key);

        if (!value)
            continue;
        if (!text)
            return problem_of(ret_problem, members[i].key, "is not a text");
        if (*text)
            TRY(free_and_strdup(member_at(p, members[i].offset), text));
    }
    return 0;
}

static int read_place(struct json_object *o, Place *p, char **ret_problem) {
    const char *cloud;

    if (!json_object_is_type(o, json_type_object))
        return problem(ret_problem, "The place is not a JSON object");
    json_object_object_foreach(o, key, value) {
        (void)value;
        if (!is_member(key))
            return asprintf(ret_problem, "The place has an unknown key %.*s", UTF8_SHORT(key, 64)) <
                           0
                       ? -ENOMEM
                       : -EINVAL;
    }
    cloud = json_get_string(o, "provider") ?: json_get_scalar(o, "cloudId");
    TRY(free_and_strdup(&p->cloud, strempty(cloud)));
    p->kind = place_kind_of(cloud);
    TRY(read_members(o, p, ret_problem));
    return place_check(p, ret_problem);
}

int place_from_json(struct json_object *o, Place *ret, char **ret_problem) {
    _cleanup_(place_done) Place p = {};

    TRY(read_place(o, &p, ret_problem));
    *ret = p;
    p = (Place){};
    return 0;
}

int place_parse(const char *text, size_t size, Place *ret, char **ret_problem) {
    _cleanup_json_ struct json_object *o = NULL;

    if (json_parse_small(text, size, &o) < 0)
        return problem(ret_problem, "The place is not JSON");
    return place_from_json(o, ret, ret_problem);
}

int place_to_json(const Place *p, struct json_object **ret) {
    _cleanup_json_ struct json_object *o = json_object_new_object();
    const bool is_number = *strempty(p->cloud) >= '0' && *strempty(p->cloud) <= '9';

    if (!o)
        return -ENOMEM;
    TRY(json_add_string(o, is_number ? "cloudId" : "provider", strempty(p->cloud)));
    for (size_t i = 0; i < ELEMENTSOF(members); i++) {
        const char *value = *member_at(p, members[i].offset);

        if (value)
            TRY(json_add_string(o, members[i].key, value));
    }
    *ret = TAKE_PTR(o);
    return 0;
}
