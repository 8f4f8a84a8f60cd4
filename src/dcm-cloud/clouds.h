/* SPDX-License-Identifier: Apache-2.0 */
/* The interface of a cloud, and the functions of each. */
#pragma once

#include "dcm-cloud/question.h"
#include "system/cloud-identity.h"

typedef struct Provider {
    const char *type; /* of cloud_type_find() */
    const char *base; /* of the metadata service; NULL: no fixed address */
    /* 0: the server is in this cloud. Errors: it is not, or the service does not answer. Called in
     * a thread. */
    int (*identify)(const struct Provider *p, const Question *q, CloudIdentity *ret);
    /* The script for the first start of the server. The caller frees it. */
    int (*read_script)(const struct Provider *p, const Question *q, char **ret, size_t *ret_size);
} Provider;

int amazon_identify(const Provider *p, const Question *q, CloudIdentity *i);
int amazon_script(const Provider *p, const Question *q, char **ret, size_t *ret_size);
int google_identify(const Provider *p, const Question *q, CloudIdentity *i);
int google_script(const Provider *p, const Question *q, char **ret, size_t *ret_size);
int digital_ocean_identify(const Provider *p, const Question *q, CloudIdentity *i);
int digital_ocean_script(const Provider *p, const Question *q, char **ret, size_t *ret_size);
int openstack_identify(const Provider *p, const Question *q, CloudIdentity *i);
int openstack_script(const Provider *p, const Question *q, char **ret, size_t *ret_size);
int cloudstack_identify(const Provider *p, const Question *q, CloudIdentity *i);
int cloudstack_script(const Provider *p, const Question *q, char **ret, size_t *ret_size);
int azure_identify(const Provider *p, const Question *q, CloudIdentity *i);
int azure_script(const Provider *p, const Question *q, char **ret, size_t *ret_size);
int joyent_identify(const Provider *p, const Question *q, CloudIdentity *i);
int joyent_script(const Provider *p, const Question *q, char **ret, size_t *ret_size);
int konami_identify(const Provider *p, const Question *q, CloudIdentity *i);
