/* SPDX-License-Identifier: Apache-2.0 */
/* What is to be said of a cloud, and each cloud's own file. */
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
