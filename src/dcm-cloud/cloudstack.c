/* SPDX-License-Identifier: Apache-2.0 */
/* CloudStack: its metadata service is on the DHCP server. */
#include <arpa/inet.h>
#include <stdio.h>

#include "basic/bounds.h"
#include "dcm-cloud/ask.h"
#include "dcm-cloud/lease.h"

static int cloudstack_path(const Question *q, const char *path, size_t size_max, char **ret,
                           size_t *ret_size) {
    char server[INET_ADDRSTRLEN], base[sizeof("http://") + INET_ADDRSTRLEN];

    if (q->metadata_url)
        return ask_path(q, &(Path){q->metadata_url, path}, size_max, ret, ret_size);
    TRY(lease_find_server(q->root, server));
    (void)snprintf(base, sizeof(base), "http://%s", server);
    return ask_path(q, &(Path){base, path}, size_max, ret, ret_size);
}

int cloudstack_identify(const Provider *p, const Question *q, CloudIdentity *i) {
    _cleanup_free_ char *text = NULL;
    size_t size = 0;

    TRY(cloudstack_path(q, "/latest/instance-id", CLOUD_BODY_MAX, &text, &size));
    return take_id(text, size, "", &i->instance_id);
}

int cloudstack_script(const Provider *p, const Question *q, char **ret, size_t *ret_size) {
    return cloudstack_path(q, "/latest/user-data", CLOUD_SCRIPT_MAX, ret, ret_size);
}
