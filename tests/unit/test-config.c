/* SPDX-License-Identifier: Apache-2.0 */
/* Proves the defaults, every key with its limits, the order of files, and that whatever a file
 * says, the agent has a usable configuration: a value that cannot be used is reported and the one
 * before it kept. */
#include <glib.h>
#include <glib/gstdio.h>

#include "basic/bounds.h"
#include "core/config-names.h"
#include "core/config-render.h"
#include "temporary.h"

typedef struct Problems {
    unsigned n;
    unsigned last_line;
    char *last, *last_file;
} Problems;

static void problems_done(Problems *p) {
    g_free(p->last);
    g_free(p->last_file);
}

static void on_problem(const char *file, unsigned line, const char *text, void *userdata) {
    Problems *p = userdata;

    p->n++;
    g_free(p->last);
    g_free(p->last_file);
    p->last = g_strdup(text);
    p->last_line = line;
    p->last_file = g_strdup(file);
}

/* Returns the number of problems. */
static unsigned parse(const char *text, Config *ret) {
    _cleanup_(problems_done) Problems p = {};

    g_assert_cmpint(config_init(ret), ==, 0);
    g_assert_cmpint(config_parse(ret, "/etc/dcm-agent/agent.conf", text, on_problem, &p), ==, 0);
    return p.n;
}

static void assert_defaults(const Config *c) {
    g_assert_null(c->agentmanager_url);
    g_assert_null(c->ca_cert);
    g_assert_false(c->allow_unknown_certs);
    g_assert_cmpuint(c->backoff_usec, ==, USEC_PER_SEC);
    g_assert_cmpuint(c->max_backoff_usec, ==, 300 * USEC_PER_SEC);
    g_assert_cmpuint(c->ping_usec, ==, 30 * USEC_PER_SEC);
    g_assert_cmpuint(c->retransmission_usec, ==, 5 * USEC_PER_SEC);
    g_assert_cmpint(c->max_at_once, ==, -1);
    g_assert_cmpuint(c->workers, ==, 2);
    g_assert_cmpuint(c->output_budget, ==, (uint64_t)1 << 30);
    g_assert_cmpuint(c->reply_output_max, ==, REPLY_OUTPUT_DEFAULT);
    g_assert_cmpuint(c->db_timeout_usec, ==, 14400 * USEC_PER_SEC);
    g_assert_null(c->platform_name);
    g_assert_null(c->platform_version);
    g_assert_cmpstr(c->log_level, ==, "info");
    g_assert_cmpstr(c->console_level, ==, "INFO");
    g_assert_cmpint(json_object_object_length(c->features), ==, 0);
}

static void test_defaults(void) {
    _cleanup_(config_done) Config c = {}, empty = {};

    g_assert_cmpint(config_init(&c), ==, 0);
    assert_defaults(&c);
    g_assert_cmpuint(parse("", &empty), ==, 0);
    assert_defaults(&empty);
}

#define NUMBER(f) offsetof(Config, f), 8
#define SECONDS USEC_PER_SEC

