/* SPDX-License-Identifier: Apache-2.0 */
#include "commands/server-commands.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>

#include "basic/bounds.h"
#include "basic/file-util.h"
#include "basic/guid.h"
#include "basic/memfd-util.h"
#include "commands/facts.h"
#include "job/fetch.h"
#include "proto/message.h"
#include "proto/name.h"
#include "store/user-row.h"
#include "system/addresses.h"

#define CUSTOMER_ID_MAX 999999999
#define UPGRADE_PATIENCE_USEC (30 * USEC_PER_SEC)

/* *ret_error: why the arguments make no job. */
static int refuse(char **ret_error, const char *text) {
    *ret_error = strdup(text);
    return *ret_error ? -EINVAL : -ENOMEM;
}

/* Takes a copy of each text; NULL is an empty one. */
static int make_list(const char *const *texts, size_t n, JobSpec *ret) {
    ret->list = calloc(n + 1, sizeof(char *));
    ret->arguments = ret->list;
    for (size_t i = 0; ret->list && i < n; i++) {
        ret->list[i] = strdup(strempty(texts[i]));
        if (!ret->list[i])
            return -ENOMEM;
    }
    return ret->list ? 0 : -ENOMEM;
}

/* On an error the specification is freed. */
static int finish(int r, JobSpec *spec, const Command *c, JobSpec *ret) {
    if (r < 0) {
        job_spec_done(spec);
        return r;
    }
    spec->command = c->name;
    *ret = *spec;
    return 0;
}

static int read_addresses(const CommandContext *context, Addresses *ret) {
    char connection[INET6_ADDRSTRLEN] = "";

    if (context->facts && context->facts->connection)
        connection_get_local_address(context->facts->connection, connection);
    return addresses_read(connection, ret);
}

/* NULL: there is none. */
static int get_first_ipv4(const CommandContext *context, char **ret) {
    _cleanup_(addresses_done) Addresses a = {};
    int r;

    r = read_addresses(context, &a);
    if (r < 0)
        return r;
    *ret = NULL;
    return a.ipv4[0] ? free_and_strdup(ret, a.ipv4[0]) : 0;
}

/* users */

enum {
    ADD_USER_USER_ID,
    ADD_USER_FIRST_NAME,
    ADD_USER_LAST_NAME,
    ADD_USER_AUTHENTICATION,
    ADD_USER_ADMINISTRATOR,
};

const Argument add_user_arguments[ELEMENTSOF(add_user_arguments)] = {
    [ADD_USER_USER_ID] = {"userId", ARGUMENT_STRING, true, .help = "login name"},
    [ADD_USER_FIRST_NAME] = {"firstName", ARGUMENT_STRING, false, .help = "first name"},
    [ADD_USER_LAST_NAME] = {"lastName", ARGUMENT_STRING, false, .help = "last name"},
    [ADD_USER_AUTHENTICATION] = {"authentication", ARGUMENT_STRING, false, .secret = true,
                                 .help = "public key for SSH, one line"},
    [ADD_USER_ADMINISTRATOR] = {"administrator", ARGUMENT_BOOL, false,
                                .help = "may do everything by sudo"},
};

static int add_key(const ArgumentValue *key, JobSpec *ret) {
    if (!key->is_set || key->size == 0)
        return 0;
    ret->secrets = calloc(1, sizeof(JobSecret));
    if (!ret->secrets)
        return -ENOMEM;
    ret->secrets[0].name = "authentication";
    ret->n_secrets = 1;
    return memfd_new_sealed("authentication", key->string, key->size, &ret->secrets[0].fd);
}

