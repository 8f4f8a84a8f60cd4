/* SPDX-License-Identifier: Apache-2.0 */
/* Proves which requests about backups are taken, what is said of the others, that the shipped
 * commands and the program have the same arguments, and that a record stays the same in its file.
 */
#include <glib.h>

#include "backup/record.h"
#include "backup/request.h"
#include "backup/schedule.h"
#include "site/command-reader.h"

#define AGE "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"
#define PATHS(more) "{'name':'etc','paths':['/etc']" more "}"

static const struct {
    BackupCommand command;
    const char *request, *problem; /* NULL: none */
} cases[] = {
    {BACKUP_BACKUP_PATHS, PATHS(""), NULL},
    {BACKUP_BACKUP_PATHS, "[]", "not a JSON object"},
    {BACKUP_BACKUP_PATHS, "{}", "name is missing"},
    {BACKUP_BACKUP_PATHS, "{'name':'etc'}", "paths is missing"},
    {BACKUP_BACKUP_PATHS, "{'name':'etc','paths':[]}", "paths is empty"},
    {BACKUP_BACKUP_PATHS, "{'name':'etc','paths':['etc']}", "from the root directory"},
    {BACKUP_BACKUP_PATHS, "{'name':'etc','paths':['/etc/']}", "from the root directory"},
    {BACKUP_BACKUP_PATHS, "{'name':'etc','paths':['//etc']}", "from the root directory"},
    {BACKUP_BACKUP_PATHS, "{'name':'etc','paths':['/etc/../x']}", "from the root directory"},
    {BACKUP_BACKUP_PATHS, "{'name':'etc','paths':['/']}", NULL},
    {BACKUP_BACKUP_PATHS, "{'name':'../x','paths':['/etc']}", "letters, digits"},
    {BACKUP_BACKUP_PATHS, "{'name':'-x','paths':['/etc']}", "letters, digits"},
    {BACKUP_BACKUP_PATHS, "{'name':'','paths':['/etc']}", "name is empty"},
    {BACKUP_BACKUP_PATHS, PATHS(",'recipient':['" AGE "']"), NULL},
    {BACKUP_BACKUP_PATHS, PATHS(",'recipient':['ssh-ed25519 AAAA']"), NULL},
    {BACKUP_BACKUP_PATHS, PATHS(",'recipient':['" AGE "x']"), "begins with age1"},
    {BACKUP_BACKUP_PATHS, PATHS(",'recipient':['-o/etc/passwd']"), "begins with age1"},
    {BACKUP_BACKUP_PATHS, PATHS(",'recipient':['AGE-SECRET-KEY-1ABC']"), "has a secret key"},
    {BACKUP_BACKUP_PATHS, PATHS(",'recipient':'" AGE "'"), "not a list"},
    {BACKUP_BACKUP_PATHS, PATHS(",'compression':'zip'"), "neither ACLs nor hard links"},
    {BACKUP_BACKUP_PATHS, PATHS(",'compression':'lzma'"), "zip, zstd or none"},
    {BACKUP_BACKUP_PATHS, PATHS(",'consistency':'lock'"), "only services can be locked"},
    {BACKUP_BACKUP_PATHS, PATHS(",'consistency':'snapshot'"), NULL},
    {BACKUP_BACKUP_DATA_SOURCE,
     "{'serviceId':'a1','dataSourceName':'x','configuration':'','consistency':'snapshot'}",
     "does not see a snapshot"},
    {BACKUP_BACKUP_PATHS, "{'name':'etc','paths':['/','/etc']}", "give it alone"},
    {BACKUP_BACKUP_PATHS, PATHS(",'retain':{'newest':3,'days':7}"), NULL},
    {BACKUP_BACKUP_PATHS, PATHS(",'retain':{'years':3}"), "newest, days, weeks and months"},
    {BACKUP_BACKUP_PATHS, PATHS(",'retain':{'days':-1}"), "days is no whole number"},
    {BACKUP_BACKUP_PATHS, PATHS(",'retain':{'days':1.5}"), "days is no whole number"},
    {BACKUP_BACKUP_PATHS, PATHS(",'retain':3"), "not an object"},
    {BACKUP_BACKUP_PATHS, PATHS(",'schedule':'daily','schedule_delay':60"), NULL},
    {BACKUP_BACKUP_PATHS, PATHS(",'schedule':''"), "schedule is empty"},
    {BACKUP_BACKUP_PATHS, PATHS(",'schedule':'daily\\nExecStart=x'"), "cannot be printed"},
    {BACKUP_BACKUP_PATHS, PATHS(",'schedule':'%n'"), "no calendar event"},
    {BACKUP_BACKUP_PATHS, PATHS(",'schedule_delay':60"), "needs schedule"},
    {BACKUP_BACKUP_PATHS, PATHS(",'pre':'../x'"), "letters, digits"},
    {BACKUP_BACKUP_PATHS, PATHS(",'colour':1"), "colour is not an argument of backup_paths"},
    {BACKUP_BACKUP_PATHS, PATHS(",'serviceId':'a1'"), "serviceId is not an argument"},
    {BACKUP_BACKUP_DATA_SOURCE, "{'serviceId':'a1','dataSourceName':'x','configuration':''}", NULL},
    {BACKUP_BACKUP_DATA_SOURCE, "{'serviceId':'a1','dataSourceName':'x'}",
     "configuration is missing"},
    {BACKUP_BACKUP_DATA_SOURCE, "{'serviceId':'.','dataSourceName':'x','configuration':''}",
     "letters, digits"},
    {BACKUP_BACKUP_SERVICE, "{'serviceId':'a1','compression':'zip','consistency':'lock'}", NULL},
    {BACKUP_BACKUP_SERVICE, "{'serviceId':'a/1'}", "letters, digits"},
    {BACKUP_INSTALL_DATA_SOURCE, "{'serviceId':'a1','configuration':''}",
     "dataSourceImage is missing"},
    {BACKUP_RESTORE_PATHS, "{'target':'/srv'}", "name and object are missing"},
    {BACKUP_RESTORE_PATHS, "{'target':'/','name':'x'}", "root directory"},
    {BACKUP_RESTORE_PATHS, "{'target':'/srv','name':'x','path':'/etc'}", NULL},
    {BACKUP_RESTORE_DATA_SOURCE, "{'serviceId':'a1'}", "dataSourceName and object are missing"},
    {BACKUP_RESTORE_SERVICE, "{'serviceId':'a1'}", NULL},
    {BACKUP_VERIFY_BACKUP, "{}", "object is missing"},
    {BACKUP_LIST_BACKUPS, "{}", NULL},
    {BACKUP_REMOVE_FORMER, "{}", "either serviceId or target"},
    {BACKUP_REMOVE_FORMER, "{'serviceId':'a1','target':'/x'}", "either serviceId or target"},
    {BACKUP_REMOVE_SCHEDULE, "{}", "name is missing"},
};

