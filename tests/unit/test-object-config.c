/* SPDX-License-Identifier: Apache-2.0 */
/* Proves what rclone's environment is for each kind of place: endpoint, region and style of path,
 * the SAS made of an account key against a value computed elsewhere, a password as "rclone obscure"
 * writes it, keys of servers; and that nothing else is in it. */
#include <glib.h>

#include "dcm-object/rclone-config.h"

#define NOW 1796119200 /* 2026-12-01 10:00 UTC */
static const uint8_t nonce[] = "123456789012";

static void make(const char *quoted, RcloneConfig *ret) {
    g_autofree char *text = g_strdelimit(g_strdup(quoted), "'", '"');
    _cleanup_(place_done) Place p = {};
    g_autofree char *problem = NULL;

    g_assert_cmpint(place_parse(text, strlen(text), &p, &problem), ==, 0);
    g_assert_cmpint(rclone_config_make(&p, NOW, nonce, ret), ==, 0);
}

static const char *get(const RcloneConfig *c, const char *name) {
    g_autofree char *whole = g_strdup_printf("RCLONE_CONFIG_X_%s=", name);
    const char *found = NULL;

    for (size_t i = 0; i < c->n_env; i++) {
        g_assert_true(
            g_str_has_prefix(c->env[i], i == 0 ? "RCLONE_CONFIG=/dev/null" : "RCLONE_CONFIG_X_"));
        if (!g_str_has_prefix(c->env[i], whole))
            continue;
        g_assert_null(found);
        found = c->env[i] + strlen(whole);
    }
    return found;
}

#define S3 "{'provider':'s3','bucket':'b','key':'k','secret':'s'"

static void test_s3(void) {
    static const struct {
        const char *text, *provider, *endpoint, *region, *path_style, *constraint;
    } rows[] = {
        {S3 "}", "AWS", NULL, "us-east-1", "false", NULL},
        {S3 ",'region':'eu_west'}", "AWS", NULL, "eu-west-1", "false", "eu-west-1"},
        {S3 ",'region':'us-gov-west-1'}", "AWS", NULL, "us-gov-west-1", "false", "us-gov-west-1"},
        {S3 ",'endpoint':'https://s3.eu-central-1.amazonaws.com','region':'eu-central-1'}", "AWS",
         "https://s3.eu-central-1.amazonaws.com", "eu-central-1", "false", "eu-central-1"},
        {S3 ",'endpoint':'http://h:9000'}", "Other", "http://h:9000", "us-east-1", "true", NULL},
        {S3 ",'endpoint':'http://h:9000','region':'garage'}", "Other", "http://h:9000", "garage",
         "true", NULL},
        {"{'provider':'s3','bucket':'a.b','key':'k','secret':'s'}", "AWS", NULL, "us-east-1",
         "true", NULL},
        {"{'cloudId':9,'bucket':'b','key':'k','secret':'s'}", "Other",
         "https://storage.googleapis.com", "us-east-1", "true", NULL},
    };

    for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
        _cleanup_(rclone_config_done) RcloneConfig c = {};

        make(rows[i].text, &c);
        g_assert_cmpstr(get(&c, "TYPE"), ==, "s3");
        g_assert_cmpstr(get(&c, "PROVIDER"), ==, rows[i].provider);
        g_assert_cmpstr(get(&c, "ENDPOINT"), ==, rows[i].endpoint);
        g_assert_cmpstr(get(&c, "REGION"), ==, rows[i].region);
        g_assert_cmpstr(get(&c, "FORCE_PATH_STYLE"), ==, rows[i].path_style);
        g_assert_cmpstr(get(&c, "LOCATION_CONSTRAINT"), ==, rows[i].constraint);
        g_assert_cmpstr(get(&c, "ACCESS_KEY_ID"), ==, "k");
        g_assert_cmpstr(get(&c, "SECRET_ACCESS_KEY"), ==, "s");
        g_assert_null(c.trust);
    }
}

static void test_regions(void) {
    static const char *const rows[][2] = {
        {NULL, "us-east-1"},
        {"", "us-east-1"},
        {"default", "us-east-1"},
        {"us_west", "us-west-1"},
        {"eu_west", "eu-west-1"},
        {"us_west_oregon", "us-west-2"},
        {"ap_northeast", "ap-northeast-1"},
        {"ap_southeast", "ap-southeast-1"},
        {"eu-north-1", "eu-north-1"},
        {"r1", "us-east-1"},
        {"eu-west-1a", "us-east-1"},
        {"EU-west-1", "us-east-1"},
        {"e", "us-east-1"},
    };

    for (size_t i = 0; i < ELEMENTSOF(rows); i++)
        g_assert_cmpstr(amazon_region(rows[i][0]), ==, rows[i][1]);
}

