/* SPDX-License-Identifier: Apache-2.0 */
/* A file of commands.d: it is either taken or told why not. */
#include "command/command-file.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    _cleanup_free_ char *text = strndup((const char *)data, size), *error = NULL;
    CommandFile *f = NULL;
    JobLimits limits;
    int r;

    CHECK(text);
    r = command_file_parse("fuzz", text, &f, &error);
    CHECK((r == -EINVAL) == (error != NULL));
    CHECK((r == 0) == (f != NULL));
    if (f) {
        CHECK(f->name && f->help && (!f->script) == (f->worker != NULL));
        command_file_get_limits(f, &limits);
        for (size_t i = 0; i < f->n_arguments; i++)
            CHECK(command_name_is_valid(f->arguments[i].name));
    }
    command_file_free(f);
    return 0;
}
