/* SPDX-License-Identifier: Apache-2.0 */
#include "basic/bounds.h"
#include "dcm-cloud/ask.h"
#include "dcm-cloud/mdata.h"

int joyent_identify(const Provider *p, const Question *q, CloudIdentity *i) {
    _cleanup_free_ char *text = NULL;
    size_t size = 0;

    TRY(mdata_get(q, "es:dmcm-launch-id", CLOUD_VALUE_MAX, &text, &size));
    TRY(take_line(text, size, &i->instance_id));
    return free_and_strdup(&i->injected_id, i->instance_id);
}

int joyent_script(const Provider *p, const Question *q, char **ret, size_t *ret_size) {
    return mdata_get(q, "user-script", CLOUD_SCRIPT_MAX, ret, ret_size);
}