#define KEY                                                                                        \
    "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2traw=="
#define QUERY                                                                                      \
    "sv=2019-12-12&ss=b&srt=sco&sp=rwdlac&st=2026-12-01T09:45:00Z&se=2026-12-03T10:00:00Z"         \
    "&sig=QmM%2F4wh6c1f1O6R61UqtGH6nXr695mWwjqcg3oHWfAo%3D"

static void test_azure(void) {
    static const struct {
        const char *text, *url;
    } rows[] = {
        {"{'cloudId':4,'bucket':'b','key':'acc','secret':'" KEY "'}",
         "https://acc.blob.core.windows.net/?" QUERY},
        {"{'cloudId':4,'bucket':'b','account':'acc','secret':'" KEY "','endpoint':'blob.h'}",
         "https://acc.blob.h/?" QUERY},
        {"{'cloudId':4,'bucket':'b','account':'acc','secret':'" KEY "','endpoint':"
         "'http://127.0.0.1:10000/acc/'}",
         "http://127.0.0.1:10000/acc/?" QUERY},
        {"{'cloudId':4,'bucket':'b','account':'acc','sas':'?sv=1&ss=b&sig=x'}",
         "https://acc.blob.core.windows.net/?sv=1&ss=b&sig=x"},
        {"{'cloudId':4,'bucket':'b','account':'acc','sas':'sv=1&sr=c&sig=x'}",
         "https://acc.blob.core.windows.net/b?sv=1&sr=c&sig=x"},
        {"{'cloudId':4,'bucket':'b','sas':'https://h/b?sig=x'}", "https://h/b?sig=x"},
    };

    for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
        _cleanup_(rclone_config_done) RcloneConfig c = {};

        make(rows[i].text, &c);
        g_assert_cmpstr(get(&c, "TYPE"), ==, "azureblob");
        g_assert_cmpstr(get(&c, "SAS_URL"), ==, rows[i].url);
        g_assert_cmpuint(c.n_env, ==, 3);
    }
}

static void test_azure_key(void) {
    const Place p = {.kind = PLACE_AZURE,
                     .bucket = (char *)(uintptr_t) "b",
                     .account = (char *)(uintptr_t) "acc",
                     .secret = (char *)(uintptr_t) "not base64!"};
    RcloneConfig c;

    g_assert_cmpint(rclone_config_make(&p, NOW, nonce, &c), ==, -EINVAL);
}

static void test_google(void) {
    _cleanup_(rclone_config_done) RcloneConfig c = {};

    make("{'cloudId':9,'bucket':'b','credentials':{'project_id':'p1','type':'service_account'},"
         "'region':'eu','endpoint':'http://h/storage/v1/'}",
         &c);
    g_assert_cmpstr(get(&c, "TYPE"), ==, "google cloud storage");
    g_assert_cmpstr(get(&c, "SERVICE_ACCOUNT_CREDENTIALS"), ==,
                    "{\"project_id\":\"p1\",\"type\":\"service_account\"}");
    g_assert_cmpstr(get(&c, "PROJECT_NUMBER"), ==, "p1");
    g_assert_cmpstr(get(&c, "LOCATION"), ==, "eu");
    g_assert_cmpstr(get(&c, "ENDPOINT"), ==, "http://h/storage/v1/");
}

static void test_swift(void) {
    _cleanup_(rclone_config_done) RcloneConfig c = {};

    make("{'cloudId':35,'bucket':'b','key':'u','secret':'s','endpoint':'https://h/v3',"
         "'account':'project','domain':'Default','region':'r','certificate':'PEM\\n'}",
         &c);
    g_assert_cmpstr(get(&c, "TYPE"), ==, "swift");
    g_assert_cmpstr(get(&c, "AUTH"), ==, "https://h/v3");
    g_assert_cmpstr(get(&c, "USER"), ==, "u");
    g_assert_cmpstr(get(&c, "KEY"), ==, "s");
    g_assert_cmpstr(get(&c, "TENANT"), ==, "project");
    g_assert_cmpstr(get(&c, "DOMAIN"), ==, "Default");
    g_assert_cmpstr(get(&c, "REGION"), ==, "r");
    g_assert_cmpstr(c.trust, ==, "PEM\n");
    g_assert_true(c.is_authority);
}

