/* SPDX-License-Identifier: Apache-2.0 */
/* Proves that failures are told apart by logs of rclone 1.60.1 recorded against real servers, that
 * the first known cause counts, that an error in statistics counts, and that no query of a URL is
 * kept. */
#include <glib.h>

#include "dcm-object/evidence.h"

static void read_log(const char *name, Evidence *e) {
    g_autofree char *path = g_test_build_filename(G_TEST_DIST, "object-logs", name, NULL);
    g_autofree char *text = NULL;
    g_auto(GStrv) lines = NULL;

    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    lines = g_strsplit(text, "\n", -1);
    for (char **l = lines; *l; l++)
        evidence_add_line(e, *l, strlen(*l));
}

/* The name of each file begins with the code that it is an example of. */
static void test_recorded(void) {
    g_autofree char *path = g_test_build_filename(G_TEST_DIST, "object-logs", NULL);
    g_autoptr(GDir) directory = g_dir_open(path, 0, NULL);
    const char *name;
    unsigned n = 0;

    g_assert_nonnull(directory);
    while ((name = g_dir_read_name(directory))) {
        g_autofree char *code = g_strndup(name, strcspn(name, "."));
        Evidence e = {};

        read_log(name, &e);
        g_test_message("%s: %s: %s", name, failure_code_name(e.code), e.text);
        g_assert_cmpstr(failure_code_name(e.code), ==, code);
        n++;
    }
    g_assert_cmpuint(n, >=, 20);
}

static void test_texts(void) {
    static const struct {
        const char *text;
        FailureCode code;
    } rows[] = {
        {"RequestTimeTooSkewed: The difference ... status code: 403", FAILURE_CLOCK},
        {"x509: certificate has expired or is not yet valid: ...", FAILURE_CLOCK},
        {"NoSuchBucket: status code: 404", FAILURE_NO_BUCKET},
        {"NoSuchKey: status code: 404", FAILURE_NO_OBJECT},
        {"AccessDenied: status code: 403", FAILURE_FORBIDDEN},
        {"HTTP Error: 507: 507 Insufficient Storage", FAILURE_NO_SPACE_THERE},
        {"x509: certificate signed by unknown authority", FAILURE_WRONG_ENDPOINT},
        {"read tcp 1.2.3.4:5->6.7.8.9:80: i/o timeout", FAILURE_TIMEOUT},
        {"read: connection reset by peer", FAILURE_CUT_OFF},
        {"something else", FAILURE_OTHER},
        {"", FAILURE_OTHER},
    };

    for (size_t i = 0; i < ELEMENTSOF(rows); i++)
        g_assert_cmpint(evidence_classify(rows[i].text), ==, rows[i].code);
}

static void add(Evidence *e, const char *line) {
    evidence_add_line(e, line, strlen(line));
}

static void test_first_known(void) {
    Evidence e = {};

    add(&e, "");
    add(&e, "{\"level\":\"notice\",\"msg\":\"connection refused\"}");
    g_assert_cmpint(e.code, ==, FAILURE_NONE);
    add(&e, "{\"level\":\"error\",\"msg\":\"upload failed\"}");
    g_assert_cmpint(e.code, ==, FAILURE_OTHER);
    add(&e, "{\"level\":\"error\",\"msg\":\"status code: 403\"}");
    add(&e, "{\"level\":\"error\",\"msg\":\"connection refused\"}");
    g_assert_cmpint(e.code, ==, FAILURE_FORBIDDEN);
    g_assert_cmpstr(e.text, ==, "status code: 403");
}

static void test_statistics(void) {
    Evidence e = {};

    add(&e, "{\"level\":\"notice\",\"msg\":\"\",\"stats\":{\"lastError\":\"\"}}");
    add(&e, "{\"level\":\"notice\",\"msg\":\"\",\"stats\":{\"lastError\":7}}");
    add(&e, "{\"level\":7,\"msg\":[],\"stats\":[]}");
    g_assert_cmpint(e.code, ==, FAILURE_NONE);
    add(&e, "{\"level\":\"notice\",\"msg\":\"\",\"stats\":{\"lastError\":\"unexpected EOF\"}}");
    g_assert_cmpint(e.code, ==, FAILURE_CUT_OFF);
}

static void test_no_query(void) {
    static const char *const lines[] = {
        "Put \"https://h/b?sv=1&sig=canary\": connection refused",
        "{\"level\":\"error\",\"msg\":\"Get \\\"http://h/b?sig=canary\\\": EOF\"}",
        "at https://h/?canary",
        "at https://h/?a b://c?canary<",
    };

    for (size_t i = 0; i < ELEMENTSOF(lines); i++) {
        Evidence e = {};

        add(&e, lines[i]);
        g_assert_null(strstr(e.text, "canary"));
        g_assert_nonnull(strstr(e.text, "?..."));
    }
}

static void test_azure(void) {
    Evidence e = {};

    read_log("forbidden.azure-list", &e);
    g_assert_cmpstr(e.text, ==, "AuthorizationFailure");
}

static void test_long(void) {
    g_autofree char *line = g_strnfill(10000, 'x');
    Evidence e = {};

    line[9999] = '\xc3';
    add(&e, line);
    g_assert_cmpuint(strlen(e.text), <, EVIDENCE_TEXT_MAX);
    g_assert_true(g_utf8_validate(e.text, -1, NULL));
}

int main(int argc, char *argv[]) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/object-evidence/recorded", test_recorded);
    g_test_add_func("/object-evidence/texts", test_texts);
    g_test_add_func("/object-evidence/first-known", test_first_known);
    g_test_add_func("/object-evidence/statistics", test_statistics);
    g_test_add_func("/object-evidence/no-query", test_no_query);
    g_test_add_func("/object-evidence/azure", test_azure);
    g_test_add_func("/object-evidence/long", test_long);
    return g_test_run();
}
