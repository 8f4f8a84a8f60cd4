/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-cloud/provider.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <unistd.h>

#include "basic/bounds.h"
#include "basic/strv.h"
#include "dcm-cloud/http.h"
#include "dcm-cloud/lease.h"
#include "dcm-cloud/mdata.h"
#include "proto/json.h"

#define AMAZON_TOKEN_HEADER "X-aws-ec2-metadata-token: "
#define AZURE_QUERY "?api-version=2021-02-01&format=text"
#define HOST_NAME_SIZE 256
#define TOKEN_HEADER_SIZE (sizeof(AMAZON_TOKEN_HEADER) + CLOUD_VALUE_MAX)

typedef struct Path {
    const char *base, *path;
    const char *header, *answer_header;
} Path;

static const char *base_of(const Provider *p, const Question *q) {
    return q->metadata_url ?: p->base;
}

static int read_path(const Question *q, const Path *path, size_t size_max, char **ret,
                     size_t *ret_size) {
    _cleanup_free_ char *url = NULL;

    if (asprintf(&url, "%s%s", path->base, path->path) < 0)
        return -ENOMEM;
    return http_ask(
        &(const HttpRequest){
            .url = url,
            .headers = {path->header},
            .answer_header = path->answer_header,
            .size_max = size_max,
        },
        q->deadline_usec, ret, ret_size);
}

/* A copy of a text that is one line. */
static int take_line(const char *text, size_t size, char **ret) {
    _cleanup_free_ char *line = NULL;

    if (strlen(text) != size)
        return -EBADMSG;
    while (size > 0 && isspace((unsigned char)text[size - 1]))
        size--;
    line = strndup(text, size);
    if (!line)
        return -ENOMEM;
    if (!cloud_value_is_valid(line))
        return -EBADMSG;
    *ret = TAKE_PTR(line);
    return 0;
}

static int read_value(const Question *q, const Path *path, char **ret) {
    _cleanup_free_ char *text = NULL;
    size_t size = 0;
    int r;

    r = read_path(q, path, CLOUD_BODY_MAX, &text, &size);
    return r < 0 ? r : take_line(text, size, ret);
}

/* What is not there stays NULL. */
static int read_optional(const Question *q, const Path *path, char **ret) {
    int r = read_value(q, path, ret);

    return r == -ENOENT ? 0 : r;
}

static int read_address(const Question *q, const Path *path, int family, char ***ret) {
    _cleanup_free_ char *text = NULL;
    unsigned char raw[sizeof(struct in6_addr)];
    int r;

    r = read_optional(q, path, &text);
    if (r < 0 || !text)
        return r;
    if (inet_pton(family, text, raw) != 1)
        return -EBADMSG;
    *ret = calloc(2, sizeof(char *));
    if (!*ret)
        return -ENOMEM;
    (*ret)[0] = TAKE_PTR(text);
    return 0;
}

/* Letters, digits and what else there is in ids of any cloud: a web page is none. */
static int check_id(const char *id, const char *prefix) {
    if (strncmp(id, prefix, strlen(prefix)) != 0)
        return -EBADMSG;
    for (const char *c = id; *c; c++)
        if (!isalnum((unsigned char)*c) && !strchr("._-", *c))
            return -EBADMSG;
    return 0;
}

static int take_id(const char *text, size_t size, const char *prefix, char **ret) {
    _cleanup_free_ char *id = NULL;
    int r;

    r = take_line(text, size, &id);
    if (r >= 0)
        r = check_id(id, prefix);
    if (r >= 0)
        *ret = TAKE_PTR(id);
    return r;
}

static int read_id(const Question *q, const Path *path, const char *prefix, char **ret) {
    _cleanup_free_ char *text = NULL;
    size_t size = 0;
    int r;

    r = read_path(q, path, CLOUD_BODY_MAX, &text, &size);
    return r < 0 ? r : take_id(text, size, prefix, ret);
}

