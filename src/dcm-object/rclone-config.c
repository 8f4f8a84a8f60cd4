/* SPDX-License-Identifier: Apache-2.0 */
/* Names and meanings of the variables: rclone(1), "Config file" and the page of each backend. */
#include "dcm-object/rclone-config.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>

#include "basic/bounds.h"
#include "basic/strv.h"
#include "dcm-object/azure-sas.h"
#include "dcm-object/obscure.h"
#include "proto/url.h"

#define SSH_PORT 22

typedef struct Maker {
    const Place *place;
    int64_t now;
    const uint8_t *nonce;
    RcloneConfig *config;
} Maker;

static void clear_and_free(char *text) {
    if (text)
        explicit_bzero(text, strlen(text));
    free(text);
}

static void clear_and_freep(char **text) {
    clear_and_free(*text);
}

void rclone_config_done(RcloneConfig *c) {
    for (size_t i = 0; i < c->n_env; i++)
        explicit_bzero(c->env[i], strlen(c->env[i]));
    strv_free(c->env);
    free(c->trust);
    *c = (RcloneConfig){};
}

/* Without a value there is no variable. */
static int set(Maker *m, const char *name, const char *value) {
    char *text;

    if (isempty(value))
        return 0;
    if (asprintf(&text, "RCLONE_CONFIG_X_%s=%s", name, value) < 0)
        return -ENOMEM;
    return strv_push(&m->config->env, &m->config->n_env, text);
}

static int set_obscured(Maker *m, const char *name, const char *value) {
    _cleanup_free_ char *text = NULL;

    if (isempty(value))
        return 0;
    TRY(obscure(value, m->nonce, &text));
    return set(m, name, text);
}

static int trust_authority(Maker *m) {
    if (!m->place->certificate)
        return 0;
    m->config->is_authority = true;
    return free_and_strdup(&m->config->trust, m->place->certificate);
}

/* --- Amazon S3, and what speaks it ---------------------------------------------------------------
 */

const char *amazon_region(const char *region) {
    static const struct {
        const char *old, *name;
    } names[] = {
        {"us_west", "us-west-1"},           {"us_west_oregon", "us-west-2"},
        {"eu_west", "eu-west-1"},           {"ap_southeast", "ap-southeast-1"},
        {"ap_northeast", "ap-northeast-1"},
    };
    const char *p = strempty(region);

    for (size_t i = 0; i < ELEMENTSOF(names); i++)
        if (streq(names[i].old, p))
            return names[i].name;
    /* a name of Amazon's own: us-gov-west-1 */
    if (!islower((unsigned char)p[0]) || !islower((unsigned char)p[1]) || p[2] != '-' ||
        p[strspn(p, "abcdefghijklmnopqrstuvwxyz-0123456789")])
        return "us-east-1";
    return isdigit((unsigned char)p[strlen(p) - 1]) ? p : "us-east-1";
}

static bool is_amazon(const Place *p) {
    return !p->endpoint || strstr(p->endpoint, ".amazonaws.com");
}

static int make_s3(Maker *m, const char *endpoint) {
    const Place *p = m->place;
    const bool amazon = !endpoint;
    const char *region = amazon || isempty(p->region) ? amazon_region(p->region) : p->region;

    m->config->is_s3 = true;
    TRY(set(m, "TYPE", "s3"));
    TRY(set(m, "PROVIDER", amazon ? "AWS" : "Other"));
    TRY(set(m, "ENDPOINT", endpoint ?: is_amazon(p) ? p->endpoint : NULL));
    TRY(set(m, "REGION", region));
    /* names with a dot do not match Amazon's certificates as a part of the host's name */
    TRY(set(m, "FORCE_PATH_STYLE", amazon && !strchr(p->bucket, '.') ? "false" : "true"));
    if (amazon && !streq(region, "us-east-1"))
        TRY(set(m, "LOCATION_CONSTRAINT", region));
    TRY(set(m, "ACCESS_KEY_ID", p->key));
    TRY(set(m, "SECRET_ACCESS_KEY", p->secret));
    TRY(set(m, "SESSION_TOKEN", p->token));
    /* 10,000 parts: 156 GiB. Two parts at a time are in memory. */
    TRY(set(m, "CHUNK_SIZE", "16Mi"));
    TRY(set(m, "UPLOAD_CONCURRENCY", "2"));
    return trust_authority(m);
}