static struct json_object *parse(const char *text) {
    g_autofree char *json = g_strdelimit(g_strdup(text), "'", '"');
    struct json_object *o = NULL;

    g_assert_cmpint(json_parse_small(json, strlen(json), &o), ==, 0);
    return o;
}

static void test_cases(void) {
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        _cleanup_json_ struct json_object *o = parse(cases[i].request);
        _cleanup_free_ char *problem = NULL;
        BackupRequest q;
        const int r = backup_request_parse(cases[i].command, o, &q, &problem);

        g_assert_cmpint(r, ==, cases[i].problem ? -EINVAL : 0);
        if (cases[i].problem && !strstr(problem, cases[i].problem))
            g_error("%s: %s", cases[i].request, problem);
        if (r >= 0)
            backup_request_done(&q);
    }
}

/* A secret is not quoted. */
static void test_no_secret_in_words(void) {
    _cleanup_json_ struct json_object *o =
        parse("{'serviceId':'a1','identity':['canary'],'place':{}}");
    _cleanup_free_ char *problem = NULL;
    BackupRequest q;

    g_assert_cmpint(backup_request_parse(BACKUP_RESTORE_SERVICE, o, &q, &problem), ==, -EINVAL);
    g_assert_null(strstr(problem, "canary"));
}

/* Every argument that the agent lets through is known here. */
static void test_shipped_files(void) {
    g_autofree char *directory =
        g_test_build_filename(G_TEST_DIST, "../../scripts/commands.d", NULL);

    for (int c = 0; c < _BACKUP_COMMAND_MAX; c++) {
        _cleanup_json_ struct json_object *o = json_object_new_object();
        _cleanup_free_ char *error = NULL, *problem = NULL;
        CommandFile *f = NULL;
        BackupRequest q;

        g_assert_cmpint(
            command_file_load(directory, backup_command_name((BackupCommand)c), &f, &error), ==, 0);
        g_assert_cmpint(backup_command_of(backup_command_name((BackupCommand)c)), ==, c);
        for (size_t i = 0; i < f->n_arguments; i++)
            g_assert_cmpint(json_add_null(o, f->arguments[i].name), ==, 0);
        (void)backup_request_parse((BackupCommand)c, o, &q, &problem);
        if (problem && strstr(problem, "is not an argument"))
            g_error("%s", problem);
        if (!problem)
            backup_request_done(&q);
        (void)command_file_free(f);
    }
}

