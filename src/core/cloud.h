/* SPDX-License-Identifier: Apache-2.0 */
/* Queries dcm-cloud(8), through its socket, for the identity of this server in the cloud. */
#pragma once

#include <systemd/sd-event.h>

#include "system/cloud-identity.h"

#define CLOUD_SOCKET "/run/dcm-cloud.socket"

typedef struct Cloud Cloud;

/* Called once for each query, possibly before cloud_ask() returns, and at the latest after
 * CLOUD_WAIT_USEC. `answer` is a CloudChange; or -ENOENT without dcm-cloud, or another error, and
 * then the identity stays. */
typedef void (*CloudAnswer)(int answer, void *userdata);

/* Repeats the query at growing intervals while the cloud reports less than it could. The path must
 * outlive it. */
int cloud_new(sd_event *event, const char *socket_path, CloudAnswer on_answer, void *userdata,
              Cloud **ret);
Cloud *cloud_free(Cloud *c);
DEFINE_CLEANUP(Cloud *, cloud_free)

/* Cancels a pending query. */
int cloud_ask(Cloud *c);
/* Call it when a connection opens: if no cloud was found, the network may have been down. Queries
 * at the first connection, and later at most every ten minutes. */
void cloud_network_is_up(Cloud *c);
/* All fields are NULL before the first answer. */
const CloudIdentity *cloud_get_identity(const Cloud *c) _pure_;
/* Logs the result, for on_answer. */
void cloud_log(const Cloud *c, int answer);
/* There was an answer, or none is expected soon. */
bool cloud_is_settled(const Cloud *c) _pure_;
