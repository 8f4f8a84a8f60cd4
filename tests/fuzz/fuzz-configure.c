/* SPDX-License-Identifier: Apache-2.0 */
/* A request of configure_server. What is accepted has no argument that a program would read as an
 * option, and no file that is empty or has a path as its name. */
#include "configure/plan.h"
#include "fuzz.h"

static void check_plan(const ConfigurePlan *p) {
    CHECK(p->type && p->n_files <= CONFIGURE_FILES_MAX && p->n_arguments > 0);
    CHECK(p->n_arguments <= CONFIGURE_ARGUMENTS_MAX);
    for (size_t i = 0; i < p->n_files; i++)
        CHECK(p->files[i].size > 0 && !strchr(p->files[i].name, '/'));
    for (size_t i = 0; i < p->n_arguments; i++)
        CHECK(p->arguments[i][0] && !strchr(p->arguments[i], '\n'));
    if (strcmp(p->type, "ANSIBLE") == 0)
        CHECK(p->arguments[0][0] != '-' && p->arguments[1][0] != '-' && p->arguments[2][0] != '-');
    for (size_t i = 0; i < p->n_objects; i++)
        CHECK(p->objects[i].bucket[0] && p->objects[i].name[0] && !strchr(p->objects[i].name, '/'));
    CHECK(!p->place == !p->objects);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    _cleanup_json_ struct json_object *o = NULL;
    _cleanup_(configure_plan_done) ConfigurePlan plan = {};
    char *error = NULL;
    int r;

    if (json_parse_small((const char *)data, size, &o) < 0)
        return 0;
    r = configure_plan(o, &plan, &error);
    CHECK(r == 0 || r == -EINVAL);
    CHECK((r == 0) == !error);
    if (r == 0)
        check_plan(&plan);
    free(error);
    return 0;
}
