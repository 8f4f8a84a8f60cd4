/* SPDX-License-Identifier: Apache-2.0 */
/* Proves that alerts are found in the alert file of OSSEC and Wazuh, each with its fields, wherever
 * its bytes are cut off, and that what is not one costs no other. */
#include <glib.h>

#include "alert/log.h"
#include "basic/bounds.h"

#define SSHD                                                                                       \
    "** Alert 1795365577.100: - syslog,sshd,\n"                                                    \
    "2026 Nov 22 00:00:00 host->/var/log/auth.log\n"                                               \
    "Rule: 5716 (level 12) -> 'SSHD authentication failed.'\n"                                     \
    "sample 0\n\n"
#define SSHD_TIME 1795365577100
#define SSHD_MESSAGE "2026 Nov 22 00:00:00 host->/var/log/auth.log\nsample 0\n\n"
#define FACTS                                                                                      \
    "** Alert 1795365578.4711123: mail  - syslog,attacks,\n"                                       \
    "2026 Nov 22 00:00:01 (web) 192.0.2.1->/var/log/auth.log\n"                                    \
    "Rule: 40112 (level 3) -> 'It's a 'quoted' one.'\n"                                            \
    "Src IP: 192.0.2.7\n"                                                                          \
    "Src Port: 4711\n"                                                                             \
    "User: root\n"                                                                                 \
    "line 1\n"                                                                                     \
    "User: not this one\n\n"
#define WAZUH                                                                                      \
    "** Alert 1795365579: - ossec,\n"                                                              \
    "2026 Nov 22 00:00:02 host->ossec-monitord\n"                                                  \
    "Rule: 502 (level 0) -> ''\n"                                                                  \
    "Src IP: (none)\n"                                                                             \
    "User: (none)\n"                                                                               \
    "ossec: started"

static const int levels[] = {12, 3, 12, 0}; /* of SSHD FACTS SSHD WAZUH */

static int take(const char *text, size_t size, bool is_last, size_t *ret_size, LoggedAlert *ret) {
    /* a copy without a NUL: reading on is an error that sanitizers see */
    g_autofree char *copy = size > 0 ? g_memdup2(text, size) : g_malloc(1);

    return alert_log_take(copy, size, false, is_last, ret_size, ret);
}

static void assert_alert(const char *text, bool is_last, size_t expected, LoggedAlert *ret) {
    size_t size = 0;

    g_assert_cmpint(take(text, strlen(text), is_last, &size, ret), ==, 1);
    g_assert_cmpuint(size, ==, expected);
}

static void assert_nothing(const char *text, bool is_last, size_t expected) {
    LoggedAlert a = {};
    size_t size = 4711;

    g_assert_cmpint(take(text, strlen(text), is_last, &size, &a), ==, 0);
    g_assert_cmpuint(size, ==, expected);
    g_assert_null(a.subject);
}

static void assert_broken(const char *text) {
    LoggedAlert a = {};
    size_t size = 0;

    g_assert_cmpint(take(text, strlen(text), true, &size, &a), ==, -EBADMSG);
    g_assert_cmpuint(size, ==, strlen(text));
    g_assert_null(a.message);
}

static void test_fields(void) {
    _cleanup_(logged_alert_done) LoggedAlert a = {}, b = {}, c = {};

    assert_alert(SSHD FACTS, false, strlen(SSHD), &a);
    g_assert_cmpuint(a.alert.time_ms, ==, SSHD_TIME);
    g_assert_cmpint(a.alert.level, ==, 12);
    g_assert_cmpint(a.alert.rule, ==, 5716);
    g_assert_cmpstr(a.alert.subject, ==, "SSHD authentication failed.");
    g_assert_cmpstr(a.alert.message, ==, SSHD_MESSAGE);
    g_assert_null(a.alert.user);
    g_assert_null(a.alert.source_ip);

    assert_alert(FACTS WAZUH, false, strlen(FACTS), &b);
    g_assert_cmpuint(b.alert.time_ms, ==, 1795365578471);
    g_assert_cmpint(b.alert.level, ==, 3);
    g_assert_cmpstr(b.alert.subject, ==, "It's a 'quoted' one.");
    g_assert_cmpstr(b.alert.user, ==, "root");
    g_assert_cmpstr(b.alert.source_ip, ==, "192.0.2.7");
    g_assert_cmpstr(b.alert.message, ==,
                    "2026 Nov 22 00:00:01 (web) 192.0.2.1->/var/log/auth.log\n"
                    "Src IP: 192.0.2.7\nSrc Port: 4711\nUser: root\nline 1\n"
                    "User: not this one\n\n");

    assert_alert(WAZUH, true, strlen(WAZUH), &c);
    g_assert_cmpuint(c.alert.time_ms, ==, 1795365579000);
    g_assert_cmpstr(c.alert.subject, ==, "");
    g_assert_null(c.alert.user);
    g_assert_null(c.alert.source_ip);
}

