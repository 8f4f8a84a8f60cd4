/* SPDX-License-Identifier: Apache-2.0 */
/* The clouds, and how each is asked who this server is. */
#pragma once

#include "dcm-cloud/question.h"
#include "system/cloud-identity.h"

typedef struct Provider {
    const char *type; /* of cloud_type_find() */
    const char *base; /* of the metadata service; NULL: there is no fixed one */
    /* 0: that cloud it is. Another error: it is not, or does not answer. Called in a thread. */
    int (*identify)(const struct Provider *p, const Question *q, CloudIdentity *ret);
    /* What the server was given to do at its first start. The caller frees. */
    int (*read_script)(const struct Provider *p, const Question *q, char **ret, size_t *ret_size);
} Provider;

/* In the order of preference of the Python agent; those after the last that is worth a probe can be
 * configured only. */
const Provider *providers(size_t *ret_n, size_t *ret_n_probed);
/* NULL: that type has nothing to ask. */
const Provider *provider_find(const char *type);
/* The address of the service, for people; or "". */
const char *provider_address(const Provider *p, const Question *q);
