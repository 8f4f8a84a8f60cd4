/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-cloud/identify.h"

#include <pthread.h>
#include <stdio.h>

#include "dcm-cloud/firmware.h"
#include "dcm-cloud/http.h"

#define PROBES_MAX 8

typedef struct Probe {
    const Provider *provider;
    const Question *question;
    CloudIdentity identity;
    pthread_t thread;
    int error;
    bool started;
} Probe;

static int note_problem(const Provider *p, const Question *q, int error, CloudIdentity *i) {
    const char *address = provider_address(p, q);

    if (asprintf(&i->problem, "%s's metadata service%s%s %s", p->type, isempty(address) ? "" : " ",
                 address, http_strerror(error)) >= 0)
        return 0;
    i->problem = NULL;
    return -ENOMEM;
}

/* Queries a cloud that is known to be the right one. */
static int identify_by(const Provider *p, const Question *q, CloudIdentity *i) {
    int r;

    r = p->identify(p, q, i);
    if (r == -ENOMEM)
        return r;
    return r < 0 ? note_problem(p, q, r, i) : 0;
}

static void *probe(void *userdata) {
    Probe *p = userdata;

    p->error = p->provider->identify(p->provider, p->question, &p->identity);
    return NULL;
}

/* Takes the first cloud that returned an id, even if other values are missing. */
static int take_first(Probe *probes, size_t n, CloudIdentity *ret) {
    for (size_t i = 0; i < n; i++) {
        Probe *p = &probes[i];

        if (!p->started || !p->identity.instance_id)
            continue;
        TRY(p->error < 0 ? note_problem(p->provider, p->question, p->error, &p->identity) : 0);
        TRY(free_and_strdup(&p->identity.type, p->provider->type));
        *ret = p->identity;
        p->identity = (CloudIdentity){};
        return 0;
    }
    return free_and_strdup(&ret->type, "UNKNOWN");
}

/* Queries in parallel, because each query may use the whole time limit. */
static int probe_all(const Question *q, CloudIdentity *ret) {
    Probe probes[PROBES_MAX] = {};
    const Provider *all;
    size_t n, n_all;
    int r;

    all = providers(&n_all, &n);
    n = MIN(n, (size_t)PROBES_MAX);
    for (size_t i = 0; i < n; i++) {
        probes[i] = (Probe){.provider = &all[i], .question = q};
        probes[i].started = pthread_create(&probes[i].thread, NULL, probe, &probes[i]) == 0;
    }
    for (size_t i = 0; i < n; i++)
        if (probes[i].started)
            (void)pthread_join(probes[i].thread, NULL);
    r = take_first(probes, n, ret);
    for (size_t i = 0; i < n; i++)
        cloud_identity_done(&probes[i].identity);
    return r;
}

int identify(const char *type, const Question *q, CloudIdentity *ret) {
    _cleanup_(cloud_identity_done) CloudIdentity i = {};
    const Provider *p;
    int r;

    type = type ?: firmware_find_cloud(q->root);
    if (!type)
        return probe_all(q, ret);
    r = free_and_strdup(&i.type, type);
    p = provider_find(type);
    if (r >= 0 && p)
        r = identify_by(p, q, &i);
    if (r < 0)
        return r;
    *ret = i;
    i = (CloudIdentity){};
    return 0;
}

int identify_script(const char *type, const Question *q, char **ret, size_t *ret_size) {
    _cleanup_(cloud_identity_done) CloudIdentity i = {};
    const Provider *p;

    TRY(identify(type, q, &i));
    p = provider_find(i.type);
    return p && p->read_script ? p->read_script(p, q, ret, ret_size) : -ENODATA;
}