/* Every key that is a number. */
static void test_numbers(void) {
    static const struct {
        const char *section, *key, *value;
        size_t offset, size;
        int64_t expected; /* -2: refused */
    } cases[] = {
        {"connection", "backoff", "250", NUMBER(backoff_usec), 250000},
        {"connection", "backoff", "10", NUMBER(backoff_usec), 10000},
        {"connection", "backoff", "9", NUMBER(backoff_usec), -2},
        {"connection", "backoff", "86400000", NUMBER(backoff_usec), 86400 * (int64_t)SECONDS},
        {"connection", "backoff", "86400001", NUMBER(backoff_usec), -2},
        {"connection", "backoff", "10.5", NUMBER(backoff_usec), -2},
        {"connection", "backoff", "1e3", NUMBER(backoff_usec), (int64_t)SECONDS},
        {"connection", "max_backoff", "600000", NUMBER(max_backoff_usec), 600 * (int64_t)SECONDS},
        {"connection", "max_backoff", "0", NUMBER(max_backoff_usec), -2},
        {"connection", "heartbeat_frequency", "1", NUMBER(ping_usec), (int64_t)SECONDS},
        {"connection", "heartbeat_frequency", "2.5", NUMBER(ping_usec), 2500000},
        {"connection", "heartbeat_frequency", "0.9", NUMBER(ping_usec), -2},
        {"connection", "heartbeat_frequency", "86401", NUMBER(ping_usec), -2},
        {"messaging", "retransmission_timeout", "0.1", NUMBER(retransmission_usec), 100000},
        {"messaging", "retransmission_timeout", "3600", NUMBER(retransmission_usec),
         3600 * (int64_t)SECONDS},
        {"messaging", "retransmission_timeout", "0", NUMBER(retransmission_usec), -2},
        {"messaging", "max_at_once", "-1", NUMBER(max_at_once), -1},
        {"messaging", "max_at_once", "0", NUMBER(max_at_once), 0},
        {"messaging", "max_at_once", "1000000", NUMBER(max_at_once), 1000000},
        {"messaging", "max_at_once", "1000001", NUMBER(max_at_once), -2},
        {"messaging", "max_at_once", "-2", NUMBER(max_at_once), -2},
        {"messaging", "max_at_once", "1.5", NUMBER(max_at_once), -2},
        {"workers", "count", "1", NUMBER(workers), 1},
        {"workers", "count", "1000", NUMBER(workers), 1000},
        {"workers", "count", "0", NUMBER(workers), -2},
        {"workers", "count", "1001", NUMBER(workers), -2},
        {"workers", "count", "-1", NUMBER(workers), -2},
        {"storage", "db_timeout", "60", NUMBER(db_timeout_usec), 60 * (int64_t)SECONDS},
        {"storage", "db_timeout", "59", NUMBER(db_timeout_usec), -2},
        {"storage", "db_timeout", "1e9", NUMBER(db_timeout_usec), 1000000000 * (int64_t)SECONDS},
        {"storage", "db_timeout", "1e10", NUMBER(db_timeout_usec), -2},
        {"storage", "db_timeout", "nan", NUMBER(db_timeout_usec), -2},
        {"storage", "db_timeout", "inf", NUMBER(db_timeout_usec), -2},
        {"storage", "db_timeout", "-inf", NUMBER(db_timeout_usec), -2},
        {"storage", "db_timeout", "1e400", NUMBER(db_timeout_usec), -2},
        {"jobs", "output_budget", "0", NUMBER(output_budget), 0},
        {"jobs", "output_budget", "2T", NUMBER(output_budget), (int64_t)2 << 40},
        {"jobs", "output_budget", "-1", NUMBER(output_budget), -2},
        {"jobs", "output_budget", "1KB", NUMBER(output_budget), -2},
        {"jobs", "output_budget", "1.5G", NUMBER(output_budget), -2},
        {"jobs", "output_budget", "17179869184G", NUMBER(output_budget), -2},
        {"jobs", "reply_output_max", "4096", NUMBER(reply_output_max), 4096},
        {"jobs", "reply_output_max", "4095", NUMBER(reply_output_max), -2},
        {"jobs", "reply_output_max", "3M", NUMBER(reply_output_max), REPLY_OUTPUT_MAX},
        {"jobs", "reply_output_max", "3145729", NUMBER(reply_output_max), -2},
        {"workers", "count", "", NUMBER(workers), -2},
        {"workers", "count", "two", NUMBER(workers), -2},
        {"workers", "count", "2 3", NUMBER(workers), -2},
        {"workers", "count", "2x", NUMBER(workers), -2},
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        g_autofree char *text =
            g_strdup_printf("[%s]\n%s = %s\n", cases[i].section, cases[i].key, cases[i].value);
        _cleanup_(config_done) Config c = {};
        unsigned n = parse(text, &c);
        int64_t value;

        memcpy(&value, (const char *)&c + cases[i].offset, cases[i].size);
        if (cases[i].expected == -2) {
            g_assert_cmpuint(n, ==, 1);
            assert_defaults(&c);
        } else if (n != 0 || value != cases[i].expected)
            g_error("%s: %" G_GINT64_FORMAT, text, value);
    }
}

