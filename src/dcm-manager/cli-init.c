/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs that make and renew the manager's certificate, and what an agent needs to trust it.
 * They call no manager. */
#include <netdb.h>
#include <stdio.h>
#include <unistd.h>

#include "basic/i18n.h"
#include "basic/terminal.h"
#include "basic/utf8.h"
#include "dcm-manager/authority.h"
#include "dcm-manager/cli-enrolment.h"
#include "dcm-manager/cli.h"
#include "dcm-manager/client.h"
#include "dcm-manager/limits.h"
#include "dcm-manager/tls-files.h"

#define PORT_DEFAULT "8443"
#define URL_SIZE 320
#define NOTHING_YET N_("there is no certificate yet; 'dcm-manager init' makes it")

typedef struct Names {
    const char *list[HOST_NAMES_MAX];
    size_t n;
    char host[HOST_NAME_SIZE_MAX + 1], full[HOST_NAME_SIZE_MAX + 1];
} Names;

static int complain(const char *what, const char *why) {
    terminal_printf(stderr, "dcm-manager: %s: %s\n", what, why);
    return EXIT_OTHER;
}

static int explain(const char *what, int error) {
    switch (error) {
    case -EACCES:
        return complain(what, _("only root may do that; try sudo"));
    case -EBUSY:
        return complain(what, _("another dcm-manager writes there at the moment"));
    case -EBADMSG:
        return complain(what, _("the certificates and keys there cannot be read"));
    case -EKEYREJECTED:
        return complain(what, _("ca-key.pem is not the key of ca.pem"));
    default:
        return complain(what, strerror(-error));
    }
}

static int open_files(const Options *o, TlsFilesUse use, TlsFiles *ret) {
    char path[512];
    int r = tls_files_open(o->directory, use, ret, path, sizeof(path));

    if (r >= 0)
        return 0;
    if (r == -EPERM)
        return complain(path,
                        _("belongs to neither root nor you, and whoever owns it could replace "
                          "the files in it: chown root it"));
    if (r == -ESRCH)
        return complain(path,
                        _("there is no group dcm-manager; 'systemd-sysusers' makes it, as the "
                          "installation of a package does"));
    if (r == -ENOENT)
        return complain(path, _(NOTHING_YET));
    return explain(path, r);
}

/* --- names of the manager ----------------------------------------------------------------------
 */

static void add_name(Names *n, const char *name) {
    for (size_t i = 0; i < n->n; i++)
        if (streq(n->list[i], name))
            return;
    if (n->n < HOST_NAMES_MAX)
        n->list[n->n++] = name;
}

