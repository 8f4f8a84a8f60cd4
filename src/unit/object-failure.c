/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/object-failure.h"

#include "proto/json.h"

int object_failure(const ProgramResult *result, char **ret) {
    _cleanup_json_ struct json_object *o = NULL;
    const char *text = NULL;

    if (result->out && json_parse_small(result->out, result->out_size, &o) >= 0 && o)
        text = json_get_string(o, "text");
    *ret = strdup(text ?: strempty(result->err));
    return *ret ? 0 : -ENOMEM;
}
