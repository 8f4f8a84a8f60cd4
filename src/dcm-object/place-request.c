/* SPDX-License-Identifier: Apache-2.0 */
/* The names differ between the commands, and the rules do as well; they are kept as the
 * Python agent had them. If a delegate is given, its cloud, endpoint, account and keys replace the
 * others, even those that it lacks. The region stays the request's. */
#include "dcm-object/place-request.h"

typedef struct Names {
    const char *cloud, *region, *endpoint, *account, *key, *secret;
} Names;

typedef struct Rules {
    const char *command;
    const char *bucket;
    Names primary, delegate, secondary, secondary_delegate; /* without cloud: there is none */
    bool has_default_region;
    bool is_delegate_by_presence; /* even an empty delegate counts */
} Rules;

static const Rules rules[_PLACE_REQUEST_MAX] = {
    [PLACE_REQUEST_INSTALL_DATA_SOURCE] =
        {
            .command = "install_data_source",
            .bucket = "imageDirectory",
            .primary = {"cloudId", "regionId", "apiEndpoint", "apiAccount", "apiAccessKey",
                        "apiSecretKey"},
            .delegate = {"storageDelegate", NULL, "storageEndpoint", "storageAccount",
                         "storagePublicKey", "storagePrivateKey"},
            .has_default_region = true,
            .is_delegate_by_presence = true,
        },
    [PLACE_REQUEST_BACKUP_DATA_SOURCE] =
        {
            .command = "backup_data_source",
            .bucket = "toBackupDirectory",
            .primary = {"primaryCloudId", "primaryRegionId", "apiEndpoint", "apiAccount",
                        "primaryApiKey", "primarySecretKey"},
            .delegate = {"storageDelegate", NULL, "storageEndpoint", "storageAccount",
                         "storageApiKey", "storageSecretKey"},
            .secondary = {"secondaryCloudId", "secondaryRegionId", "secondaryEndpoint",
                          "secondaryAccount", "secondaryApiKey", "secondarySecretKey"},
            .secondary_delegate = {"secondaryStorageDelegate", NULL, "secondaryStorageEndpoint",
                                   "secondaryStorageAccount", "secondaryStorageApiKey",
                                   "secondaryStorageSecretKey"},
            .has_default_region = true,
        },
    [PLACE_REQUEST_BACKUP_SERVICE] =
        {
            .command = "backup_service",
            .bucket = "toBackupDirectory",
            .primary = {"primaryCloudId", "primaryRegionId", "apiEndpoint", "apiAccount",
                        "primaryApiKey", "primarySecretKey"},
            .delegate = {"storageDelegate", NULL, "storageEndpoint", "storageAccount",
                         "storagePublicKey", "storagePrivateKey"},
            .secondary = {"secondaryCloudId", "secondaryRegionId", "secondaryApiEndpoint",
                          "secondaryApiAccount", "secondaryApiKey", "secondarySecretKey"},
            .secondary_delegate = {"secondaryStorageDelegate", NULL, "secondaryStorageEndpoint",
                                   "secondaryStorageAccount", "secondaryStoragePublicKey",
                                   "secondaryStoragePrivateKey"},
            .is_delegate_by_presence = true,
        },
    [PLACE_REQUEST_INSTALL_SERVICE] =
        {
            .command = "install_service",
            .bucket = "serviceImageDirectory",
            .primary = {"cloudId", "providerRegionId", "apiEndpoint", "apiAccount", "apiAccessKey",
                        "apiSecretKey"},
            .delegate = {"storageDelegate", NULL, "storageEndpoint", "storageAccount",
                         "storageAccessKey", "storageSecretKey"},
            .has_default_region = true,
        },
};

typedef struct Reader {
    const Rules *rules;
    struct json_object *arguments;
    const char *region;
    char **ret_problem;
} Reader;

PlaceRequest place_request_of(const char *command) {
    PlaceRequest request = 0;

    while (request < _PLACE_REQUEST_MAX && !streq(rules[request].command, command))
        request++;
    return request;
}

void request_places_done(RequestPlaces *p) {
    place_done(&p->primary);
    place_done(&p->secondary);
}

static bool has_delegate(const Reader *r, const char *name) {
    if (r->rules->is_delegate_by_presence)
        return json_object_object_get_ex(r->arguments, name, NULL);
    return !isempty(json_get_scalar(r->arguments, name));
}

static const Names *names_in_force(const Reader *r, const Names *own, const Names *delegate) {
    return has_delegate(r, delegate->cloud) ? delegate : own;
}

/* There is a second copy if a cloud is named for it, by its own id or by its delegate. */
static bool has_secondary(const Reader *r) {
    const Rules *rule = r->rules;

    return rule->secondary.cloud &&
           !isempty(json_get_scalar(
               r->arguments,
               names_in_force(r, &rule->secondary, &rule->secondary_delegate)->cloud));
}

/* A region of one cloud means nothing in another, or at an endpoint of its own. */
static const char *default_region(const Reader *r, const Place *p) {
    if (!r->rules->has_default_region)
        return NULL;
    if (r->region)
        return r->region;
    return !p->endpoint && streq_ptr(json_get_scalar(r->arguments, "serverCloud"), p->cloud)
               ? json_get_scalar(r->arguments, "serverRegion")
               : NULL;
}

/* An empty value counts as none. */
static int take(const Reader *r, const char *name, char **ret) {
    const char *value = name ? json_get_scalar(r->arguments, name) : NULL;

    return isempty(value) ? 0 : free_and_strdup(ret, value);
}

static int read_place(const Reader *r, const Names *own, const Names *delegate, Place *p) {
    const Names *names = names_in_force(r, own, delegate);

    TRY(take(r, names->cloud, &p->cloud));
    TRY(take(r, names->endpoint, &p->endpoint));
    TRY(take(r, names->account, &p->account));
    TRY(take(r, names->key, &p->key));
    TRY(take(r, names->secret, &p->secret));
    TRY(take(r, r->rules->bucket, &p->bucket));
    TRY(take(r, own->region, &p->region));
    if (!p->region)
        TRY(free_and_strdup(&p->region, default_region(r, p)));
    /* a request names a cloud by its number: the other providers are ours */
    p->kind = p->cloud && strspn(p->cloud, "0123456789") == strlen(p->cloud)
                  ? place_kind_of(p->cloud)
                  : PLACE_UNSUPPORTED;
    return place_check(p, r->ret_problem);
}

int places_of_request(PlaceRequest request, struct json_object *arguments, const char *region,
                      RequestPlaces *ret, char **ret_problem) {
    const Rules *rule = &rules[request];
    const Reader r = {rule, arguments, region, ret_problem};
    _cleanup_(request_places_done) RequestPlaces p = {};

    TRY(read_place(&r, &rule->primary, &rule->delegate, &p.primary));
    p.has_secondary = has_secondary(&r);
    if (p.has_secondary)
        TRY(read_place(&r, &rule->secondary, &rule->secondary_delegate, &p.secondary));
    *ret = p;
    p = (RequestPlaces){};
    return 0;
}
