/* SPDX-License-Identifier: Apache-2.0 */
/* Konami: reads the environment. */
#include <arpa/inet.h>

#include "basic/strv.h"
#include "dcm-cloud/ask.h"

static int take_variable(const char *name, char **ret) {
    const char *value = getenv(name);

    if (isempty(value))
        return 0;
    return cloud_value_is_valid(value) ? free_and_strdup(ret, value) : -EBADMSG;
}

int konami_identify(const Provider *p, const Question *q, CloudIdentity *i) {
    static const char *const names[] = {"DCM_KONAMI_PRIVATE_IP", "DCM_KONAMI_PUBLIC_IP"};
    struct in_addr raw;
    size_t n = 0;
    int r;

    r = take_variable("DCM_KONAMI_INSTANCE_ID", &i->instance_id);
    if (r >= 0)
        r = take_variable("DCM_KONAMI_INJECTED_ID", &i->injected_id);
    if (r < 0)
        return r;
    i->ipv4 = calloc(ELEMENTSOF(names) + 1, sizeof(char *));
    if (!i->ipv4)
        return -ENOMEM;
    for (size_t k = 0; k < ELEMENTSOF(names) && r >= 0; k++) {
        r = take_variable(names[k], &i->ipv4[n]);
        if (r >= 0 && i->ipv4[n] && inet_pton(AF_INET, i->ipv4[n], &raw) != 1)
            r = -EBADMSG;
        if (r >= 0)
            n += !!i->ipv4[n];
        else { /* the agent would reject an answer with such a value */
            free(i->ipv4[n]);
            i->ipv4[n] = NULL;
        }
    }
    if (n == 0) { /* the agent then reports those of the interfaces */
        strv_free(i->ipv4);
        i->ipv4 = NULL;
    }
    return r;
}