/* The whole name first: that is what agents elsewhere can resolve. */
static int names_of_host(Names *n) {
    const struct addrinfo hints = {.ai_flags = AI_CANONNAME, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;

    if (gethostname(n->host, sizeof(n->host)) < 0 || !host_name_is_valid(n->host))
        return complain(_("the name of this machine"),
                        _("is none that agents can use; give one with --name"));
    if (!strchr(n->host, '.') && getaddrinfo(n->host, NULL, &hints, &found) == 0) {
        (void)utf8_format(n->full, sizeof(n->full), "%s", strempty(found->ai_canonname));
        freeaddrinfo(found);
    }
    if (host_name_is_valid(n->full) && strchr(n->full, '.'))
        add_name(n, n->full);
    add_name(n, n->host);
    return 0;
}

static int names_of_options(const Options *o, Names *n) {
    for (size_t i = 0; i < o->n_names; i++) {
        if (!host_name_is_valid(o->names[i])) {
            terminal_printf(stderr, _("dcm-manager: neither a host name nor an address: %s\n"),
                            o->names[i]);
            return EXIT_USAGE;
        }
        add_name(n, o->names[i]);
    }
    return 0;
}

/* --- init and renew ----------------------------------------------------------------------------
 */

static int write_file(TlsFiles *f, TlsFile file, char *text, bool replace) {
    char path[512];
    int r;

    (void)utf8_format(path, sizeof(path), "%s/%s", f->directory, tls_file_name(file));
    r = tls_files_write(f, file, text, replace);
    if (r < 0)
        return explain(path, r);
    terminal_printf(stdout, _("Made %s\n"), path);
    return 0;
}

static int make_key(TlsFiles *f, TlsFile file) {
    char *key = NULL;
    int r;

    if (f->texts[file])
        return 0;
    r = authority_make_key(&key);
    return r < 0 ? explain(tls_file_name(file), r) : write_file(f, file, key, false);
}

static int make_ca(TlsFiles *f, const char *host) {
    char name[HOST_NAME_SIZE_MAX + 32], *ca = NULL;
    int r;

    if (f->texts[TLS_CA])
        return 0;
    r = make_key(f, TLS_CA_KEY);
    if (r > 0)
        return r;
    (void)utf8_format(name, sizeof(name), "dcm-manager CA %s", host);
    r = authority_make_ca(f->texts[TLS_CA_KEY], name, &ca);
    return r < 0 ? explain(f->directory, r) : write_file(f, TLS_CA, ca, false);
}

static int make_certificate(TlsFiles *f, const Names *n, bool replace) {
    char *certificate = NULL;
    int r;

    if (!f->texts[TLS_CA_KEY])
        return complain(f->directory,
                        _("there is no ca-key.pem, without which nothing can be signed; renew a "
                          "certificate of your own where you got it"));
    r = authority_sign(f->texts[TLS_CA], f->texts[TLS_CA_KEY], f->texts[TLS_KEY], n->list, n->n,
                       &certificate);
    return r < 0 ? explain(f->directory, r) : write_file(f, TLS_CERT, certificate, replace);
}

/* Continues where a call before was interrupted. */
static int make_missing(TlsFiles *f, const Names *n) {
    int r;

    if (f->texts[TLS_CERT] && !f->texts[TLS_KEY])
        return complain(f->directory, _("there is a cert.pem without its key.pem; remove it, or "
                                        "put its key there"));
    if (f->texts[TLS_CERT])
        return 0;
    r = make_ca(f, n->list[0]);
    if (r == 0)
        r = make_key(f, TLS_KEY);
    return r > 0 ? r : make_certificate(f, n, false);
}

static int read_facts(const TlsFiles *f, CertificateFacts *ret) {
    int r;

    if (!f->texts[TLS_CERT])
        return complain(f->directory, _(NOTHING_YET));
    r = certificate_read(f->texts[TLS_CERT], ret);
    return r < 0 ? explain(tls_file_name(TLS_CERT), r) : 0;
}

static bool has_own_ca(const TlsFiles *f) {
    return f->texts[TLS_CA] && certificate_is_of(f->texts[TLS_CERT], f->texts[TLS_CA]);
}

static void format_url(const Options *o, const CertificateFacts *facts, char ret[static URL_SIZE]) {
    const char *host = facts->n_names > 0 ? facts->names[0] : "HOST";
    const bool is_ipv6 = strchr(host, ':');

    (void)utf8_format(ret, URL_SIZE, "%s", strempty(o->url));
    if (!o->url)
        (void)utf8_format(ret, URL_SIZE, "wss://%s%s%s:" PORT_DEFAULT "/agentManager",
                          is_ipv6 ? "[" : "", host, is_ipv6 ? "]" : "");
}

static void print_certificate(const CertificateFacts *facts) {
    char time[FORMAT_SIZE];

    terminal_printf(stdout, _("The certificate is valid until %s for:\n"),
                    format_time(facts->expires_usec, time));
    for (size_t i = 0; i < facts->n_names; i++)
        terminal_printf(stdout, "    %s\n", facts->names[i]);
}

static void print_lines(const Options *o, const TlsFiles *f, const CertificateFacts *facts) {
    char url[URL_SIZE];

    format_url(o, facts, url);
    printf(_("\nStart the manager:\n    %s\n"),
           "systemctl enable --now dcm-manager.socket dcm-manager.service");
    if (has_own_ca(f))
        terminal_printf(stdout,
                        _("Copy %s/ca.pem to each server as /etc/dcm-agent/manager-ca.pem; "
                          "it is no secret.\n"),
                        f->directory);
    printf(_("On each server /etc/dcm-agent/agent.conf.d/manager.conf has:\n"));
    terminal_printf(stdout, "    [connection]\n");
    terminal_printf(stdout, "    agentmanager_url = %s\n", url);
    if (has_own_ca(f))
        printf("    ca_cert = /etc/dcm-agent/manager-ca.pem\n");
    printf(_("Or run there what this prints, which does all of it: %s\n"),
           "dcm-manager agent-package");
}

static int check_names(const CertificateFacts *facts, const Options *o) {
    for (size_t i = 0; i < o->n_names; i++) {
        bool has = false;

        for (size_t k = 0; k < facts->n_names && !has; k++)
            has = strcasecmp(facts->names[k], o->names[i]) == 0;
        if (has)
            continue;
        terminal_printf(stderr,
                        _("dcm-manager: the certificate that exists is not for %s; 'dcm-manager "
                          "renew' with all its names as --name makes another one\n"),
                        o->names[i]);
        return EXIT_OTHER;
    }
    return 0;
}

int cli_init(const Options *o) {
    _cleanup_(certificate_facts_done) CertificateFacts facts = {};
    _cleanup_(tls_files_done) TlsFiles f = {.lock = -1};
    Names names = {};
    int r;

    r = names_of_options(o, &names);
    if (r == 0 && names.n == 0)
        r = names_of_host(&names);
    if (r == 0)
        r = open_files(o, TLS_FILES_CREATE, &f);
    if (r == 0)
        r = make_missing(&f, &names);
    if (r == 0)
        r = read_facts(&f, &facts);
    if (r == 0)
        r = check_names(&facts, o);
    if (r > 0)
        return r;
    print_certificate(&facts);
    print_lines(o, &f, &facts);
    return 0;
}

/* The key stays, and with it pins of agents; so one file is replaced, and no reader finds two that
 * do not belong together. */
int cli_renew(const Options *o) {
    _cleanup_(certificate_facts_done) CertificateFacts old = {}, facts = {};
    _cleanup_(tls_files_done) TlsFiles f = {.lock = -1};
    Names names = {};
    int r;

    r = names_of_options(o, &names);
    if (r == 0)
        r = open_files(o, TLS_FILES_RENEW, &f);
    if (r == 0)
        r = read_facts(&f, &old);
    if (r > 0)
        return r;
    if (!f.texts[TLS_KEY] || !has_own_ca(&f))
        return complain(f.directory, _("'dcm-manager init' did not make this certificate; renew it "
                                       "where you got it"));
    for (size_t i = 0; names.n < HOST_NAMES_MAX && o->n_names == 0 && i < old.n_names; i++)
        add_name(&names, old.names[i]);
    if (names.n == 0)
        return complain(f.directory, _("the certificate has no name; give one with --name"));
    r = make_certificate(&f, &names, true);
    if (r == 0)
        r = read_facts(&f, &facts);
    if (r > 0)
        return r;
    print_certificate(&facts);
    printf(_("A manager that runs takes it with: %s\n"), "systemctl reload dcm-manager");
    return 0;
}

/* --- agent-package ------------------------------------------------------------------------------
 */

static bool url_is_valid(const char *url) {
    for (const char *p = url; *p; p++)
        if ((unsigned char)*p <= ' ' || (unsigned char)*p >= 0x7f || strchr(";#'\"\\", *p))
            return false;
    return (strncmp(url, "wss://", 6) == 0 || strncmp(url, "ws://", 5) == 0) &&
           strlen(url) < URL_SIZE;
}

/* The token is for root and the agent alone, so it gets a file of its own. */
static void print_token(const char *secret) {
    printf("(umask 027 && cat >/etc/dcm-agent/enrolment-token <<'END'\n%s\nEND\n)\n"
           "chown root:dcm-agent /etc/dcm-agent/enrolment-token\n"
           "chmod 0640 /etc/dcm-agent/enrolment-token\n",
           secret);
}

static void print_script(const char *url, const char *ca, const char *secret) {
    printf("#!/bin/sh\n"
           "# Connects this server to the agent manager %s\n"
           "# For root; 'dcm-manager agent-package' made it. May run again.\n"
           "set -eu\n"
           "umask 022\n"
           "if ! command -v dcm-agentctl >/dev/null; then\n"
           "    if command -v apt-get >/dev/null; then\n"
           "        apt-get -q -y update\n"
           "        DEBIAN_FRONTEND=noninteractive apt-get -q -y install dcm-agent\n"
           "    else\n"
           "        dnf -q -y install dcm-agent\n"
           "    fi\n"
           "fi\n"
           "mkdir -p /etc/dcm-agent/agent.conf.d\n",
           url);
    if (ca)
        printf("cat >/etc/dcm-agent/manager-ca.pem <<'END'\n%s%sEND\n", ca,
               *ca && ca[strlen(ca) - 1] == '\n' ? "" : "\n");
    if (secret)
        print_token(secret);
    printf("cat >/etc/dcm-agent/agent.conf.d/manager.conf <<'END'\n"
           "[connection]\n"
           "agentmanager_url = %s\n%s%s"
           "END\n"
           "systemctl enable dcm-agent.service\n"
           "systemctl restart dcm-agent.service\n",
           url, ca ? "ca_cert = /etc/dcm-agent/manager-ca.pem\n" : "",
           secret ? "enrolment_token_file = /etc/dcm-agent/enrolment-token\n" : "");
}

int cli_agent_package(const Options *o) {
    _cleanup_(certificate_facts_done) CertificateFacts facts = {};
    _cleanup_(tls_files_done) TlsFiles f = {.lock = -1};
    _cleanup_json_ struct json_object *token = NULL;
    char url[URL_SIZE];
    int r;

    if (o->url && !url_is_valid(o->url)) {
        terminal_printf(stderr, _("dcm-manager: no URL of an agent manager: %s\n"), o->url);
        return EXIT_USAGE;
    }
    if (o->group && !o->operands[0]) {
        (void)fprintf(stderr,
                      _("dcm-manager: --group is of the enrolment token that a script for a "
                        "NAME has; give the NAME\n"));
        return EXIT_USAGE;
    }
    r = open_files(o, TLS_FILES_PUBLIC, &f);
    if (r == 0)
        r = read_facts(&f, &facts);
    if (r > 0)
        return r;
    if (!o->url && facts.n_names == 0)
        return complain(f.directory, _("the certificate has no name; give the manager's --url"));
    format_url(o, &facts, url);
    if (o->operands[0])
        r = cli_make_enrolment_token(o, o->operands[0], 1, &token);
    if (r > 0)
        return r;
    print_script(url, has_own_ca(&f) ? f.texts[TLS_CA] : NULL, json_get_string(token, "secret"));
    return 0;
}
