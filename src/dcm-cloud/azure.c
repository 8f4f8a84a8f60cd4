/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <unistd.h>

#include "basic/bounds.h"
#include "dcm-cloud/ask.h"

#define QUERY "?api-version=2021-02-01&format=text"

/* Managers know the id derived from the host name; the metadata service's own id is reported in
 * addition. */
int azure_identify(const Provider *p, const Question *q, CloudIdentity *i) {
    _cleanup_free_ char *environment = NULL;
    char name[HOST_NAME_SIZE];
    int r;

    r = ask_id(q,
               &(Path){ask_base(p, q), "/metadata/instance/compute/vmId" QUERY, "Metadata: true"},
               "", &i->vm_id);
    if (r < 0) {
        if (asprintf(&environment, "%s/var/lib/waagent/ovf-env.xml", q->root) < 0)
            return -ENOMEM;
        if (access(environment, F_OK) < 0)
            return r;
    }
    TRY(ask_host_name(name));
    if (asprintf(&i->instance_id, "%s:%s:%s", name, name, name) < 0) {
        i->instance_id = NULL;
        return -ENOMEM;
    }
    return 0;
}

int azure_script(const Provider *p, const Question *q, char **ret, size_t *ret_size) {
    return ask_path(
        q, &(Path){ask_base(p, q), "/metadata/instance/compute/userData" QUERY, "Metadata: true"},
        CLOUD_SCRIPT_MAX, ret, ret_size);
}
