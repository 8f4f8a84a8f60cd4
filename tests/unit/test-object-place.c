/* SPDX-License-Identifier: Apache-2.0 */
/* Proves which places are accepted, that what is refused is told without a secret, which names an
 * object can have, and that a request's arguments name the places that they named to the Python
 * agent: clouds, delegates, second copies, regions. */
#include <glib.h>

#include "basic/bounds.h"
#include "dcm-object/place-request.h"

#define SECRET "hush-4711"

static int parse(const char *text, Place *p, char **problem) {
    return place_parse(text, strlen(text), p, problem);
}

static void test_accepted(void) {
    static const struct {
        const char *text;
        PlaceKind kind;
    } rows[] = {
        {"{'provider':'s3','bucket':'b','key':'k','secret':'s'}", PLACE_S3},
        {"{'provider':'s3','bucket':'b','key':'k','secret':'s','endpoint':'http://h:1'}", PLACE_S3},
        {"{'cloudId':1,'bucket':'b','key':'k','secret':'s','region':'eu_west'}", PLACE_S3},
        {"{'cloudId':'14','bucket':'b','key':'k','secret':'s','token':'t'}", PLACE_S3},
        {"{'cloudId':4,'bucket':'b','key':'account','secret':'a2V5'}", PLACE_AZURE},
        {"{'cloudId':4,'bucket':'b','account':'a','sas':'sv=1&sig=x'}", PLACE_AZURE},
        {"{'provider':'azure','bucket':'b','sas':'https://a/?sig=x'}", PLACE_AZURE},
        {"{'cloudId':9,'bucket':'b','key':'k','secret':'s'}", PLACE_GOOGLE},
        {"{'cloudId':9,'bucket':'b','credentials':{'type':'service_account'}}", PLACE_GOOGLE},
        {"{'cloudId':9,'bucket':'b','secret':'{}'}", PLACE_GOOGLE},
        {"{'cloudId':35,'bucket':'b','key':'k','secret':'s','endpoint':'https://h/v3'}",
         PLACE_SWIFT},
        {"{'provider':'sftp','bucket':'/data','key':'u','secret':'p','endpoint':'h:22',"
         "'hostKey':'ssh-ed25519 AAAA'}",
         PLACE_SFTP},
        {"{'provider':'sftp','bucket':'data','key':'u','privateKey':'a\\nb\\n','endpoint':'h',"
         "'hostKey':'ssh-ed25519 AAAA'}",
         PLACE_SFTP},
        {"{'provider':'webdav','bucket':'a/b','endpoint':'https://h/dav'}", PLACE_WEBDAV},
        {"{'provider':'directory','bucket':'/mnt/backup'}", PLACE_DIRECTORY},
    };

    for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
        g_autofree char *text = g_strdelimit(g_strdup(rows[i].text), "'", '"');
        _cleanup_(place_done) Place p = {};
        g_autofree char *problem = NULL;

        g_assert_cmpint(parse(text, &p, &problem), ==, 0);
        g_assert_null(problem);
        g_assert_cmpint(p.kind, ==, rows[i].kind);
    }
}

static void test_refused(void) {
    static const struct {
        const char *text, *problem;
        int error;
    } rows[] = {
        {"", "not JSON", -EINVAL},
        {"[]", "not a JSON object", -EINVAL},
        {"{}", "neither a provider nor the id", -EINVAL},
        {"{'cloudId':16,'bucket':'b'}", "cloud 16 is not supported", -EOPNOTSUPP},
        {"{'provider':'ftp','bucket':'b'}", "cloud ftp is not supported", -EOPNOTSUPP},
        {"{'provider':'s3','key':'k','secret':'" SECRET "'}", "names no bucket", -EINVAL},
        {"{'provider':'s3','bucket':'a/b','key':'k','secret':'" SECRET "'}", "no slash", -EINVAL},
        {"{'provider':'s3','bucket':'..','key':'k','secret':'" SECRET "'}", "no slash", -EINVAL},
        {"{'provider':'s3','bucket':'b','secret':'" SECRET "'}", "has no key", -EINVAL},
        {"{'provider':'s3','bucket':'b','key':'k'}", "has no secret", -EINVAL},
        {"{'provider':'s3','bucket':'b','key':'k','sekret':'" SECRET "'}", "unknown key sekret",
         -EINVAL},
        {"{'provider':'s3','bucket':'b','key':5,'secret':'" SECRET "'}", "key is not a text",
         -EINVAL},
        {"{'provider':'s3','bucket':'b','key':'a\\nb','secret':'" SECRET "'}",
         "key has control characters", -EINVAL},
        {"{'provider':'s3','bucket':'b','key':'k','secret':'s','endpoint':'ftp://h'}",
         "no plain http or https", -EINVAL},
        {"{'provider':'s3','bucket':'b','key':'k','secret':'s','endpoint':"
         "'https://u:" SECRET "@h'}",
         "no plain http or https", -EINVAL},
        {"{'cloudId':4,'bucket':'b','secret':'" SECRET "'}", "no account", -EINVAL},
        {"{'cloudId':4,'bucket':'b','account':'a'}", "neither an account key", -EINVAL},
        {"{'cloudId':9,'bucket':'b','key':'k'}", "neither the JSON", -EINVAL},
        {"{'cloudId':35,'bucket':'b','key':'k','secret':'s'}", "no endpoint", -EINVAL},
        {"{'provider':'sftp','bucket':'d','key':'u','secret':'" SECRET "','endpoint':'h'}",
         "no hostKey", -EINVAL},
        {"{'provider':'directory','bucket':'relative'}", "not the absolute path", -EINVAL},
        {"{'provider':'directory','bucket':'/a/../etc'}", "no plain path", -EINVAL},
    };

    for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
        g_autofree char *text = g_strdelimit(g_strdup(rows[i].text), "'", '"');
        _cleanup_(place_done) Place p = {};
        g_autofree char *problem = NULL;

        g_assert_cmpint(parse(text, &p, &problem), ==, rows[i].error);
        g_assert_nonnull(strstr(problem, rows[i].problem));
        g_assert_null(strstr(problem, SECRET));
    }
}