#define SFTP "{'provider':'sftp','bucket':'d','key':'u','hostKey':'ssh-ed25519 AAAA'"

static void test_sftp(void) {
    static const struct {
        const char *endpoint, *host, *port, *trust;
    } rows[] = {
        {"h", "h", "22", "h ssh-ed25519 AAAA\n"},
        {"h:22", "h", "22", "h ssh-ed25519 AAAA\n"},
        {"sftp://h:2222/", "h", "2222", "[h]:2222 ssh-ed25519 AAAA\n"},
        {"[::1]:2222", "::1", "2222", "[::1]:2222 ssh-ed25519 AAAA\n"},
    };

    for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
        _cleanup_(rclone_config_done) RcloneConfig c = {};
        g_autofree char *text = g_strdup_printf(
            SFTP ",'endpoint':'%s','secret':'pass word 1','privateKey':'a\\r\\nb\\n'}",
            rows[i].endpoint);

        make(text, &c);
        g_assert_cmpstr(get(&c, "TYPE"), ==, "sftp");
        g_assert_cmpstr(get(&c, "HOST"), ==, rows[i].host);
        g_assert_cmpstr(get(&c, "PORT"), ==, rows[i].port);
        g_assert_cmpstr(get(&c, "PASS"), ==, "MTIzNDU2Nzg5MDEyAAAAAhQF3wGlsc5A_H04");
        g_assert_cmpstr(get(&c, "KEY_PEM"), ==, "a\\nb\\n");
        g_assert_cmpstr(get(&c, "KNOWN_HOSTS_FILE"), ==, "/proc/self/fd/3");
        g_assert_cmpstr(c.trust, ==, rows[i].trust);
        g_assert_false(c.is_authority);
    }
}

static void test_host_keys(void) {
    _cleanup_(rclone_config_done) RcloneConfig c = {};

    make("{'provider':'sftp','bucket':'d','key':'u','secret':'s','endpoint':'h:2222',"
         "'hostKey':'ssh-ed25519 AAAA\\nssh-rsa BBBB\\r\\n'}",
         &c);
    g_assert_cmpstr(c.trust, ==, "[h]:2222 ssh-ed25519 AAAA\n[h]:2222 ssh-rsa BBBB\n");
}

static void test_webdav(void) {
    _cleanup_(rclone_config_done) RcloneConfig c = {};

    make("{'provider':'webdav','bucket':'a','endpoint':'https://h/dav','key':'u',"
         "'secret':'pass word 1'}",
         &c);
    g_assert_cmpstr(get(&c, "TYPE"), ==, "webdav");
    g_assert_cmpstr(get(&c, "URL"), ==, "https://h/dav");
    g_assert_cmpstr(get(&c, "USER"), ==, "u");
    g_assert_cmpstr(get(&c, "PASS"), ==, "MTIzNDU2Nzg5MDEyAAAAAhQF3wGlsc5A_H04");
}

static void test_paths(void) {
    static const char *const rows[][3] = {
        {"b", "o", "x:b/o"},    {"b", NULL, "x:b"}, {"/data/", "o", "x:/data/o"},
        {"/", "a/b", "x:/a/b"}, {"/", NULL, "x:/"}, {"a/b", "o:1", "x:a/b/o:1"},
    };

    for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
        const Place p = {.bucket = (char *)(uintptr_t)rows[i][0]};
        g_autofree char *path = NULL;

        g_assert_cmpint(rclone_path(&p, rows[i][1], &path), ==, 0);
        g_assert_cmpstr(path, ==, rows[i][2]);
    }
}

int main(int argc, char *argv[]) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/object-config/s3", test_s3);
    g_test_add_func("/object-config/regions", test_regions);
    g_test_add_func("/object-config/azure", test_azure);
    g_test_add_func("/object-config/azure-key", test_azure_key);
    g_test_add_func("/object-config/google", test_google);
    g_test_add_func("/object-config/swift", test_swift);
    g_test_add_func("/object-config/sftp", test_sftp);
    g_test_add_func("/object-config/host-keys", test_host_keys);
    g_test_add_func("/object-config/webdav", test_webdav);
    g_test_add_func("/object-config/paths", test_paths);
    return g_test_run();
}