static void test_bool(void) {
    static const struct {
        const char *value;
        int expected; /* -1: refused */
    } cases[] = {{"true", 1}, {"False", 0}, {"YES", 1}, {"no", 0}, {"on", 1},    {"off", 0},
                 {"1", 1},    {"0", 0},     {"2", -1},  {"", -1},  {"maybe", -1}};

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        g_autofree char *text =
            g_strdup_printf("[connection]\nallow_unknown_certs = %s\n", cases[i].value);
        _cleanup_(config_done) Config c = {};

        g_assert_cmpuint(parse(text, &c), ==, cases[i].expected < 0);
        g_assert_cmpint(c.allow_unknown_certs, ==, cases[i].expected == 1);
    }
}

static void test_texts(void) {
    _cleanup_(config_done) Config c = {}, relative = {};

    g_assert_cmpuint(parse("[connection]\nagentmanager_url=wss://h:2745/x?a=b\n"
                           "[platform]\nname: Debian\nversion : 12\n"
                           "[logging]\nLevel=debug\nconsole_level=DEBUG\n"
                           "[storage]\nmountpoint = /srv/data\n",
                           &c),
                     ==, 0);
    g_assert_cmpstr(c.mount_point, ==, "/srv/data");
    g_assert_cmpuint(parse("[storage]\nmountpoint = data\n", &relative), ==, 1);
    g_assert_cmpstr(relative.mount_point, ==, "/mnt/dcmdata");
    g_assert_cmpstr(c.agentmanager_url, ==, "wss://h:2745/x?a=b");
    g_assert_cmpstr(c.platform_name, ==, "Debian");
    g_assert_cmpstr(c.platform_version, ==, "12");
    g_assert_cmpstr(c.log_level, ==, "debug");
    g_assert_cmpstr(c.console_level, ==, "DEBUG");
    g_assert_cmpint(config_parse(&c, "x", "[connection]\nagentmanager_url=\n", on_problem, NULL),
                    ==, 0);
    g_assert_null(c.agentmanager_url); /* empty: not set */
}

static void test_paths(void) {
    static const struct {
        const char *file, *value, *expected;
    } cases[] = {
        {"/etc/dcm-agent/agent.conf", "/etc/ca.pem", "/etc/ca.pem"},
        {"/etc/dcm-agent/agent.conf", "ca.pem", "/etc/dcm-agent/ca.pem"},
        {"/etc/dcm-agent/agent.conf.d/x.conf", "../ca.pem",
         "/etc/dcm-agent/agent.conf.d/../ca.pem"},
        {"agent.conf", "ca.pem", "ca.pem"},
        {"/agent.conf", "ca.pem", "/ca.pem"},
        {"/etc/dcm-agent/agent.conf", "", NULL},
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        g_autofree char *text = g_strdup_printf("[connection]\nca_cert = %s\n", cases[i].value);
        _cleanup_(config_done) Config c = {};

        g_assert_cmpint(config_init(&c), ==, 0);
        g_assert_cmpint(config_parse(&c, cases[i].file, text, on_problem, NULL), ==, 0);
        g_assert_cmpstr(c.ca_cert, ==, cases[i].expected);
    }
}

static void test_syntax(void) {
    static const struct {
        const char *text;
        unsigned problems;
        uint64_t workers;
    } cases[] = {
        {"[workers]\ncount=7\n", 0, 7},
        {"[workers]\ncount = 7", 0, 7},
        {"[workers]\ncount: 7\n", 0, 7},
        {"[workers]\r\ncount = 7\r\n", 0, 7},
        {"\xef\xbb\xbf[workers]\ncount = 7\n", 0, 7},
        {"# comment\n; comment\n\n[workers]\n#count = 1\n;count = 2\ncount = 7 ; comment\n", 0, 7},
        {"[workers]\nCOUNT = 7\n", 0, 7},
        {"[Workers]\ncount = 7\n", 1, 2}, /* sections have their case, as in the Python agent */
        {"count = 7\n", 1, 2},            /* in no section */
        {"[workers]\ncount = 7\ncount = 8\n", 0, 8},
        {"[workers]\ncount = 7\n[other]\ncount = 9\n[workers]\n", 1, 7},
        {"[workers]\ncount = 7\nother = x\n[unknown]\nkey = value\n", 2, 7},
        {"[workers]\ncount = 7\ncount = none\n", 1, 7},
        {"[workers]\nnonsense\ncount = 7\n", 1, 7},
        {"[workers\ncount = 7\n", 2, 2},
        {"\x01\x02\xff\n[workers]\ncount = 7\n", 1, 7},
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        _cleanup_(config_done) Config c = {};
        unsigned n = parse(cases[i].text, &c);

        if (n != cases[i].problems || c.workers != cases[i].workers)
            g_error("%s: %u problems, %" G_GUINT64_FORMAT, cases[i].text, n, c.workers);
    }
}

