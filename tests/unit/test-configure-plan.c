/* SPDX-License-Identifier: Apache-2.0 */
/* Proves what configure_server makes of its requests, and what is said of those that it refuses. */
#include <glib.h>

#include "configure/plan.h"

#define PUPPET(more) "{'configType':'PUPPET','endpoint':'puppet.example.com'" more "}"
#define ANSIBLE(more)                                                                              \
    "{'configType':'ANSIBLE','repository':'https://git.example.com/x.git'" more "}"
#define SCRIPT(more) "{'configType':'SCRIPT','storageDelegate':'1'" more "}"

static struct json_object *parse(const char *request) {
    g_autofree char *text = g_strdelimit(g_strdup(request), "'", '"');
    struct json_object *o;

    g_assert_cmpint(json_parse(text, strlen(text), &o), ==, 0);
    return o;
}

/* One line: type, arguments, variables, objects; files as @NAME. */
static char *describe(const ConfigurePlan *p) {
    GString *s = g_string_new(p->type);

    for (size_t i = 0; i < p->n_arguments; i++)
        g_string_append_printf(s, " %s", p->arguments[i]);
    for (char **v = p->environment; v && *v; v++)
        g_string_append_printf(s, " %s", *v);
    for (size_t i = 0; i < p->n_objects; i++)
        g_string_append_printf(s, " [%s|%s]", p->objects[i].bucket, p->objects[i].name);
    return g_strdelimit(g_string_free(s, FALSE), (char[]){CONFIGURE_FILE, 0}, '@');
}

static const struct {
    const char *request, *plan;
} good[] = {
    {PUPPET(""), "PUPPET puppet.example.com NULL NULL NULL " PKGLIBDIR "/scripts @puppet.conf"},
    {"{'configType':'puppet','endpoint':'https://a@puppet.example.com:8140/x','configClientName':"
     "'web1','configCert':'C','configKey':'K','configCa':'A','environmentId':'prod'}",
     "PUPPET puppet.example.com @cert.pem @key.pem web1 " PKGLIBDIR "/scripts @puppet.conf "
     "DCM_PUPPET_CA=@ca.pem DCM_PUPPET_ENVIRONMENT=prod"},
    {"{'configType':'Chef'}", "CHEF dcm NULL NULL @first-boot.json NULL NULL NULL NULL"},
    {"{'configType':'CHEF','configClientName':'web1','encryptedAuthSecret':'S','authId':'v',"
     "'endpoint':'https://chef','environmentId':'prod','runListIds':['recipe[a]']}",
     "CHEF dcm web1 @validation.pem @first-boot.json v https://chef prod NULL"},
    {ANSIBLE(""), "ANSIBLE https://git.example.com/x.git NULL NULL"},
    {ANSIBLE(",'branch':'v1','playbook':'a/b.yml','variables':{'x':1},'repositoryToken':'t'"),
     "ANSIBLE https://git.example.com/x.git v1 a/b.yml DCM_ANSIBLE_VARIABLES=@variables.json "
     "DCM_ANSIBLE_TOKEN=@repository.token"},
    {"{'configType':'ANSIBLE','playbookText':'- hosts: all'}", "ANSIBLE NULL NULL @playbook.yml"},
    {"{'configType':'ANSIBLE','repository':'git@host:x.git','repositoryKey':'K','knownHosts':'h'}",
     "ANSIBLE git@host:x.git NULL NULL DCM_ANSIBLE_KEY=@repository.key "
     "DCM_ANSIBLE_KNOWN_HOSTS=@known_hosts"},
    {SCRIPT(",'scriptFiles':['a/b','a/b/c'],'runAsUser':'web','customerId':7"),
     "ENSTRATUS web 7 [a|b] [a/b|c]"},
    {"{'configType':'ENSTRATUS','storageDelegate':14,'scriptFiles':['a/b']}",
     "ENSTRATUS dcm NULL [a|b]"},
};

static void test_good(void) {
    for (size_t i = 0; i < G_N_ELEMENTS(good); i++) {
        _cleanup_json_ struct json_object *o = parse(good[i].request);
        _cleanup_(configure_plan_done) ConfigurePlan plan = {};
        g_autofree char *text = NULL;
        char *error = NULL;

        g_assert_cmpint(configure_plan(o, &plan, &error), ==, 0);
        g_assert_null(error);
        text = describe(&plan);
        g_assert_cmpstr(text, ==, good[i].plan);
    }
}

