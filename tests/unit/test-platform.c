/* SPDX-License-Identifier: Apache-2.0 */
/* Proves that the distribution's name and version are found in os-release files as they are
 * shipped, whatever their quotes and order, and are "unknown" where a file does not say them. */
#include <glib.h>

#include "system/platform.h"

static void test_samples(void) {
    static const struct {
        const char *text, *name, *version;
    } cases[] = {
        {"PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nNAME=\"Debian GNU/Linux\"\n"
         "VERSION_ID=\"12\"\nVERSION=\"12 (bookworm)\"\nVERSION_CODENAME=bookworm\nID=debian\n"
         "HOME_URL=\"https://www.debian.org/\"\n",
         "debian", "12"},
        {"PRETTY_NAME=\"Debian GNU/Linux trixie/sid\"\nNAME=\"Debian GNU/Linux\"\nID=debian\n",
         "debian", "unknown"},
        {"PRETTY_NAME=\"Ubuntu 22.04.3 LTS\"\nNAME=\"Ubuntu\"\nVERSION_ID=\"22.04\"\n"
         "VERSION=\"22.04.3 LTS (Jammy Jellyfish)\"\nID=ubuntu\nID_LIKE=debian\n",
         "ubuntu", "22.04"},
        {"NAME=\"Red Hat Enterprise Linux\"\nVERSION=\"9.3 (Plow)\"\nID=\"rhel\"\n"
         "ID_LIKE=\"fedora\"\nVERSION_ID=\"9.3\"\nPLATFORM_ID=\"platform:el9\"\n",
         "rhel", "9.3"},
        {"NAME=\"Fedora Linux\"\nVERSION=\"39 (Cloud Edition)\"\nID=fedora\nVERSION_ID=39\n"
         "VARIANT_ID=cloud\n",
         "fedora", "39"},
        {"NAME=\"CentOS Stream\"\nVERSION=\"9\"\nID=\"centos\"\nID_LIKE=\"rhel fedora\"\n"
         "VERSION_ID=\"9\"\n",
         "centos", "9"},
        {"ID='Debian'\nVERSION_ID='12'", "debian", "12"},
        {"\n\n# a comment\n\n  \nID=debian\n\n\nVERSION_ID=12", "debian", "12"},
        {"#ID=ubuntu\nBUILD_ID=7\nID_LIKE=x\nID=debian\nOLD_VERSION_ID=1\nVERSION_ID=12\n",
         "debian", "12"},
        {"ID=\"debian\nVERSION_ID=12'\n", "\"debian", "12'"},
        {"ID=\"\nVERSION_ID='\n", "\"", "'"},
        {"ID\nVERSION_ID\n", "unknown", "unknown"},
        {"ID=\nVERSION_ID=\"\"\n", "unknown", "unknown"},
        {"ID=de\xff\nVERSION_ID=12\n", "unknown", "12"},
        {"ID", "unknown", "unknown"},
        {"\n", "unknown", "unknown"},
        {"", "unknown", "unknown"},
    };

    for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
        _cleanup_(platform_done) Platform p = {};

        g_assert_cmpint(platform_parse(cases[i].text, &p), ==, 0);
        g_assert_cmpstr(p.name, ==, cases[i].name);
        g_assert_cmpstr(p.version, ==, cases[i].version);
    }
}

static void test_here(void) {
    _cleanup_(platform_done) Platform p = {};

    g_assert_cmpint(platform_read(&p), ==, 0);
    g_assert_nonnull(p.name);
    g_assert_nonnull(p.version);
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/platform/samples", test_samples);
    g_test_add_func("/platform/here", test_here);
    return g_test_run();
}