/* A line that the parser cannot hold is reported and left out, never taken in part. */
static void test_long_lines(void) {
    static const size_t sizes[] = {150,   199,   200,   5000,  65505, 65506,
                                   65507, 65508, 65536, 65537, 100000};

    for (size_t i = 0; i < ELEMENTSOF(sizes); i++) {
        g_autofree char *value = g_strnfill(sizes[i], 'x');
        g_autofree char *text = g_strdup_printf(
            "[connection]\nagentmanager_url = wss://h/%s\nbackoff = 500\n[workers]\ncount = 7\n",
            value);
        _cleanup_(config_done) Config c = {};
        unsigned n = parse(text, &c);

        g_assert_cmpuint(c.backoff_usec, ==, 500000);
        g_assert_cmpuint(c.workers, ==, 7);
        if (c.agentmanager_url) {
            g_assert_cmpuint(strlen(c.agentmanager_url), ==, sizes[i] + strlen("wss://h/"));
            g_assert_cmpuint(n, ==, 0);
        } else {
            g_assert_cmpuint(sizes[i] + strlen("agentmanager_url = wss://h/"), >, INI_LINE_MAX);
            g_assert_cmpuint(n, ==, 1);
        }
    }
}

static void test_long_comment(void) {
    g_autofree char *comment = g_strnfill(5000, '#');
    g_autofree char *text = g_strdup_printf("[workers]\n%s\ncount = 7\n;%s", comment, comment);
    _cleanup_(config_done) Config c = {};

    g_assert_cmpuint(parse(text, &c), ==, 0);
    g_assert_cmpuint(c.workers, ==, 7);
}

static void test_features(void) {
    _cleanup_(config_done) Config c = {};
    const char *text;

    g_assert_cmpuint(
        parse("[features]\nmount = True\nHas Space: a=b\nempty =\nmount = false\n", &c), ==, 0);
    text = json_object_to_json_string_ext(c.features, JSON_C_TO_STRING_PLAIN);
    g_assert_cmpstr(text, ==, "{\"mount\":\"false\",\"Has Space\":\"a=b\",\"empty\":\"\"}");
}

/* Texts that go into the handshake are UTF-8: others would make every manager hang up. */
static void test_invalid_utf8(void) {
    _cleanup_(config_done) Config c = {};

    g_assert_cmpuint(parse("[features]\na = \xff\nb\xff = 1\nc = \xc3\xa4\n[platform]\nname = "
                           "\xc3\n[workers]\ncount = 7\n",
                           &c),
                     ==, 3);
    g_assert_cmpstr(json_object_to_json_string_ext(c.features, JSON_C_TO_STRING_PLAIN), ==,
                    "{\"c\":\"\xc3\xa4\"}");
    g_assert_null(c.platform_name);
    g_assert_cmpuint(c.workers, ==, 7);
}

