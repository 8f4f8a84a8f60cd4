/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>

#include "basic/bounds.h"
#include "dcm-cloud/ask.h"

int digital_ocean_identify(const Provider *p, const Question *q, CloudIdentity *i) {
    const char *base = ask_base(p, q);

    TRY(ask_id(q, &(Path){base, "/metadata/v1/id"}, "", &i->instance_id));
    TRY(ask_address(q, &(Path){base, "/metadata/v1/interfaces/public/0/ipv4/address"}, AF_INET,
                    &i->ipv4));
    return ask_address(q, &(Path){base, "/metadata/v1/interfaces/public/0/ipv6/address"}, AF_INET6,
                       &i->ipv6);
}

int digital_ocean_script(const Provider *p, const Question *q, char **ret, size_t *ret_size) {
    return ask_path(q, &(Path){ask_base(p, q), "/metadata/v1/user-data"}, CLOUD_SCRIPT_MAX, ret,
                    ret_size);
}
