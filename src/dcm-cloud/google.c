/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "basic/bounds.h"
#include "dcm-cloud/ask.h"

#define GOOGLE_MARK "Metadata-Flavor: Google" /* in the request and in the response */

int google_identify(const Provider *p, const Question *q, CloudIdentity *i) {
    const char *base = ask_base(p, q);
    char name[HOST_NAME_SIZE] = "";
    _cleanup_free_ char *id = NULL;
    int r;

    r = ask_host_name(name);
    if (r >= 0)
        r = ask_id(q, &(Path){base, "/computeMetadata/v1/instance/id", GOOGLE_MARK, GOOGLE_MARK},
                   "", &id);
    if (r >= 0 && asprintf(&i->instance_id, "%s_%s", name, id) < 0) {
        i->instance_id = NULL;
        return -ENOMEM;
    }
    if (r >= 0)
        r = ask_optional(q,
                         &(Path){base, "/computeMetadata/v1/instance/attributes/es-dmcm-launch-id",
                                 GOOGLE_MARK, GOOGLE_MARK},
                         &i->injected_id);
    return r;
}

int google_script(const Provider *p, const Question *q, char **ret, size_t *ret_size) {
    return ask_path(q,
                    &(Path){ask_base(p, q),
                            "/computeMetadata/v1/instance/attributes/startup-script", GOOGLE_MARK,
                            GOOGLE_MARK},
                    CLOUD_SCRIPT_MAX, ret, ret_size);
}