static void test_load(void) {
    static const struct {
        const char *name, *text;
    } dropins[] = {
        {"20-b.conf", "[workers]\ncount = 20\n[connection]\nca_cert = b.pem\n"},
        {"10-a.conf", "[workers]\ncount = 10\n[messaging]\nmax_at_once = 10\n"},
        {"30-c.conf", "[storage]\ndb_timeout = bad\n"},
        {".99-hidden.conf", "[workers]\ncount = 99\n"},
        {"99-other.conf~", "[workers]\ncount = 99\n"},
        {"99-other", "[workers]\ncount = 99\n"},
        {"conf", "[workers]\ncount = 99\n"},
    };
    _cleanup_temporary_ char *dir = temporary_new();
    g_autofree char *file = g_build_filename(dir, "agent.conf", NULL);
    g_autofree char *directory = g_build_filename(dir, "agent.conf.d", NULL);
    g_autofree char *pem = g_build_filename(directory, "b.pem", NULL);
    g_autofree char *subdirectory = g_build_filename(directory, "40-directory.conf", NULL);
    _cleanup_(config_done) Config c = {}, absent = {};
    _cleanup_(problems_done) Problems p = {};

    g_assert_cmpint(config_load(file, directory, on_problem, &p, &absent), ==, 0);
    assert_defaults(&absent);
    g_assert_cmpuint(p.n, ==, 0);

    temporary_write(dir, "agent.conf", "[workers]\ncount = 5\n[platform]\nname = x\n", 40);
    g_assert_cmpint(g_mkdir(directory, 0755), ==, 0);
    for (size_t i = 0; i < ELEMENTSOF(dropins); i++)
        temporary_write(directory, dropins[i].name, dropins[i].text, strlen(dropins[i].text));
    g_assert_cmpint(config_load(file, directory, on_problem, &p, &c), ==, 0);
    g_assert_cmpuint(c.workers, ==, 20);
    g_assert_cmpint(c.max_at_once, ==, 10);
    g_assert_cmpstr(c.platform_name, ==, "x");
    g_assert_cmpstr(c.ca_cert, ==, pem);
    g_assert_cmpuint(p.n, ==, 3); /* that, and two names that are perhaps not meant so */
    g_assert_true(g_str_has_suffix(p.last_file, "/30-c.conf"));
    g_assert_cmpstr(p.last, ==,
                    "the value of db_timeout in [storage] is not valid: it must be seconds from 60 "
                    "to 1000000000");
    config_done(&c);

    /* one that cannot be read */
    g_assert_cmpint(g_mkdir(subdirectory, 0755), ==, 0);
    g_assert_cmpint(config_load(file, directory, on_problem, &p, &c), ==, 0);
    g_assert_cmpuint(p.n, ==, 7);
    g_assert_cmpstr(p.last_file, ==, subdirectory);
    g_assert_cmpuint(c.workers, ==, 20);
}

/* A value goes on in lines that begin with a blank; another assignment replaces it. */
static void test_lists(void) {
    static const struct {
        const char *text, *no_proxy;
        unsigned problems;
        bool unusable;
    } cases[] = {
        {"[connection]\nno_proxy = a\n  b, c\n\td\n", "a b, c d", 0, false},
        {"[connection]\nno_proxy = a\nno_proxy = b\n", "b", 0, false},
        {"[connection]\n  no_proxy = a\n  b\n", "a b", 0, false},
        {"[connection]\n  no_proxy = a\n[connection]\n  no_proxy = b\n", "b", 0, false},
        {"[connection]\n  no_proxy = a\n  pin = sha256/x\n", "a", 1, true},
        {"[connection]\n  heartbeat_frequency = 1\n  pin = sha256/x\n", NULL, 1, true},
        {"[connection]\n  x = 1\n  pin = sha256/x\n", NULL, 2, true},
        {"[other]\n  x = 1\n  pin = sha256/x\n", NULL, 2, true},
        {"[other]\n  x = 1\n  y = sha256/x\n", NULL, 1, false},
    };
    static const struct {
        const char *name, *text;
    } dropins[] = {
        {"10.conf", "[connection]\nno_proxy = a\n"},
        {"20.conf", "[connection]\nno_proxy = b\n"},
    };
    _cleanup_temporary_ char *dir = temporary_new();
    _cleanup_(config_done) Config loaded = {};

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        _cleanup_(config_done) Config c = {};

        g_test_message("%s", cases[i].text);
        g_assert_cmpuint(parse(cases[i].text, &c), ==, cases[i].problems);
        g_assert_cmpstr(c.no_proxy, ==, cases[i].no_proxy);
        g_assert_cmpint(!!c.unusable, ==, cases[i].unusable);
    }
    for (size_t i = 0; i < ELEMENTSOF(dropins); i++)
        temporary_write(dir, dropins[i].name, dropins[i].text, strlen(dropins[i].text));
    g_assert_cmpint(config_load("/nonexistent", dir, on_problem, NULL, &loaded), ==, 0);
    g_assert_cmpstr(loaded.no_proxy, ==, "b");
}