static void test_names(void) {
    g_autofree char *longest = g_strnfill(OBJECT_NAME_MAX, 'x');
    g_autofree char *longer = g_strnfill(OBJECT_NAME_MAX + 1, 'x');
    const char *good[] = {"a", "a/b", "a b", "...", ".a", "a-1.zip", "\xc3\xa4", "a?#%", longest};
    const char *bad[] = {"",   "/",   "/a",   "a/",     "a//b", ".",
                         "..", "a/.", "../a", "a/../b", "a\nb", "\xff"};

    for (size_t i = 0; i < ELEMENTSOF(good); i++)
        g_assert_true(object_name_is_valid(good[i]));
    for (size_t i = 0; i < ELEMENTSOF(bad); i++)
        g_assert_false(object_name_is_valid(bad[i]));
    g_assert_false(object_name_is_valid(longer));
    g_assert_false(object_name_is_valid(NULL));
}

static int of_request(PlaceRequest request, const char *quoted, const char *region,
                      RequestPlaces *ret, char **problem) {
    g_autofree char *text = g_strdelimit(g_strdup(quoted), "'", '"');
    _cleanup_json_ struct json_object *o = NULL;

    g_assert_cmpint(json_parse(text, strlen(text), &o), ==, 0);
    return places_of_request(request, o, region, ret, problem);
}

#define INSTALL PLACE_REQUEST_INSTALL_DATA_SOURCE
#define DATA PLACE_REQUEST_BACKUP_DATA_SOURCE
#define SERVICE PLACE_REQUEST_BACKUP_SERVICE
#define IMAGE PLACE_REQUEST_INSTALL_SERVICE

static void check_place(const Place *p, PlaceKind kind, const char *key, const char *secret,
                        const char *endpoint, const char *region) {
    g_assert_cmpint(p->kind, ==, kind);
    g_assert_cmpstr(p->bucket, ==, "b");
    g_assert_cmpstr(p->key, ==, key);
    g_assert_cmpstr(p->secret, ==, secret);
    g_assert_cmpstr(p->endpoint, ==, endpoint);
    g_assert_cmpstr(p->region, ==, region);
}

static void test_primary(void) {
    _cleanup_(request_places_done) RequestPlaces a = {}, b = {}, c = {};

    g_assert_cmpint(of_request(INSTALL,
                               "{'imageDirectory':'b','cloudId':'1','apiAccessKey':'k',"
                               "'apiSecretKey':'s','apiEndpoint':'https://h'}",
                               "eu_west", &a, NULL),
                    ==, 0);
    check_place(&a.primary, PLACE_S3, "k", "s", "https://h", "eu_west");
    g_assert_false(a.has_secondary);
    g_assert_cmpint(of_request(DATA,
                               "{'toBackupDirectory':'b','primaryCloudId':4,'primaryApiKey':'k',"
                               "'primarySecretKey':'s','primaryRegionId':'r'}",
                               "eu_west", &b, NULL),
                    ==, 0);
    check_place(&b.primary, PLACE_AZURE, "k", "s", NULL, "r");
    /* backup_service has no default region */
    g_assert_cmpint(of_request(SERVICE,
                               "{'toBackupDirectory':'b','primaryCloudId':'9','primaryApiKey':'k',"
                               "'primarySecretKey':'s'}",
                               "eu_west", &c, NULL),
                    ==, 0);
    check_place(&c.primary, PLACE_GOOGLE, "k", "s", NULL, NULL);
}

