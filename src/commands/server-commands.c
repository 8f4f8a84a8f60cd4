/* SPDX-License-Identifier: Apache-2.0 */
#include "commands/server-commands.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "basic/bounds.h"
#include "basic/file-util.h"
#include "basic/guid.h"
#include "commands/facts.h"
#include "job/fetch.h"
#include "proto/message.h"
#include "system/addresses.h"

#define UPGRADE_PATIENCE_USEC (30 * USEC_PER_SEC)

/* Copies each text; NULL becomes an empty string. */
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

/* Frees the specification on an error. */
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

int find_first_address(const CommandContext *context, char **ret) {
    _cleanup_(addresses_done) Addresses a = {};

    TRY(read_addresses(context, &a));
    *ret = NULL;
    return a.ipv4[0] ? free_and_strdup(ret, a.ipv4[0]) : 0;
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

    TRY(read_addresses(context, &a));
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

/* to another version of the agent */

enum { UPGRADE_NEW_VERSION, UPGRADE_URL, UPGRADE_ARGS, UPGRADE_CHECKSUM, UPGRADE_SSL_CERT };

const Argument upgrade_arguments[ELEMENTSOF(upgrade_arguments)] = {
    [UPGRADE_NEW_VERSION] = {"newVersion", ARGUMENT_STRING, true, .help = "passed to the script"},
    [UPGRADE_URL] = {"url", ARGUMENT_STRING, true,
                     .help = "where the script is: https, file, or http with a checksum"},
    [UPGRADE_ARGS] = {"args", ARGUMENT_LIST, true, .help = "further arguments of the script"},
    [UPGRADE_CHECKSUM] = {"checksum", ARGUMENT_STRING, false,
                          .help = "SHA-256 of the script, in hex"},
    [UPGRADE_SSL_CERT] = {"ssl_cert", ARGUMENT_STRING, false,
                          .help = "PEM: the only certificates that are trusted"},
};

/* For the job alone, which runs as root. The file is written again for each attempt, and disappears
 * with the next boot. */
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

    TRY(write_options(context, &options));
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