#define TELL(text) "/etc/dcm-agent/agent.conf:" text
#define RELOAD "; correct or remove it, then reload"

/* A name that is no key is told with its place. Keys of the Python agent are not; one that may
 * stand for a guard stops the agent. */
static void test_unknown(void) {
    static const struct {
        const char *text, *problem, *unusable; /* NULL: none */
    } cases[] = {
        {"[workers]\ncuont = 7\n",
         TELL("2: there is no key cuont in [workers] (is count in [workers] meant?)"), NULL},
        {"[workers]\n\n# x\nthreads = 7\n", TELL("4: there is no key threads in [workers]"), NULL},
        {"[connection]\nlevel = debug\n",
         TELL("2: there is no key level in [connection] (it belongs to [logging])"), NULL},
        {"[conection]\nbackoff = 7\n",
         TELL("1: there is no section [conection] (is [connection] meant?)"), NULL},
        {"[else]\nx = 7\ny = 8\n", TELL("1: there is no section [else]"), NULL},
        {"level = debug\n",
         TELL("1: level stands before the first [section] (it belongs to "
              "[logging])"),
         NULL},
        {"[features]\npin = x\npins = y\n", NULL, NULL},
        /* of the Python agent */
        {"[connection]\ntype = ws\nsource_file = x\ndest_file = y\n", NULL, NULL},
        {"[logging]\nconfigfile = etc/logging.yaml\n[plugin]\nConfigFile = x\n", NULL, NULL},
        {"[storage]\ntemppath = /tmp\nbase_dir = /dcm\ndbfile = x\n"
         "script_dir = y\ndefault_filesystem = ext3\n[system]\nuser = dcm\nsudo = x\n",
         NULL, NULL},
        {"[docker]\nca_cert = x\nclient_key_path = y\ntls = True\n[pydev]\nhost = x\n[test]\n",
         NULL, NULL},
        {"[extra]\nlocation = x\n[configuration_management]\nchef_client_version = 11\n"
         "[platform]\nscript_locations = common-linux\n[plugin:x.*]\ntype: python_module\n",
         NULL, NULL},
        {"[system]\nother = x\n", TELL("2: there is no key other in [system]"), NULL},
        /* guards */
        {"[connection]\npins = x\n",
         TELL("2: there is no key pins in [connection] (is pin in [connection] meant?)"),
         TELL("2: there is no key pins in [connection] (is pin in [connection] meant?)" RELOAD)},
        {"[tls]\npin = x\n", TELL("2: there is no key pin in [tls] (it belongs to [connection])"),
         TELL("2: there is no key pin in [tls] (it belongs to [connection])" RELOAD)},
        {"[Connection]\nca_cert = x\n",
         TELL("2: there is no key ca_cert in [Connection] (it belongs to [connection])"),
         TELL("2: there is no key ca_cert in [Connection] (it belongs to [connection])" RELOAD)},
        {"ca_cert = x\n",
         TELL("1: ca_cert stands before the first [section] (it belongs to [connection])"),
         TELL("1: ca_cert stands before the first [section] (it belongs to [connection])" RELOAD)},
        {"[connection]\nallow_unknown_certs = yes\nallow_unknown_certs = maybe\n",
         TELL("3: the value of allow_unknown_certs in [connection] is not valid: it must be true "
              "or false"),
         TELL("3: the value of allow_unknown_certs in [connection] is not valid: it must be true "
              "or false")},
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        _cleanup_(config_done) Config c = {};
        _cleanup_(problems_done) Problems p = {};
        g_autofree char *told = NULL;

        g_test_message("%s", cases[i].text);
        g_assert_cmpint(config_init(&c), ==, 0);
        g_assert_cmpint(
            config_parse(&c, "/etc/dcm-agent/agent.conf", cases[i].text, on_problem, &p), ==, 0);
        told = p.n > 0 ? g_strdup_printf("%s:%u: %s", p.last_file, p.last_line, p.last) : NULL;
        g_assert_cmpstr(told, ==, cases[i].problem);
        g_assert_cmpstr(c.unusable, ==, cases[i].unusable);
    }
}