static int host_name(char ret[static HOST_NAME_SIZE]) {
    if (gethostname(ret, HOST_NAME_SIZE) < 0)
        return -errno;
    ret[HOST_NAME_SIZE - 1] = 0;
    ret[strcspn(ret, ".")] = 0;
    return 0;
}

/* --- Amazon: IMDSv2, else v1 -------------------------------------------------------------------
 */

/* Leaves `header` empty where there is no such token. */
static int amazon_token(const char *base, const Question *q,
                        char header[static TOKEN_HEADER_SIZE]) {
    _cleanup_free_ char *url = NULL, *token = NULL;
    int r;

    if (asprintf(&url, "%s/latest/api/token", base) < 0)
        return -ENOMEM;
    r = http_ask(
        &(const HttpRequest){
            .url = url,
            .method = "PUT",
            .headers = {"X-aws-ec2-metadata-token-ttl-seconds: 60"},
            .size_max = CLOUD_VALUE_MAX,
        },
        q->deadline_usec, &token, NULL);
    if (r >= 0 && cloud_value_is_valid(token))
        (void)snprintf(header, TOKEN_HEADER_SIZE, AMAZON_TOKEN_HEADER "%s", token);
    /* where nobody can be reached, the version makes no difference */
    return r == -ENOMEM || r == -ECONNREFUSED || r == -EHOSTUNREACH ? r : 0;
}

static int amazon_identify(const Provider *p, const Question *q, CloudIdentity *i) {
    const char *base = base_of(p, q);
    char header[TOKEN_HEADER_SIZE] = "";
    int r;

    r = amazon_token(base, q, header);
    if (r >= 0)
        r = read_id(q, &(Path){base, "/latest/meta-data/instance-id", header}, "i-",
                    &i->instance_id);
    if (r >= 0)
        r = read_optional(q, &(Path){base, "/latest/meta-data/es:dmcm-launch-id", header},
                          &i->injected_id);
    if (r >= 0)
        r = read_address(q, &(Path){base, "/latest/meta-data/local-ipv4", header}, AF_INET,
                         &i->ipv4);
    return r;
}

static int amazon_script(const Provider *p, const Question *q, char **ret, size_t *ret_size) {
    const char *base = base_of(p, q);
    char header[TOKEN_HEADER_SIZE] = "";
    int r;

    r = amazon_token(base, q, header);
    return r < 0 ? r
                 : read_path(q, &(Path){base, "/latest/user-data", header}, CLOUD_SCRIPT_MAX, ret,
                             ret_size);
}

/* --- Google ------------------------------------------------------------------------------------
 */

#define GOOGLE_MARK "Metadata-Flavor: Google" /* asked with, and answered with */

static int google_identify(const Provider *p, const Question *q, CloudIdentity *i) {
    const char *base = base_of(p, q);
    char name[HOST_NAME_SIZE] = "";
    _cleanup_free_ char *id = NULL;
    int r;

    r = host_name(name);
    if (r >= 0)
        r = read_id(q, &(Path){base, "/computeMetadata/v1/instance/id", GOOGLE_MARK, GOOGLE_MARK},
                    "", &id);
    if (r >= 0 && asprintf(&i->instance_id, "%s_%s", name, id) < 0) {
        i->instance_id = NULL;
        return -ENOMEM;
    }
    if (r >= 0)
        r = read_optional(q,
                          &(Path){base, "/computeMetadata/v1/instance/attributes/es-dmcm-launch-id",
                                  GOOGLE_MARK, GOOGLE_MARK},
                          &i->injected_id);
    return r;
}

static int google_script(const Provider *p, const Question *q, char **ret, size_t *ret_size) {
    return read_path(q,
                     &(Path){base_of(p, q),
                             "/computeMetadata/v1/instance/attributes/startup-script", GOOGLE_MARK,
                             GOOGLE_MARK},
                     CLOUD_SCRIPT_MAX, ret, ret_size);
}

/* --- DigitalOcean ------------------------------------------------------------------------------
 */

