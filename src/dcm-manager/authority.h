/* SPDX-License-Identifier: Apache-2.0 */
/* A certificate authority of one's own, and the certificate of the manager that it signs: P-256,
 * which every agent understands. All texts are PEM, and the caller frees them. */
#pragma once

#include "basic/macro.h"

#define HOST_NAME_SIZE_MAX ((size_t)253)
#define HOST_NAMES_MAX 16u

/* A name of the DNS, perhaps with "*." in front, or an address. */
bool host_name_is_valid(const char *name) _pure_;

/* All return a negative errno; -EBADMSG: a text is none of what it should be; -EKEYREJECTED: key
 * and certificate of the authority do not belong together. */
int authority_make_key(char **ret);
int authority_make_ca(const char *key, const char *name, char **ret);
/* For these names. It is not valid for longer than the authority's own. */
int authority_sign(const char *ca, const char *ca_key, const char *key, const char *const *names,
                   size_t n_names, char **ret);

typedef struct CertificateFacts {
    char *names[HOST_NAMES_MAX]; /* of its subjectAltName, as authority_sign() takes them */
    size_t n_names;
    uint64_t expires_usec; /* CLOCK_REALTIME */
} CertificateFacts;

/* Of the first certificate in the text. */
int certificate_read(const char *certificate, CertificateFacts *ret);
void certificate_facts_done(CertificateFacts *f);
/* Whether `ca` has signed it. */
bool certificate_is_of(const char *certificate, const char *ca);