/* Whoever writes one of the left probably means the one of the right. */
static void test_misspelt_guards(void) {
    static const struct {
        const char *name, *guard; /* NULL: none */
    } cases[] = {
        {"pins", "pin"},
        {"pin_sha", NULL},
        {"PIN", "pin"},
        {"bin", NULL},
        {"in", NULL},
        {"ca_certs", "ca_cert"},
        {"cacert", "ca_cert"},
        {"ca-cert", "ca_cert"},
        {"ca_cert_file", "ca_cert"},
        {"ac_cert", "ca_cert"},
        {"allow_unknown_cert", "allow_unknown_certs"},
        {"alow_unkown_certs", "allow_unknown_certs"},
        {"allow-unknown-certs", "allow_unknown_certs"},
        {"client_certificate", "client_cert"},
        {"clientkey", "client_key"},
        {"client_keys", "client_key"},
        {"proxies", NULL},
        {"proxi", "proxy"},
        {"proxy_url", "proxy"},
        {"proxy_auth_file", "proxy_auth"},
        {"noproxy", "no_proxy"},
        {"agentmanager_uri", "agentmanager_url"},
        {"agent_manager_url", "agentmanager_url"},
        {"url", NULL},
        {"backof", NULL},
        {"heartbeat", NULL},
        {"timeout", NULL},
        {"", NULL},
        {"a_name_that_is_much_longer_than_any_key_of_ours_is", NULL},
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        g_test_message("%s", cases[i].name);
        g_assert_cmpstr(config_guard_meant(cases[i].name), ==, cases[i].guard);
    }
}

/* Each key has the place of its last value, and none where it has its default. */
static void test_origins(void) {
    _cleanup_(config_done) Config c = {};

    g_assert_cmpint(config_init(&c), ==, 0);
    g_assert_cmpint(config_parse(&c, "a", "[workers]\ncount = 3\n", on_problem, NULL), ==, 0);
    g_assert_cmpint(config_parse(&c, "b",
                                 "[connection]\nno_proxy = x\n  y\n[workers]\n\ncount = 4\n",
                                 on_problem, NULL),
                    ==, 0);
    g_assert_cmpstr(config_origin(&c, "workers", "count")->file, ==, "b");
    g_assert_cmpuint(config_origin(&c, "workers", "count")->line, ==, 6);
    g_assert_cmpuint(config_origin(&c, "connection", "no_proxy")->line, ==, 2);
    g_assert_null(config_origin(&c, "connection", "pin")->file);
}

static void test_file_bound(void) {
    _cleanup_temporary_ char *dir = temporary_new();
    g_autofree char *file = g_build_filename(dir, "agent.conf", NULL);
    g_autofree char *text = g_strnfill(CONFIG_FILE_MAX + 1, '\n');
    _cleanup_(config_done) Config c = {};
    _cleanup_(problems_done) Problems p = {};

    memcpy(text, "[workers]\ncount = 7\n", 20);
    temporary_write(dir, "agent.conf", text, CONFIG_FILE_MAX + 1);
    g_assert_cmpint(config_load(file, "/nonexistent", on_problem, &p, &c), ==, 0);
    g_assert_cmpuint(p.n, ==, 1);
    assert_defaults(&c);
    config_done(&c);
    temporary_write(dir, "agent.conf", text, CONFIG_FILE_MAX);
    g_assert_cmpint(config_load(file, "/nonexistent", on_problem, &p, &c), ==, 0);
    g_assert_cmpuint(p.n, ==, 1);
    g_assert_cmpuint(c.workers, ==, 7);
}

