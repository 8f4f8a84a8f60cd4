/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/job-arguments.h"

#include <unistd.h>

#include "basic/bounds.h"
#include "basic/file-util.h"
#include "basic/log.h"

int job_arguments_read(struct json_object **ret) {
    _cleanup_json_ struct json_object *o = NULL;
    _cleanup_free_ char *text = NULL;
    size_t size = 0;
    int r;

    r = read_fd(STDIN_FILENO, JOB_INPUT_MAX, &text, &size);
    if (r >= 0)
        r = json_parse(text, size, &o);
    if (text)
        explicit_bzero(text, size);
    if (r >= 0 && !json_object_is_type(o, json_type_object))
        r = -EBADMSG;
    if (r < 0)
        return log_error_errno(r, "Standard input is no JSON object with arguments: %m");
    *ret = TAKE_PTR(o);
    return 0;
}
