/* SPDX-License-Identifier: Apache-2.0 */
#include "core/connection-options.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "basic/bounds.h"
#include "basic/fd-util.h"
#include "basic/file-util.h"
#include "basic/utf8.h"
#include "net/tls-client.h"

static int refuse(char error[static OPTIONS_ERROR_SIZE], const char *format, ...) _printf_(2, 3);
static int refuse(char error[static OPTIONS_ERROR_SIZE], const char *format, ...) {
    va_list ap;

    va_start(ap, format);
    (void)utf8_format_list(error, OPTIONS_ERROR_SIZE, format, ap);
    va_end(ap);
    return -EINVAL;
}

/* "KEY in FILE:LINE WHY" */
static int refuse_key(char error[static OPTIONS_ERROR_SIZE], const Config *config, const char *key,
                      const char *format, ...) _printf_(4, 5);
static int refuse_key(char error[static OPTIONS_ERROR_SIZE], const Config *config, const char *key,
                      const char *format, ...) {
    const ConfigOrigin *origin = config_origin(config, "connection", key);
    char why[OPTIONS_ERROR_SIZE];
    va_list ap;

    va_start(ap, format);
    (void)utf8_format_list(why, sizeof(why), format, ap);
    va_end(ap);
    return refuse(error, "%s in %s:%u %s", key, strempty(origin->file), origin->line, why);
}

static int set_url(const Config *config, const char *directory, Url *ret, char *error) {
    const char *reason = NULL;
    int r;

    if (!config->agentmanager_url) {
        (void)refuse(
            error,
            "Not configured: set agentmanager_url in section [connection] of %s/site.conf, "
            "then reload",
            directory);
        return -ENODATA;
    }
    r = url_parse(config->agentmanager_url, ret, &reason);
    return r == -EINVAL ? refuse_key(error, config, "agentmanager_url", "is not usable: %s", reason)
                        : r;
}

static int set_proxy_auth(const char *path, Proxy *proxy, char *error) {
    _cleanup_free_ char *text = NULL;
    const char *reason = NULL;
    size_t size = 0;
    int r;

    r = read_file_at(AT_FDCWD, path, SECRET_FILE_MAX, &text, &size);
    if (r == -ENOMEM)
        return r;
    if (r < 0)
        return refuse(error, "proxy_auth %s cannot be read: %s", path, strerror(-r));
    r = proxy_set_auth(proxy, text, &reason);
    explicit_bzero(text, size);
    return r == -EINVAL ? refuse(error, "proxy_auth %s is not usable: %s", path, reason) : r;
}

static int set_proxy(const Config *config, const char *(*get)(const char *name), const Url *url,
                     Proxy *ret, char *error) {
    const char *value = config->proxy, *name = NULL, *reason = NULL, *no_proxy = config->no_proxy;
    int r;

    if (!value)
        value = proxy_from_environment(url->tls, get, &name);
    if (!no_proxy)
        no_proxy = isempty(get("NO_PROXY")) ? get("no_proxy") : get("NO_PROXY");
    if (!value || strcasecmp(value, "none") == 0 ||
        proxy_is_excluded(no_proxy, url->host, url->port))
        return 0;
    r = proxy_parse(value, ret, &reason);
    if (r >= 0 && name)
        r = proxy_note_origin(ret, name);
    if (r == -EINVAL)
        return name ? refuse(error, "%s in the environment is not usable: %s", name, reason)
                    : refuse_key(error, config, "proxy", "is not usable: %s", reason);
    if (r >= 0 && config->proxy_auth)
        r = set_proxy_auth(config->proxy_auth, ret, error);
    return r;
}

static int set_tls(const Config *config, TlsOptions *ret, char *error) {
    int r;

    ret->allow_unknown_certs = config->allow_unknown_certs;
    TRY(free_and_strdup(&ret->ca_cert, config->ca_cert));
    TRY(free_and_strdup(&ret->client_cert, config->client_cert));
    TRY(free_and_strdup(&ret->client_key, config->client_key));
    if (config->client_key && !config->client_cert)
        return refuse_key(error, config, "client_key", "needs client_cert, which is not set");
    r = config->pin ? tls_options_add_pins(ret, config->pin) : 0;
    if (r == -E2BIG)
        return refuse_key(error, config, "pin", "has more than %u values", PINS_MAX);
    return r < 0 ? refuse_key(error, config, "pin", "is not base64 of a SHA-256") : 0;
}