int add_user_prepare(const Command *c, const CommandContext *context, const ArgumentValue *values,
                     JobSpec *ret, char **ret_error) {
    const char *user = values[ADD_USER_USER_ID].string;
    const char *const texts[] = {
        user,
        user,
        values[ADD_USER_FIRST_NAME].string,
        values[ADD_USER_LAST_NAME].string,
        values[ADD_USER_ADMINISTRATOR].boolean ? "true" : "false",
        NULL, /* the executor puts the path of the key here */
    };
    JobSpec spec = JOB_SPEC_INIT;
    int r;

    if (!user_name_is_valid(user))
        return refuse(ret_error, "The argument 'userId' is no name of a user");
    r = make_list(texts, ELEMENTSOF(texts), &spec);
    if (r >= 0)
        r = add_key(&values[ADD_USER_AUTHENTICATION], &spec);
    return finish(r, &spec, c, ret);
}

int add_user_done(const ArgumentValue *values, Effect *ret) {
    ret->user_is_there = true;
    ret->is_administrator = values[ADD_USER_ADMINISTRATOR].boolean;
    return free_and_strdup(&ret->user, values[ADD_USER_USER_ID].string);
}

enum { REMOVE_USER_USER_ID, REMOVE_USER_FORCE };

const Argument remove_user_arguments[ELEMENTSOF(remove_user_arguments)] = {
    [REMOVE_USER_USER_ID] = {"userId", ARGUMENT_STRING, true, .help = "login name"},
    [REMOVE_USER_FORCE] = {"force", ARGUMENT_BOOL, false,
                           .help = "also one that the agent did not make"},
};

int remove_user_prepare(const Command *c, const CommandContext *context,
                        const ArgumentValue *values, JobSpec *ret, char **ret_error) {
    const char *user = values[REMOVE_USER_USER_ID].string;
    const char *texts[] = {user, "foreign", values[REMOVE_USER_FORCE].boolean ? "force" : ""};
    JobSpec spec = JOB_SPEC_INIT;
    int r;

    if (!user_name_is_valid(user))
        return refuse(ret_error, "The argument 'userId' is no name of a user");
    r = store_has_user(context->store, user);
    if (r > 0)
        texts[1] = "ours";
    if (r >= 0)
        r = make_list(texts, ELEMENTSOF(texts), &spec);
    return finish(r, &spec, c, ret);
}

int remove_user_done(const ArgumentValue *values, Effect *ret) {
    ret->user_is_there = false;
    return free_and_strdup(&ret->user, values[REMOVE_USER_USER_ID].string);
}

/* names */

const Argument rename_arguments[ELEMENTSOF(rename_arguments)] = {
    {"serverName", ARGUMENT_STRING, true, .help = "host name; other characters are left out"},
};

/* The name and the first address, as the scripts want them. */
static int get_identity(const CommandContext *context, const ArgumentValue *name, char **ret_name,
                        char **ret_address, char **ret_error) {
    int r;

    r = host_name_make(name->string, ret_name);
    if (r == -EINVAL)
        return refuse(ret_error, "The argument 'serverName' leaves no host name");
    if (r >= 0)
        r = get_first_ipv4(context, ret_address);
    if (r >= 0 && !*ret_address)
        return refuse(ret_error, "This server has no IPv4 address");
    return r;
}

int rename_prepare(const Command *c, const CommandContext *context, const ArgumentValue *values,
                   JobSpec *ret, char **ret_error) {
    _cleanup_free_ char *name = NULL, *address = NULL;
    JobSpec spec = JOB_SPEC_INIT;
    int r;

    r = get_identity(context, &values[0], &name, &address, ret_error);
    if (r < 0)
        return r;
    r = make_list((const char *const[]){name, address}, 2, &spec);
    return finish(r, &spec, c, ret);
}

enum {
    INITIALIZE_CLOUD_ID,
    INITIALIZE_CUSTOMER_ID,
    INITIALIZE_REGION_ID,
    INITIALIZE_ZONE_ID,
    INITIALIZE_SERVER_ID,
    INITIALIZE_SERVER_NAME,
    INITIALIZE_ENCRYPTED_EPHEMERAL_FS_KEY,
};

