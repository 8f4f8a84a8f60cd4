/* SPDX-License-Identifier: Apache-2.0 */
#include "basic/bounds.h"
#include "dcm-cloud/ask.h"
#include "proto/json.h"

int openstack_identify(const Provider *p, const Question *q, CloudIdentity *i) {
    _cleanup_json_ struct json_object *o = NULL;
    _cleanup_free_ char *text = NULL;
    const char *id;
    size_t size = 0;

    TRY(ask_path(q, &(Path){ask_base(p, q), "/openstack/latest/meta_data.json"}, CLOUD_BODY_MAX,
                 &text, &size));
    TRY(json_parse_small(text, size, &o));
    id = json_get_string(o, "uuid");
    return id ? take_id(id, strlen(id), "", &i->instance_id) : -EBADMSG;
}

int openstack_script(const Provider *p, const Question *q, char **ret, size_t *ret_size) {
    return ask_path(q, &(Path){ask_base(p, q), "/openstack/latest/user_data"}, CLOUD_SCRIPT_MAX,
                    ret, ret_size);
}