/* Four of them, with every piece that a reader may get: the same four. */
static void test_pieces(void) {
    static const char text[] = "left over\n" SSHD FACTS SSHD WAZUH;
    size_t size = sizeof(text) - 1;

    for (size_t piece = 1; piece <= size; piece++) {
        size_t end = 0, begin = 0;
        unsigned n = 0;

        while (begin < size) {
            LoggedAlert a = {};
            size_t taken = 0;
            int r;

            r = alert_log_take(text + begin, end - begin,
                               begin > 0 && !alert_log_ends_line(text[begin - 1]), end == size,
                               &taken, &a);
            g_assert_cmpint(r, >=, 0);
            if (r > 0)
                g_assert_cmpint(a.alert.level, ==, levels[n++]);
            logged_alert_done(&a);
            begin += taken;
            if (taken == 0)
                end = MIN(end + piece, size);
        }
        g_assert_cmpuint(n, ==, 4);
    }
}

static void test_waits(void) {
    assert_nothing("", true, 0);
    assert_nothing("** Al", false, 0);
    assert_nothing("** Alert 17", true, 0); /* may be one yet */
    assert_nothing("no\n** Alert 17", true, 3);
    assert_nothing(SSHD, false, 0);
    assert_nothing(SSHD "** Alert 1795", false, 0);
    assert_nothing("a line\n\nanother\n", false, 16);
    assert_nothing("a line that does not en", false, 23);
}

/* A line that only looks like a beginning is part of the alert. */
static void test_false_beginnings(void) {
    _cleanup_(logged_alert_done) LoggedAlert a = {}, b = {};
    static const char text[] = SSHD "** Alert x: no\n** Alert 1.x: no\n ** Alert 1.1: no\n";
    static const char partial[] = SSHD "** Alert 1795";

    assert_alert(text, true, strlen(text), &a);
    g_assert_nonnull(strstr(a.alert.message, "** Alert 1.x: no"));
    assert_alert(partial, true, strlen(SSHD), &b);
    g_assert_cmpstr(b.alert.message, ==, SSHD_MESSAGE);
}

static void test_broken(void) {
    assert_broken("** Alert 1.1: x\n");
    assert_broken("** Alert 1.1:");
    assert_broken("** Alert 1.1: x\ndate\nRule: 1 (level x) -> 'a'\n");
    assert_broken("** Alert 1.1: x\ndate\nRule: 99999999999 (level 1) -> 'a'\n");
    assert_broken("** Alert 1.1: x\ndate\nRule: 1 (level -1) -> 'a'\n");
    assert_broken("** Alert 1.1: x\ndate\nRule: 1 (level 1) -> ");
    assert_nothing("** Alert 1234567890123.1: x\nRule: 1 (level 1) -> 'a'\n", true, 53);
}

/* The rule that cannot be understood does not hide one that can. */
static void test_later_rule(void) {
    _cleanup_(logged_alert_done) LoggedAlert a = {};
    static const char text[] =
        "** Alert 1.1: x\nRule: y\nRule: 7 (level 8) -> 'it'\r\nSrc IP: 192.0.2.1\r\n";

    assert_alert(text, true, strlen(text), &a);
    g_assert_cmpint(a.alert.rule, ==, 7);
    g_assert_cmpstr(a.alert.source_ip, ==, "192.0.2.1");
    g_assert_cmpstr(a.alert.message, ==, "Rule: y\nSrc IP: 192.0.2.1\r\n");
}

static void test_invalid_text(void) {
    static const char text[] = "** Alert 1.1: x\nd\nRule: 7 (level 8) -> '\xff"
                               "a'\nUser: \xc3\n\xe2\x82\0z\n";
    _cleanup_(logged_alert_done) LoggedAlert a = {};
    size_t size;

    g_assert_cmpint(take(text, sizeof(text) - 1, true, &size, &a), ==, 1);
    g_assert_cmpstr(a.alert.subject, ==,
                    "\xef\xbf\xbd"
                    "a");
    g_assert_cmpstr(a.alert.user, ==, "\xef\xbf\xbd");
    g_assert_true(g_utf8_validate(a.alert.message, -1, NULL));
    g_assert_true(g_str_has_suffix(a.alert.message, "z\n"));
}