const Argument initialize_arguments[ELEMENTSOF(initialize_arguments)] = {
    [INITIALIZE_CLOUD_ID] = {"cloudId", ARGUMENT_STRING, true, .nullable = true,
                             .help = "not used"},
    [INITIALIZE_CUSTOMER_ID] = {"customerId", ARGUMENT_INTEGER, true,
                                .help = "number of the customer, whose user is made"},
    [INITIALIZE_REGION_ID] = {"regionId", ARGUMENT_STRING, true, .nullable = true,
                              .help = "not used"},
    [INITIALIZE_ZONE_ID] = {"zoneId", ARGUMENT_STRING, true, .nullable = true, .help = "not used"},
    [INITIALIZE_SERVER_ID] = {"serverId", ARGUMENT_STRING, true, .nullable = true,
                              .help = "not used"},
    [INITIALIZE_SERVER_NAME] = {"serverName", ARGUMENT_STRING, true, .help = "as of rename"},
    [INITIALIZE_ENCRYPTED_EPHEMERAL_FS_KEY] = {"encryptedEphemeralFsKey", ARGUMENT_BASE64, true,
                                               .secret = true, .nullable = true,
                                               .help = "not used"},
};

static int make_customer_user(const ArgumentValue *customer, char **ret) {
    if (customer->integer < 0 || customer->integer > CUSTOMER_ID_MAX)
        return -EINVAL;
    return asprintf(ret, "c%03" PRId64, customer->integer) < 0 ? -ENOMEM : 0;
}

int initialize_prepare(const Command *c, const CommandContext *context, const ArgumentValue *values,
                       JobSpec *ret, char **ret_error) {
    _cleanup_free_ char *name = NULL, *address = NULL, *user = NULL;
    JobSpec spec = JOB_SPEC_INIT;
    int r;

    r = make_customer_user(&values[INITIALIZE_CUSTOMER_ID], &user);
    if (r == -EINVAL)
        return refuse(ret_error, "The argument 'customerId' is no customer's number");
    if (r >= 0)
        r = get_identity(context, &values[INITIALIZE_SERVER_NAME], &name, &address, ret_error);
    if (r < 0)
        return r;
    r = make_list((const char *const[]){name, address, user}, 3, &spec);
    return finish(r, &spec, c, ret);
}

int initialize_done(const ArgumentValue *values, Effect *ret) {
    ret->initialized = ret->user_is_there = true;
    return make_customer_user(&values[INITIALIZE_CUSTOMER_ID], &ret->user);
}

/* RFC 1918 */
static bool is_private(const char *ipv4) {
    static const struct {
        uint32_t network, mask;
    } blocks[] = {{0x0a000000, 0xff000000}, {0xac100000, 0xfff00000}, {0xc0a80000, 0xffff0000}};
    struct in_addr a;

    if (inet_pton(AF_INET, ipv4, &a) != 1)
        return false;
    for (size_t i = 0; i < ELEMENTSOF(blocks); i++)
        if ((ntohl(a.s_addr) & blocks[i].mask) == blocks[i].network)
            return true;
    return false;
}

int get_private_ip_address_run(const CommandContext *context, const ArgumentValue *values,
                               struct json_object **ret_reply, CommandRun **ret_run) {
    _cleanup_(addresses_done) Addresses a = {};
    const char *found;
    int r;

    r = read_addresses(context, &a);
    if (r < 0)
        return r;
    found = a.ipv4[0];
    for (size_t i = 0; i < a.n_usual_ipv4; i++)
        if (is_private(a.ipv4[i])) {
            found = a.ipv4[i];
            break;
        }
    if (!found)
        return reply_new_error("This server has no IPv4 address", ret_reply);
    return reply_new(0, "string", json_object_new_string(found), NULL, NULL, ret_reply);
}

/* the end */

/* another version */