/* The reason names the file and what to do. */
static void test_unreadable(void) {
    _cleanup_temporary_ char *dir = temporary_new();
    g_autofree char *file = g_build_filename(dir, "agent.conf", NULL);
    g_autofree char *denied = NULL;
    _cleanup_(problems_done) Problems p = {};
    Config c;

    g_assert_cmpint(symlink("nowhere", file), ==, 0);
    g_assert_cmpint(config_load(file, "/nonexistent", on_problem, &p, &c), ==, 0);
    g_assert_true(
        g_str_has_suffix(c.unusable, "agent.conf is a link to a file that does not exist"));
    config_done(&c);
    g_assert_cmpint(unlink(file), ==, 0);
    g_assert_true(g_file_set_contents(file, "[connection]\0", 13, NULL));
    g_assert_cmpint(config_load(file, "/nonexistent", on_problem, &p, &c), ==, 0);
    g_assert_nonnull(
        strstr(c.unusable, "agent.conf has NUL bytes, as a power failure leaves them"));
    config_done(&c);
    g_assert_cmpint(chmod(dir, 0755), ==, 0);
    g_assert_cmpint(chmod(file, 0600), ==, 0);
    if (geteuid() == 0)
        g_assert_cmpint(seteuid(65534), ==, 0);
    else
        g_assert_cmpint(chmod(file, 0), ==, 0);
    g_assert_cmpint(config_load(file, "/nonexistent", on_problem, &p, &c), ==, 0);
    if (getuid() == 0)
        g_assert_cmpint(seteuid(0), ==, 0);
    denied = g_strdup_printf("configuration file %s is not readable by user dcm-agent (Permission "
                             "denied); run: chmod 0644 %s",
                             file, file);
    g_assert_cmpstr(c.unusable, ==, denied);
    config_done(&c);
}

/* What it prints it takes, and no password is in it. */
static void test_render(void) {
    Problems p = {};
    Config c = {}, again = {};
    char *text = NULL, *second = NULL;

    g_assert_cmpint(config_init(&c), ==, 0);
    g_assert_cmpint(config_parse(&c, "agent.conf",
                                 "[connection]\nagentmanager_url = wss://m.example.org/x\n"
                                 "proxy = http://user:secret@proxy.example.org:3128\n"
                                 "enrolment_token = the-secret\n"
                                 "allow_unknown_certs = yes\nbackoff = 1500\n"
                                 "[workers]\ncount = 7\n[features]\na = b\n",
                                 on_problem, &p),
                    ==, 0);
    g_assert_cmpint(config_render(&c, &text), ==, 0);
    g_assert_true(g_str_has_prefix(text, "[connection]\nagentmanager_url = wss://m.example.org/x\n"
                                         "ca_cert = None\nallow_unknown_certs = True\n"));
    g_assert_nonnull(strstr(text, "proxy = http://proxy.example.org:3128\n"));
    g_assert_nonnull(strstr(text, "\nbackoff = 1500\n"));
    g_assert_nonnull(strstr(text, "\n\n[workers]\ncount = 7\n"));
    g_assert_true(g_str_has_suffix(text, "\n[features]\na = b\n"));
    g_assert_nonnull(strstr(text, "enrolment_token = (secret)\n"));
    g_assert_null(strstr(text, "the-secret"));
    g_assert_null(strstr(text, ":secret"));
    g_assert_cmpint(config_init(&again), ==, 0);
    g_assert_cmpint(config_render(&again, &second), ==, 0);
    g_assert_nonnull(strstr(second, "agentmanager_url = None\n"));
    config_done(&again);
    config_done(&c);
    free(text);
    free(second);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/config/defaults", test_defaults);
    g_test_add_func("/config/numbers", test_numbers);
    g_test_add_func("/config/bool", test_bool);
    g_test_add_func("/config/texts", test_texts);
    g_test_add_func("/config/paths", test_paths);
    g_test_add_func("/config/syntax", test_syntax);
    g_test_add_func("/config/long-lines", test_long_lines);
    g_test_add_func("/config/long-comment", test_long_comment);
    g_test_add_func("/config/features", test_features);
    g_test_add_func("/config/invalid-utf8", test_invalid_utf8);
    g_test_add_func("/config/load", test_load);
    g_test_add_func("/config/lists", test_lists);
    g_test_add_func("/config/unknown", test_unknown);
    g_test_add_func("/config/misspelt-guards", test_misspelt_guards);
    g_test_add_func("/config/origins", test_origins);
    g_test_add_func("/config/file-bound", test_file_bound);
    g_test_add_func("/config/unreadable", test_unreadable);
    g_test_add_func("/config/render", test_render);
    return g_test_run();
}