static void test_record(void) {
    _cleanup_json_ struct json_object *o = NULL, *again = NULL, *bad = parse("{'object':'x'}");
    RecordCopy copy = {.provider = (char *)"s3", .bucket = (char *)"b", .is_complete = true};
    Record r = {.object = (char *)"o",
                .series = (char *)"paths-x",
                .kind = SERIES_PATHS,
                .outcome = RECORD_COMPLETE,
                .begin_usec = 1,
                .copies = &copy,
                .n_copies = 1};
    Record read = {};

    g_assert_cmpint(record_to_json(&r, &o), ==, 0);
    g_assert_cmpint(record_from_json(o, &read), ==, 0);
    g_assert_cmpint(record_to_json(&read, &again), ==, 0);
    g_assert_true(json_object_equal(o, again));
    g_assert_true(record_copy_is_at(&read.copies[0], &copy));
    record_done(&read);
    g_assert_cmpint(record_from_json(bad, &read), ==, -EBADMSG);
}

static void test_units(void) {
    ScheduleUnits u;

    g_assert_cmpint(schedule_make_units("paths-etc", "Mon..Fri 02:30", 600, "/x/paths-etc.cred",
                                        "/p/dcm-backup", &u),
                    ==, 0);
    g_assert_nonnull(strstr(u.timer, "\nOnCalendar=Mon..Fri 02:30\nRandomizedDelaySec=600s\n"));
    g_assert_nonnull(strstr(u.timer, "\nPersistent=yes\n"));
    g_assert_nonnull(strstr(u.service, "\nLoadCredentialEncrypted=request:/x/paths-etc.cred\n"));
    g_assert_nonnull(strstr(u.service, "\nExecStart=/p/dcm-backup run-schedule paths-etc\n"));
    g_assert_nonnull(strstr(u.service, "\nExecStopPost=/p/dcm-backup ended paths-etc\n"));
    schedule_units_done(&u);
}

int main(int argc, char *argv[]) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/backup/request/cases", test_cases);
    g_test_add_func("/backup/request/secrets", test_no_secret_in_words);
    g_test_add_func("/backup/request/shipped", test_shipped_files);
    g_test_add_func("/backup/record", test_record);
    g_test_add_func("/backup/units", test_units);
    return g_test_run();
}