enum { UPGRADE_NEW_VERSION, UPGRADE_URL, UPGRADE_ARGS, UPGRADE_CHECKSUM, UPGRADE_SSL_CERT };

const Argument upgrade_arguments[ELEMENTSOF(upgrade_arguments)] = {
    [UPGRADE_NEW_VERSION] = {"newVersion", ARGUMENT_STRING, true, .help = "told to the script"},
    [UPGRADE_URL] = {"url", ARGUMENT_STRING, true,
                     .help = "where the script is: https, file, or http with a checksum"},
    [UPGRADE_ARGS] = {"args", ARGUMENT_LIST, true, .help = "further arguments of the script"},
    [UPGRADE_CHECKSUM] = {"checksum", ARGUMENT_STRING, false,
                          .help = "SHA-256 of the script, in hex"},
    [UPGRADE_SSL_CERT] = {"ssl_cert", ARGUMENT_STRING, false,
                          .help = "PEM: the only certificates that are trusted"},
};

/* For root's eyes: the job's. It is made anew for each attempt, and goes with the next boot. */
static int write_options(const CommandContext *context, char **ret_path) {
    _cleanup_free_ char *text = NULL, *path = NULL;
    char name[JOB_NAME_SIZE];
    int r;

    if (!context->facts || !context->facts->runtime_directory)
        return free_and_strdup(ret_path, "/dev/null");
    guid_to_job_name(context->guid, name);
    if (asprintf(&path, "%s/options-%s.conf", context->facts->runtime_directory, name) < 0)
        return -ENOMEM;
    r = context->facts->render_config(&text, context->facts->userdata);
    if (r >= 0)
        r = write_file_atomic(path, text, strlen(text), 0600);
    if (r >= 0)
        *ret_path = TAKE_PTR(path);
    return r;
}

static int make_upgrade_list(const CommandContext *context, const ArgumentValue *values,
                             JobSpec *ret) {
    _cleanup_free_ char *options = NULL;
    char *const *args = values[UPGRADE_ARGS].list;
    const char *texts[JOB_ARGUMENTS_MAX + 3];
    size_t n = 0;
    int r;

    r = write_options(context, &options);
    if (r < 0)
        return r;
    texts[n++] = values[UPGRADE_NEW_VERSION].string;
    texts[n++] = PROJECT_VERSION;
    texts[n++] = options;
    for (; args && *args; args++)
        texts[n++] = *args;
    return make_list(texts, n, ret);
}

int upgrade_prepare(const Command *c, const CommandContext *context, const ArgumentValue *values,
                    JobSpec *ret, char **ret_error) {
    JobSpec spec = JOB_SPEC_INIT;
    int r;

    spec.as_root = true;
    spec.source = (FetchSource){
        .url = values[UPGRADE_URL].string,
        .checksum = values[UPGRADE_CHECKSUM].string,
        .certificate = values[UPGRADE_SSL_CERT].string,
        .patience_usec = UPGRADE_PATIENCE_USEC,
        .tls_is_enough = true,
    };
    r = fetch_source_check(&spec.source, ret_error);
    if (r >= 0)
        r = make_upgrade_list(context, values, &spec);
    return finish(r, &spec, c, ret);
}

const Argument terminate_arguments[ELEMENTSOF(terminate_arguments)] = {
    {"ignoreErrors", ARGUMENT_STRING, false, .help = "true: what fails is no reason to stay"},
};

int terminate_run(const CommandContext *context, const ArgumentValue *values,
                  struct json_object **ret_reply, CommandRun **ret_run) {
    return reply_new(0, "void", NULL, "The agent stops when this reply has arrived.", NULL,
                     ret_reply);
}

/* A string in the Python agent, which never looked at it. */
int terminate_done(const ArgumentValue *values, Effect *ret) {
    ret->terminating = true;
    ret->ignoring = values[0].is_set && strcasecmp(values[0].string, "true") == 0;
    return 0;
}