/* That of the server counts for its own cloud alone, and not at an endpoint of its own. */
static void test_region_of_the_server(void) {
    static const struct {
        PlaceRequest request;
        const char *more, *region;
    } rows[] = {
        {INSTALL, "'serverCloud':'1','serverRegion':'eu_west'", "eu_west"},
        {IMAGE, "'serverCloud':'1','serverRegion':'eu_west'", "eu_west"},
        {INSTALL, "'serverCloud':'1','serverRegion':'eu_west','regionId':'r'", "r"},
        {INSTALL, "'serverCloud':'14','serverRegion':'eu_west'", NULL},
        {INSTALL, "'serverCloud':null,'serverRegion':'eu_west'", NULL},
        {INSTALL, "'serverCloud':'1','serverRegion':null", NULL},
        {INSTALL, "'serverCloud':'1','serverRegion':'eu_west','apiEndpoint':'https://h'", NULL},
        {SERVICE, "'serverCloud':'1','serverRegion':'eu_west'", NULL},
    };

    for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
        _cleanup_(request_places_done) RequestPlaces a = {};
        _cleanup_free_ char *text = g_strdup_printf(
            "{'imageDirectory':'b','serviceImageDirectory':'b','toBackupDirectory':'b','cloudId':'"
            "1',"
            "'primaryCloudId':'1','apiAccessKey':'k','apiSecretKey':'s','primaryApiKey':'k',"
            "'primarySecretKey':'s',%s}",
            rows[i].more);

        g_assert_cmpint(of_request(rows[i].request, text, NULL, &a, NULL), ==, 0);
        g_assert_cmpstr(a.primary.region, ==, rows[i].region);
    }
}

static void test_delegate(void) {
    static const struct {
        PlaceRequest request;
        const char *text;
    } rows[] = {
        {INSTALL, "{'imageDirectory':'b','cloudId':1,'apiAccessKey':'k','apiSecretKey':'s',"
                  "'apiEndpoint':'https://other','regionId':'r','storageDelegate':'35',"
                  "'storageEndpoint':'https://d','storagePublicKey':'dk',"
                  "'storagePrivateKey':'ds'}"},
        {DATA, "{'toBackupDirectory':'b','primaryCloudId':1,'primaryApiKey':'k',"
               "'primarySecretKey':'s','apiEndpoint':'https://other','primaryRegionId':'r',"
               "'storageDelegate':'35','storageEndpoint':'https://d','storageApiKey':'dk',"
               "'storageSecretKey':'ds'}"},
        {SERVICE, "{'toBackupDirectory':'b','primaryCloudId':1,'primaryApiKey':'k',"
                  "'primarySecretKey':'s','apiEndpoint':'https://other','primaryRegionId':'r',"
                  "'storageDelegate':'35','storageEndpoint':'https://d','storagePublicKey':'dk',"
                  "'storagePrivateKey':'ds'}"},
        {IMAGE, "{'serviceImageDirectory':'b','cloudId':1,'apiAccessKey':'k','apiSecretKey':'s',"
                "'apiEndpoint':'https://other','providerRegionId':'r','storageDelegate':'35',"
                "'storageEndpoint':'https://d','storageAccessKey':'dk','storageSecretKey':'ds'}"},
    };

    for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
        _cleanup_(request_places_done) RequestPlaces p = {};

        g_assert_cmpint(of_request(rows[i].request, rows[i].text, NULL, &p, NULL), ==, 0);
        check_place(&p.primary, PLACE_SWIFT, "dk", "ds", "https://d", "r");
    }
}

static void test_service_image(void) {
    _cleanup_(request_places_done) RequestPlaces p = {};

    /* the delegate's truth counts, not its presence */
    g_assert_cmpint(of_request(IMAGE,
                               "{'serviceImageDirectory':'b','cloudId':'1','apiAccessKey':'k',"
                               "'apiSecretKey':'s','apiEndpoint':'https://h','storageDelegate':''}",
                               "eu_west", &p, NULL),
                    ==, 0);
    check_place(&p.primary, PLACE_S3, "k", "s", "https://h", "eu_west");
    g_assert_false(p.has_secondary);
}