int connection_options_make(const Config *config, const char *directory,
                            const char *(*get)(const char *name), ConnectionOptions *ret,
                            char error[static OPTIONS_ERROR_SIZE]) {
    _cleanup_(connection_options_done) ConnectionOptions o = {
        .backoff_usec = config->backoff_usec,
        .max_backoff_usec = config->max_backoff_usec,
        .ping_usec = config->ping_usec,
        .proxy_tls.is_proxy = true,
    };
    int r = 0;

    if (config->unusable)
        r = refuse(error, "Not connecting: %s", config->unusable);
    if (r >= 0)
        r = set_url(config, directory, &o.url, error);
    if (r >= 0)
        r = set_tls(config, &o.tls, error);
    if (r >= 0)
        r = set_proxy(config, get, &o.url, &o.proxy, error);
    if (r >= 0)
        r = free_and_strdup(&o.proxy_tls.ca_cert, config->proxy_ca_cert);
    if (r < 0)
        return r;
    *ret = o;
    o = (ConnectionOptions){};
    return 0;
}

/* Not what the system trusts, which may come later; and a token is not asked without need. */
static int check_content(const Config *config, char error[static OPTIONS_ERROR_SIZE]) {
    const bool is_own = config->client_cert && config->client_cert[0] == '/' &&
                        (!config->client_key || config->client_key[0] == '/');
    const TlsOptions manager = {.ca_cert = config->ca_cert,
                                .allow_unknown_certs = !config->ca_cert,
                                .client_cert = is_own ? config->client_cert : NULL,
                                .client_key = is_own ? config->client_key : NULL};
    const TlsOptions proxy = {.is_proxy = true,
                              .ca_cert = config->proxy_ca_cert,
                              .allow_unknown_certs = !config->proxy_ca_cert};
    char why[OPTIONS_ERROR_SIZE];
    int r;

    r = tls_client_check_files(&manager, why, sizeof(why));
    if (r >= 0)
        r = tls_client_check_files(&proxy, why, sizeof(why));
    return r == -EINVAL || r == -ENOENT ? refuse(error, "%s", why) : r;
}

int connection_files_check(const Config *config, char error[static OPTIONS_ERROR_SIZE]) {
    const struct {
        const char *key, *path;
    } files[] = {
        {"ca_cert", config->ca_cert},
        {"client_cert", config->client_cert},
        {"client_key", config->client_key},
        {"proxy_ca_cert", config->proxy_ca_cert},
    };

    for (size_t i = 0; i < ELEMENTSOF(files); i++) {
        _cleanup_close_ int fd = -1;

        if (!files[i].path || files[i].path[0] != '/') /* none, or on a token */
            continue;
        fd = open(files[i].path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        if (fd < 0)
            return refuse_key(error, config, files[i].key, "cannot be read: %s: %s", files[i].path,
                              strerror(errno));
    }
    return check_content(config, error);
}

static void add_text(Sha256 *hash, const char *text) {
    sha256_update(hash, strempty(text), strlen(strempty(text)) + 1);
}

static void add_file(Sha256 *hash, const char *path) {
    _cleanup_free_ char *content = NULL;
    size_t size = 0;

    add_text(hash, path);
    if (!path || read_file_at(AT_FDCWD, path, CERTIFICATE_FILE_MAX, &content, &size) < 0)
        return;
    sha256_update(hash, &size, sizeof(size));
    sha256_update(hash, content, size);
    explicit_bzero(content, size);
}

void connection_fingerprint(const Config *config, char ret[static SHA256_HEX_SIZE]) {
    const char *const texts[] = {config->agentmanager_url, config->proxy,
                                 config->no_proxy,         config->pin,
                                 config->unusable,         config->enrolment_token};
    const char *const files[] = {config->ca_cert,       config->client_cert,
                                 config->client_key,    config->proxy_auth,
                                 config->proxy_ca_cert, config->enrolment_token_file};
    const uint64_t numbers[] = {config->backoff_usec, config->max_backoff_usec, config->ping_usec,
                                config->allow_unknown_certs};
    Sha256 hash;

    sha256_init(&hash);
    for (size_t i = 0; i < ELEMENTSOF(texts); i++)
        add_text(&hash, texts[i]);
    for (size_t i = 0; i < ELEMENTSOF(files); i++)
        add_file(&hash, files[i]);
    sha256_update(&hash, numbers, sizeof(numbers));
    sha256_final_hex(&hash, ret);
}