static int digital_ocean_identify(const Provider *p, const Question *q, CloudIdentity *i) {
    const char *base = base_of(p, q);
    int r;

    r = read_id(q, &(Path){base, "/metadata/v1/id"}, "", &i->instance_id);
    if (r >= 0)
        r = read_address(q, &(Path){base, "/metadata/v1/interfaces/public/0/ipv4/address"}, AF_INET,
                         &i->ipv4);
    if (r >= 0)
        r = read_address(q, &(Path){base, "/metadata/v1/interfaces/public/0/ipv6/address"},
                         AF_INET6, &i->ipv6);
    return r;
}

static int digital_ocean_script(const Provider *p, const Question *q, char **ret,
                                size_t *ret_size) {
    return read_path(q, &(Path){base_of(p, q), "/metadata/v1/user-data"}, CLOUD_SCRIPT_MAX, ret,
                     ret_size);
}

/* --- OpenStack ---------------------------------------------------------------------------------
 */

static int openstack_identify(const Provider *p, const Question *q, CloudIdentity *i) {
    _cleanup_json_ struct json_object *o = NULL;
    _cleanup_free_ char *text = NULL;
    const char *id;
    size_t size = 0;
    int r;

    r = read_path(q, &(Path){base_of(p, q), "/openstack/latest/meta_data.json"}, CLOUD_BODY_MAX,
                  &text, &size);
    if (r >= 0)
        r = json_parse_small(text, size, &o);
    if (r < 0)
        return r;
    id = json_get_string(o, "uuid");
    return id ? take_id(id, strlen(id), "", &i->instance_id) : -EBADMSG;
}

static int openstack_script(const Provider *p, const Question *q, char **ret, size_t *ret_size) {
    return read_path(q, &(Path){base_of(p, q), "/openstack/latest/user_data"}, CLOUD_SCRIPT_MAX,
                     ret, ret_size);
}

/* --- CloudStack: at the DHCP server --------------------------------------------------------------
 */

static int cloudstack_path(const Question *q, const char *path, size_t size_max, char **ret,
                           size_t *ret_size) {
    char server[INET_ADDRSTRLEN], base[sizeof("http://") + INET_ADDRSTRLEN];
    int r;

    if (q->metadata_url)
        return read_path(q, &(Path){q->metadata_url, path}, size_max, ret, ret_size);
    r = lease_find_server(q->root, server);
    if (r < 0)
        return r;
    (void)snprintf(base, sizeof(base), "http://%s", server);
    return read_path(q, &(Path){base, path}, size_max, ret, ret_size);
}

static int cloudstack_identify(const Provider *p, const Question *q, CloudIdentity *i) {
    _cleanup_free_ char *text = NULL;
    size_t size = 0;
    int r;

    r = cloudstack_path(q, "/latest/instance-id", CLOUD_BODY_MAX, &text, &size);
    return r < 0 ? r : take_id(text, size, "", &i->instance_id);
}

static int cloudstack_script(const Provider *p, const Question *q, char **ret, size_t *ret_size) {
    return cloudstack_path(q, "/latest/user-data", CLOUD_SCRIPT_MAX, ret, ret_size);
}

/* --- Azure -------------------------------------------------------------------------------------
 */

/* The id that managers know is made of the host name; the metadata service has a better one, which
 * is told beside it. */
static int azure_identify(const Provider *p, const Question *q, CloudIdentity *i) {
    _cleanup_free_ char *environment = NULL;
    char name[HOST_NAME_SIZE];
    int r;

    r = read_id(
        q, &(Path){base_of(p, q), "/metadata/instance/compute/vmId" AZURE_QUERY, "Metadata: true"},
        "", &i->vm_id);
    if (r < 0) {
        if (asprintf(&environment, "%s/var/lib/waagent/ovf-env.xml", q->root) < 0)
            return -ENOMEM;
        if (access(environment, F_OK) < 0)
            return r;
    }
    r = host_name(name);
    if (r < 0)
        return r;
    if (asprintf(&i->instance_id, "%s:%s:%s", name, name, name) < 0) {
        i->instance_id = NULL;
        return -ENOMEM;
    }
    return 0;
}