static void test_commands(void) {
    g_assert_cmpint(place_request_of("install_service"), ==, IMAGE);
    g_assert_cmpint(place_request_of("install_data_source"), ==, INSTALL);
    g_assert_cmpint(place_request_of("backup_data_source"), ==, DATA);
    g_assert_cmpint(place_request_of("backup_service"), ==, SERVICE);
    g_assert_cmpint(place_request_of("install"), ==, _PLACE_REQUEST_MAX);
    g_assert_cmpint(place_request_of(""), ==, _PLACE_REQUEST_MAX);
}

/* An empty delegate replaces everything where its presence counts, and nothing elsewhere. */
static void test_empty_delegate(void) {
    _cleanup_(request_places_done) RequestPlaces p = {};
    g_autofree char *problem = NULL, *second = NULL;

    g_assert_cmpint(of_request(INSTALL,
                               "{'imageDirectory':'b','cloudId':1,'apiAccessKey':'k',"
                               "'apiSecretKey':'s','storageDelegate':''}",
                               NULL, &p, &problem),
                    ==, -EINVAL);
    g_assert_cmpint(of_request(DATA,
                               "{'toBackupDirectory':'b','primaryCloudId':1,'primaryApiKey':'k',"
                               "'primarySecretKey':'s','storageDelegate':''}",
                               NULL, &p, &second),
                    ==, 0);
    check_place(&p.primary, PLACE_S3, "k", "s", NULL, NULL);
}

/* Only numbers name a cloud: a request must not choose a directory of this machine. */
static void test_other_clouds(void) {
    static const char *const clouds[] = {"16", "2", "directory", "s3", "AWS", "1x"};

    for (size_t i = 0; i < ELEMENTSOF(clouds); i++) {
        _cleanup_(request_places_done) RequestPlaces p = {};
        g_autofree char *problem = NULL;
        g_autofree char *text =
            g_strdup_printf("{'imageDirectory':'/etc','cloudId':'%s','apiAccessKey':'k',"
                            "'apiSecretKey':'s'}",
                            clouds[i]);

        g_assert_cmpint(of_request(INSTALL, text, NULL, &p, &problem), ==, -EOPNOTSUPP);
        g_assert_nonnull(strstr(problem, "is not supported"));
    }
}

#define PRIMARY                                                                                    \
    "'toBackupDirectory':'b','primaryCloudId':1,'primaryApiKey':'k','primarySecretKey':'s'"

static void test_secondary(void) {
    _cleanup_(request_places_done) RequestPlaces a = {}, b = {}, c = {};

    g_assert_cmpint(of_request(DATA,
                               "{" PRIMARY ",'secondaryCloudId':'1','secondaryApiKey':'k2',"
                               "'secondarySecretKey':'s2','secondaryEndpoint':'https://two',"
                               "'secondaryApiEndpoint':'https://never-read'}",
                               "eu_west", &a, NULL),
                    ==, 0);
    g_assert_true(a.has_secondary);
    check_place(&a.secondary, PLACE_S3, "k2", "s2", "https://two", "eu_west");
    g_assert_cmpint(of_request(SERVICE,
                               "{" PRIMARY ",'secondaryCloudId':'1','secondaryApiKey':'k2',"
                               "'secondarySecretKey':'s2','secondaryRegionId':'r2',"
                               "'secondaryApiEndpoint':'https://two'}",
                               "eu_west", &b, NULL),
                    ==, 0);
    check_place(&b.secondary, PLACE_S3, "k2", "s2", "https://two", "r2");
    g_assert_cmpint(of_request(SERVICE,
                               "{" PRIMARY ",'secondaryStorageDelegate':'4',"
                               "'secondaryStoragePublicKey':'dk','secondaryStoragePrivateKey':"
                               "'ds','secondaryCloudId':'1','secondaryApiKey':'k2'}",
                               NULL, &c, NULL),
                    ==, 0);
    check_place(&c.secondary, PLACE_AZURE, "dk", "ds", NULL, NULL);
}

int main(int argc, char *argv[]) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/object-place/accepted", test_accepted);
    g_test_add_func("/object-place/refused", test_refused);
    g_test_add_func("/object-place/names", test_names);
    g_test_add_func("/object-place/request/primary", test_primary);
    g_test_add_func("/object-place/request/region-of-the-server", test_region_of_the_server);
    g_test_add_func("/object-place/request/delegate", test_delegate);
    g_test_add_func("/object-place/request/service-image", test_service_image);
    g_test_add_func("/object-place/request/commands", test_commands);
    g_test_add_func("/object-place/request/empty-delegate", test_empty_delegate);
    g_test_add_func("/object-place/request/other-clouds", test_other_clouds);
    g_test_add_func("/object-place/request/secondary", test_secondary);
    return g_test_run();
}