/* --- Azure ---------------------------------------------------------------------------------------
 */

static const char *azure_account(const Place *p) {
    return p->account ?: p->key;
}

/* The URL of the account, without a slash at the end. */
static int azure_url(const Place *p, char **ret) {
    const char *endpoint = p->endpoint ?: "blob.core.windows.net";
    char *url;

    if (strstr(endpoint, "://"))
        url = strdup(endpoint);
    else if (asprintf(&url, "https://%s.%s", strempty(azure_account(p)), endpoint) < 0)
        url = NULL;
    if (!url)
        return -ENOMEM;
    for (size_t n = strlen(url); n > 0 && url[n - 1] == '/'; n--)
        url[n - 1] = 0;
    *ret = url;
    return 0;
}

/* A SAS of a container counts for the container's URL alone. */
static int azure_join(const Place *p, const char *url, const char *query, char **ret) {
    const bool is_container = strstr(query, "sr=c") != NULL;

    query += *query == '?';
    return asprintf(ret, "%s/%s?%s", url, is_container ? p->bucket : "", query) < 0 ? -ENOMEM : 0;
}

/* rclone 1.60 takes an account key for https://ACCOUNT.ENDPOINT alone, but a SAS for any URL. */
static int make_azure(Maker *m) {
    _cleanup_(clear_and_freep) char *made = NULL, *whole = NULL;
    _cleanup_free_ char *url = NULL;
    const Place *p = m->place;
    const char *sas = p->sas;

    TRY(set(m, "TYPE", "azureblob"));
    TRY(trust_authority(m));
    if (sas && strstr(sas, "://"))
        return set(m, "SAS_URL", sas);
    TRY(azure_url(p, &url));
    if (!sas) {
        TRY(azure_sas_make(azure_account(p), p->secret, m->now, &made));
        sas = made;
    }
    TRY(azure_join(p, url, sas, &whole));
    return set(m, "SAS_URL", whole);
}

/* --- Google --------------------------------------------------------------------------------------
 */

/* Google wants the project in which a bucket is made. */
static int set_project(Maker *m, const char *credentials) {
    _cleanup_json_ struct json_object *o = NULL;

    if (json_parse_small(credentials, strlen(credentials), &o) < 0)
        return -EINVAL;
    return set(m, "PROJECT_NUMBER", json_get_string(o, "project_id"));
}

static int make_google(Maker *m) {
    const Place *p = m->place;
    const char *credentials = p->credentials ?: p->secret && *p->secret == '{' ? p->secret : NULL;

    if (!credentials)
        return make_s3(m, p->endpoint ?: "https://storage.googleapis.com");
    TRY(set(m, "TYPE", "google cloud storage"));
    TRY(set(m, "SERVICE_ACCOUNT_CREDENTIALS", credentials));
    TRY(set(m, "ENDPOINT", p->endpoint));
    TRY(set(m, "LOCATION", p->region));
    TRY(set(m, "BUCKET_POLICY_ONLY", "true")); /* no access lists of single objects */
    TRY(set_project(m, credentials));
    return trust_authority(m);
}

/* --- Swift, SFTP, WebDAV -------------------------------------------------------------------------
 */

static int make_swift(Maker *m) {
    const Place *p = m->place;

    TRY(set(m, "TYPE", "swift"));
    TRY(set(m, "AUTH", p->endpoint));
    TRY(set(m, "USER", p->key));
    TRY(set(m, "KEY", p->secret));
    TRY(set(m, "TENANT", p->account));
    TRY(set(m, "DOMAIN", p->domain));
    TRY(set(m, "TENANT_DOMAIN", p->domain));
    TRY(set(m, "REGION", p->region));
    return trust_authority(m);
}

/* rclone wants the lines of a key with \n between them. */
static int set_private_key(Maker *m) {
    _cleanup_(clear_and_freep) char *text = NULL;
    const char *pem = m->place->private_key;
    char *end;

    if (!pem)
        return 0;
    text = end = malloc(2 * strlen(pem) + 1);
    if (!text)
        return -ENOMEM;
    for (const char *c = pem; *c; c++)
        if (*c == '\n')
            end = stpcpy(end, "\\n");
        else if (*c != '\r')
            *end++ = *c;
    *end = 0;
    return set(m, "KEY_PEM", text);
}