static int azure_script(const Provider *p, const Question *q, char **ret, size_t *ret_size) {
    return read_path(
        q,
        &(Path){base_of(p, q), "/metadata/instance/compute/userData" AZURE_QUERY, "Metadata: true"},
        CLOUD_SCRIPT_MAX, ret, ret_size);
}

/* --- Joyent ------------------------------------------------------------------------------------
 */

static int joyent_identify(const Provider *p, const Question *q, CloudIdentity *i) {
    _cleanup_free_ char *text = NULL;
    size_t size = 0;
    int r;

    r = mdata_get(q, "es:dmcm-launch-id", CLOUD_VALUE_MAX, &text, &size);
    if (r >= 0)
        r = take_line(text, size, &i->instance_id);
    return r < 0 ? r : free_and_strdup(&i->injected_id, i->instance_id);
}

static int joyent_script(const Provider *p, const Question *q, char **ret, size_t *ret_size) {
    return mdata_get(q, "user-script", CLOUD_SCRIPT_MAX, ret, ret_size);
}

/* --- Konami: from the environment --------------------------------------------------------------
 */

static int take_variable(const char *name, char **ret) {
    const char *value = getenv(name);

    if (isempty(value))
        return 0;
    return cloud_value_is_valid(value) ? free_and_strdup(ret, value) : -EBADMSG;
}

static int konami_identify(const Provider *p, const Question *q, CloudIdentity *i) {
    static const char *const names[] = {"DCM_KONAMI_PRIVATE_IP", "DCM_KONAMI_PUBLIC_IP"};
    struct in_addr raw;
    size_t n = 0;
    int r;

    r = take_variable("DCM_KONAMI_INSTANCE_ID", &i->instance_id);
    if (r >= 0)
        r = take_variable("DCM_KONAMI_INJECTED_ID", &i->injected_id);
    if (r < 0)
        return r;
    i->ipv4 = calloc(ELEMENTSOF(names) + 1, sizeof(char *));
    if (!i->ipv4)
        return -ENOMEM;
    for (size_t k = 0; k < ELEMENTSOF(names) && r >= 0; k++) {
        r = take_variable(names[k], &i->ipv4[n]);
        if (r >= 0 && i->ipv4[n] && inet_pton(AF_INET, i->ipv4[n], &raw) != 1)
            r = -EBADMSG;
        if (r >= 0)
            n += !!i->ipv4[n];
        else { /* the agent takes no answer with such a thing in it */
            free(i->ipv4[n]);
            i->ipv4[n] = NULL;
        }
    }
    if (n == 0) { /* those of the interfaces */
        strv_free(i->ipv4);
        i->ipv4 = NULL;
    }
    return r;
}

/* -----------------------------------------------------------------------------------------------
 */

#define LINK_LOCAL "http://169.254.169.254"

static const Provider table[] = {
    {"Joyent", NULL, joyent_identify, joyent_script},
    {"OpenStack", LINK_LOCAL, openstack_identify, openstack_script},
    {"CloudStack", NULL, cloudstack_identify, cloudstack_script},
    {"Amazon", LINK_LOCAL, amazon_identify, amazon_script},
    {"Google", LINK_LOCAL, google_identify, google_script},
    {"DigitalOcean", LINK_LOCAL, digital_ocean_identify, digital_ocean_script},
    {"Azure", LINK_LOCAL, azure_identify, azure_script},
    {"CloudStack3", NULL, cloudstack_identify, cloudstack_script},
    {"Konami", NULL, konami_identify, NULL},
};

#define N_PROBED 7

const Provider *providers(size_t *ret_n, size_t *ret_n_probed) {
    *ret_n = ELEMENTSOF(table);
    *ret_n_probed = N_PROBED;
    return table;
}

const Provider *provider_find(const char *type) {
    for (size_t i = 0; i < ELEMENTSOF(table); i++)
        if (streq(table[i].type, type))
            return &table[i];
    return NULL;
}

const char *provider_address(const Provider *p, const Question *q) {
    return strempty(base_of(p, q));
}