/* The first ALERT_TEXT_MAX bytes count, however much of it is there; the next alert is found, also
 * where it begins around that place. */
static void test_too_long(void) {
    for (int more = -70; more < 70; more++) {
        g_autoptr(GString) text = g_string_new(SSHD);
        size_t begin = 0, size, n = 0;

        while (text->len < ALERT_TEXT_MAX + (size_t)more - 1)
            g_string_append_c(text, 'x');
        g_string_append(text, "\n" FACTS SSHD);
        while (begin < text->len) {
            LoggedAlert a = {};
            int r;

            r = alert_log_take(text->str + begin, text->len - begin,
                               begin > 0 && text->str[begin - 1] != '\n', true, &size, &a);
            g_assert_cmpint(r, >=, 0);
            g_assert_cmpuint(size, >, 0);
            g_assert_cmpuint(size, <=, ALERT_TEXT_MAX + (r == 0 ? 70 : 0));
            if (r > 0)
                g_assert_cmpint(a.alert.level, ==, levels[n++]);
            logged_alert_done(&a);
            begin += size;
        }
        g_assert_cmpuint(n, ==, 3);
    }
}

/* Found whole or cut off while it was written, it is the same. */
static void test_too_long_is_stable(void) {
    g_autofree char *x = g_strnfill(2 * ALERT_TEXT_MAX, 'x');
    g_autofree char *text = g_strconcat(SSHD, x, "\n", FACTS, NULL);
    char first[SHA256_HEX_SIZE], hash[SHA256_HEX_SIZE];
    size_t size;

    for (size_t n = ALERT_TEXT_MAX + 64; n <= strlen(text); n += 997) {
        LoggedAlert a = {};

        g_assert_cmpint(alert_log_take(text, n, false, n % 2, &size, &a), ==, 1);
        g_assert_cmpuint(size, ==, ALERT_TEXT_MAX);
        alert_hash(&a.alert, n == ALERT_TEXT_MAX + 64 ? first : hash);
        if (n > ALERT_TEXT_MAX + 64)
            g_assert_cmpstr(hash, ==, first);
        logged_alert_done(&a);
    }
}

/* Every alert with that level in the text, however it comes in pieces of that size. */
static unsigned count_level(const char *text, size_t size, size_t piece, int level) {
    size_t begin = 0, end = 0;
    unsigned n = 0;

    while (begin < size) {
        LoggedAlert a = {};
        size_t taken = 0;
        int r;

        r = alert_log_take(text + begin, end - begin,
                           begin > 0 && !alert_log_ends_line(text[begin - 1]), end == size, &taken,
                           &a);
        if (r > 0 && a.alert.level == level) {
            g_assert_cmpuint(a.alert.time_ms, ==, SSHD_TIME);
            /* what is left of a first line belongs to the alert before it */
            g_assert_true(g_str_has_prefix(a.alert.message, SSHD_MESSAGE));
            g_assert_cmpstr(a.alert.subject, ==, "SSHD authentication failed.");
            n++;
        }
        logged_alert_done(&a);
        begin += taken;
        if (taken == 0 && end == size)
            break;
        if (taken == 0)
            end = MIN(end + piece, size);
    }
    return n;
}

/* What was written last is cut off anywhere, with or without NULs in its place, and the next alert
 * follows on the same line: only what was cut off is lost. */
static void test_power_loss(void) {
    static const size_t nuls[] = {0, 1, 2, 511, 4096, 300000};
    static const size_t pieces[] = {1, 7, 100, 1000000};

    for (size_t cut = 0; cut < strlen(FACTS); cut++)
        for (size_t i = 0; i < ELEMENTSOF(nuls); i++)
            for (size_t k = 0; k < ELEMENTSOF(pieces); k++) {
                g_autoptr(GString) text = g_string_new(SSHD);

                if (pieces[k] < 100 && (nuls[i] > 2 || cut % 16 != 0)) /* it takes long */
                    continue;
                if (nuls[i] > 5000 && cut % 64 != 0)
                    continue;
                g_string_append_len(text, FACTS, (gssize)cut);
                for (size_t n = 0; n < nuls[i]; n++)
                    g_string_append_c(text, 0);
                g_string_append(text, SSHD WAZUH);
                g_assert_cmpuint(count_level(text->str, text->len, pieces[k], 12), ==, 2);
            }
}