static const struct {
    const char *request, *error;
} bad[] = {
    {"{}", "configType must be"},
    {"{'configType':'SALT'}", "configType must be"},
    {"{'configType':7}", "configType must be"},
    {"{'configType':'PUPPET'}", "needs an endpoint"},
    {"{'configType':'PUPPET','endpoint':'--server'}", "no name of a host"},
    {"{'configType':'PUPPET','endpoint':'https://'}", "no name of a host"},
    {"{'configType':'PUPPET','endpoint':'a\\nb'}", "control character"},
    {PUPPET(",'configClientName':'Web1'"), "lower case"},
    {PUPPET(",'configClientName':'../x'"), "letters, digits"},
    {PUPPET(",'environmentId':'-x'"), "letters, digits"},
    {PUPPET(",'configCert':'C'"), "belong together"},
    {PUPPET(",'configKey':'K'"), "belong together"},
    {"{'configType':'CHEF','runListIds':'x'}", "no list"},
    {"{'configType':'ANSIBLE'}", "either a repository or playbookText"},
    {ANSIBLE(",'playbookText':'x'"), "either a repository or playbookText"},
    {"{'configType':'ANSIBLE','repository':'ext::sh -c id'}", "repository must be"},
    {"{'configType':'ANSIBLE','repository':'--upload-pack=id'}", "repository must be"},
    {"{'configType':'ANSIBLE','repository':'http://git.example.com/x'}", "changed underway"},
    {"{'configType':'ANSIBLE','repository':'https://a:b@git.example.com/x'}", "repositoryToken"},
    {"{'configType':'ANSIBLE','repository':'ssh://-oProxyCommand=id/x'}", "repository must be"},
    {"{'configType':'ANSIBLE','repository':'-oProxyCommand=id:x'}", "repository must be"},
    {ANSIBLE(",'branch':'--x'"), "no name of a branch"},
    {ANSIBLE(",'playbook':'/etc/x.yml'"), "in the repository"},
    {ANSIBLE(",'playbook':'a/../../x.yml'"), "in the repository"},
    {ANSIBLE(",'playbook':'-e@x'"), "in the repository"},
    {SCRIPT(""), "needs scriptFiles"},
    {SCRIPT(",'scriptFiles':[]"), "needs scriptFiles"},
    {SCRIPT(",'scriptFiles':{}"), "no list"},
    {SCRIPT(",'scriptFiles':['a']"), "without a directory"},
    {SCRIPT(",'scriptFiles':['/a']"), "without a directory"},
    {SCRIPT(",'scriptFiles':['a/']"), "without a directory"},
    {"{'configType':'SCRIPT','scriptFiles':['a/b']}", "needs storageDelegate"},
};

static void test_bad(void) {
    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
        _cleanup_json_ struct json_object *o = parse(bad[i].request);
        _cleanup_(configure_plan_done) ConfigurePlan plan = {};
        char *error = NULL;

        if (configure_plan(o, &plan, &error) != -EINVAL || !strstr(error, bad[i].error))
            g_error("%s: %s", bad[i].request, error ?: "taken");
        free(error);
    }
}

static const char *file(const ConfigurePlan *p, const char *name) {
    for (size_t i = 0; i < p->n_files; i++)
        if (strcmp(p->files[i].name, name) == 0)
            return p->files[i].text;
    return NULL;
}

static void assert_file(const ConfigurePlan *p, const char *name, const char *text) {
    const char *found = file(p, name);

    g_assert_nonnull(found);
    g_assert_cmpmem(found, strlen(text), text, strlen(text));
}

static void test_files(void) {
    _cleanup_json_ struct json_object *o =
        parse(PUPPET(",'configClientName':'web1','configCert':'C\\n','configKey':'K'"));
    _cleanup_json_ struct json_object *chef = parse("{'configType':'CHEF','runListIds':['a','b']}");
    _cleanup_(configure_plan_done) ConfigurePlan plan = {}, chef_plan = {};
    char *error = NULL;

    g_assert_cmpint(configure_plan(o, &plan, &error), ==, 0);
    assert_file(&plan, "cert.pem", "C\n");
    assert_file(&plan, "key.pem", "K\n");
    assert_file(&plan, "puppet.conf", "[agent]\nserver = puppet.example.com\ncertname = web1\n");
    g_assert_cmpint(configure_plan(chef, &chef_plan, &error), ==, 0);
    assert_file(&chef_plan, "first-boot.json", "{\"run_list\":[\"a\",\"b\"]}\n");
}

static void test_place(void) {
    _cleanup_json_ struct json_object *o =
        parse(SCRIPT(",'scriptFiles':['a/b'],'storagePublicKey':'k','storagePrivateKey':'s',"
                     "'storageEndpoint':'e','storageAccount':'c','providerRegionId':'r'"));
    _cleanup_(configure_plan_done) ConfigurePlan plan = {};
    char *error = NULL;

    g_assert_cmpint(configure_plan(o, &plan, &error), ==, 0);
    g_assert_cmpstr(json_to_text(plan.place, NULL), ==,
                    "{\"cloudId\":\"1\",\"region\":\"r\",\"endpoint\":\"e\",\"account\":\"c\","
                    "\"key\":\"k\",\"secret\":\"s\"}");
}

int main(int argc, char *argv[]) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/configure-plan/good", test_good);
    g_test_add_func("/configure-plan/bad", test_bad);
    g_test_add_func("/configure-plan/files", test_files);
    g_test_add_func("/configure-plan/place", test_place);
    return g_test_run();
}