static int add_known_host(Maker *m, const char *host, unsigned port, const char *key) {
    _cleanup_free_ char *before = TAKE_PTR(m->config->trust);
    int n;

    if (port == SSH_PORT)
        n = asprintf(&m->config->trust, "%s%s %s\n", strempty(before), host, key);
    else
        n = asprintf(&m->config->trust, "%s[%s]:%u %s\n", strempty(before), host, port, key);
    if (n >= 0)
        return 0;
    m->config->trust = NULL;
    return -ENOMEM;
}

/* The file's format: sshd(8), SSH_KNOWN_HOSTS. Each line of hostKey is a key of the server. */
static int make_known_hosts(Maker *m, const char *host, unsigned port) {
    _cleanup_free_ char *keys = strdup(m->place->host_key);
    char *next = keys, *key;

    if (!keys)
        return -ENOMEM;
    while ((key = strsep(&next, "\r\n")))
        if (*key)
            TRY(add_known_host(m, host, port, key));
    return 0;
}

static int make_sftp(Maker *m) {
    const char *endpoint = m->place->endpoint, *error;
    _cleanup_free_ char *host = NULL;
    uint16_t port = SSH_PORT;
    char number[8], path[32];

    if (strncasecmp(endpoint, "sftp://", 7) == 0)
        endpoint += 7;
    TRY(url_parse_authority(endpoint, strcspn(endpoint, "/"), &host, &port, &error));
    (void)snprintf(number, sizeof(number), "%u", (unsigned)port);
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", RCLONE_TRUST_FD);
    TRY(set(m, "TYPE", "sftp"));
    TRY(set(m, "HOST", host));
    TRY(set(m, "PORT", number));
    TRY(set(m, "USER", m->place->key));
    TRY(set_obscured(m, "PASS", m->place->secret));
    TRY(set_private_key(m));
    TRY(set(m, "KNOWN_HOSTS_FILE", path));
    TRY(set(m, "SHELL_TYPE", "none")); /* run no programs there */
    TRY(set(m, "CONCURRENCY", "16"));  /* requests of 32 KiB that are not answered yet */
    return make_known_hosts(m, host, port);
}

static int make_webdav(Maker *m) {
    TRY(set(m, "TYPE", "webdav"));
    TRY(set(m, "VENDOR", "other"));
    TRY(set(m, "URL", m->place->endpoint));
    TRY(set(m, "USER", m->place->key));
    TRY(set_obscured(m, "PASS", m->place->secret));
    return trust_authority(m);
}

static int make(Maker *m) {
    switch (m->place->kind) {
    case PLACE_S3:
        return make_s3(m, is_amazon(m->place) ? NULL : m->place->endpoint);
    case PLACE_AZURE:
        return make_azure(m);
    case PLACE_GOOGLE:
        return make_google(m);
    case PLACE_SWIFT:
        return make_swift(m);
    case PLACE_SFTP:
        return make_sftp(m);
    case PLACE_WEBDAV:
        return make_webdav(m);
    default:
        return -EINVAL;
    }
}

int rclone_config_make(const Place *p, int64_t now, const uint8_t nonce[static RCLONE_NONCE_SIZE],
                       RcloneConfig *ret) {
    _cleanup_(rclone_config_done) RcloneConfig c = {};
    Maker m = {.place = p, .now = now, .nonce = nonce, .config = &c};

    TRY(strv_push(&c.env, &c.n_env, strdup("RCLONE_CONFIG=/dev/null")));
    TRY(make(&m));
    *ret = c;
    c = (RcloneConfig){};
    return 0;
}

int rclone_path(const Place *p, const char *name, char **ret) {
    size_t size = strlen(p->bucket);

    while (size > 1 && p->bucket[size - 1] == '/')
        size--;
    if (asprintf(ret, "x:%.*s%s%s", (int)size, p->bucket,
                 name && p->bucket[size - 1] != '/' ? "/" : "", strempty(name)) < 0)
        return -ENOMEM;
    return 0;
}