/* The rest of the alert that was cut off is the end of a file, and the next one comes later. */
static void test_power_loss_at_the_end(void) {
    for (size_t cut = 0; cut < strlen(FACTS); cut++) {
        g_autofree char *first = g_strndup(FACTS, cut), *text = g_strconcat(first, SSHD, NULL);
        bool in_line = cut > 0 && first[cut - 1] != '\n';
        _cleanup_(logged_alert_done) LoggedAlert a = {};
        size_t taken = 0, begin = 0;

        do {
            LoggedAlert lost = {};

            (void)alert_log_take(text + begin, cut - begin, in_line && begin == cut, true, &taken,
                                 &lost);
            logged_alert_done(&lost);
            begin += taken;
        } while (taken > 0 && begin < cut);
        in_line = begin > 0 && text[begin - 1] != '\n';
        for (int r = 0; r != 1; begin += taken) {
            r = alert_log_take(text + begin, strlen(text) - begin, in_line, true, &taken, &a);
            g_assert_cmpuint(taken, >, 0);
            in_line = text[begin + taken - 1] != '\n';
            if (r > 0 && a.alert.level != 12) {
                logged_alert_done(&a);
                r = 0;
            }
        }
        g_assert_cmpstr(a.message, ==, SSHD_MESSAGE);
    }
}

/* Whoever gets a line logged cannot end an alert, or begin one. */
static void test_forged_beginning(void) {
    static const char *const logged[] = {
        "x ** Alert 1.1: - x\n\n",
        "x ** Alert 1.1: - x\nRule: 1 (level 15) -> 'x'\n\n",
        "x ** Alert 1.1: - x 2026 Nov 22 00:00:00 host->x\n\n",
        "x ** Alert 1.1: - x\n2026 Nov 22 00:00\n\n",
        "** Ale** Alert 1.1: - x\n\n",
    };

    for (size_t i = 0; i < ELEMENTSOF(logged); i++) {
        g_autofree char *text = g_strconcat(SSHD, logged[i], FACTS, NULL);
        _cleanup_(logged_alert_done) LoggedAlert a = {}, b = {};
        size_t size;

        g_assert_cmpint(take(text, strlen(text), true, &size, &a), ==, 1);
        g_assert_true(g_str_has_suffix(a.alert.message, logged[i]));
        g_assert_cmpint(take(text + size, strlen(text) - size, true, &size, &b), ==, 1);
        g_assert_cmpint(b.alert.rule, ==, 40112);
    }
}

/* It ends with a whole character, wherever the bound is in it. */
static void test_too_long_characters(void) {
    for (size_t shift = 0; shift < 4; shift++) {
        g_autoptr(GString) text = g_string_new(SSHD);
        _cleanup_(logged_alert_done) LoggedAlert a = {};
        size_t size;

        for (size_t i = 0; i < shift; i++)
            g_string_append_c(text, 'x');
        while (text->len < 2 * ALERT_TEXT_MAX)
            g_string_append(text, "\xf0\x9f\x98\x80");
        g_assert_cmpint(take(text->str, text->len, true, &size, &a), ==, 1);
        g_assert_cmpuint(size, >, ALERT_TEXT_MAX - 4);
        g_assert_true(g_str_has_suffix(a.message, "\xf0\x9f\x98\x80"));
        g_assert_null(strstr(a.message, "\xef\xbf\xbd"));
    }
}

int main(int argc, char *argv[]) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/alert-log/fields", test_fields);
    g_test_add_func("/alert-log/pieces", test_pieces);
    g_test_add_func("/alert-log/waits", test_waits);
    g_test_add_func("/alert-log/false-beginnings", test_false_beginnings);
    g_test_add_func("/alert-log/broken", test_broken);
    g_test_add_func("/alert-log/later-rule", test_later_rule);
    g_test_add_func("/alert-log/invalid-text", test_invalid_text);
    g_test_add_func("/alert-log/too-long", test_too_long);
    g_test_add_func("/alert-log/too-long-is-stable", test_too_long_is_stable);
    g_test_add_func("/alert-log/power-loss", test_power_loss);
    g_test_add_func("/alert-log/power-loss-at-the-end", test_power_loss_at_the_end);
    g_test_add_func("/alert-log/forged-beginning", test_forged_beginning);
    g_test_add_func("/alert-log/too-long-characters", test_too_long_characters);
    return g_test_run();
}
