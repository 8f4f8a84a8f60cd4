/* SPDX-License-Identifier: Apache-2.0 */
/* Asks dcm-cloud(8), through its socket, who the cloud says this server is. */
#pragma once

#include <systemd/sd-event.h>

#include "system/cloud-identity.h"

#define CLOUD_SOCKET "/run/dcm-cloud.socket"

typedef struct Cloud Cloud;

/* Called once for each question, perhaps before cloud_ask() returns and CLOUD_WAIT_USEC after it at
 * the latest. `answer` is a CloudChange; -ENOENT where there is no dcm-cloud, or another error: the
 * identity stays. */
typedef void (*CloudAnswer)(int answer, void *userdata);

/* While the cloud has told less than it could, it is asked again by and by. The path must outlive
 * it. */
int cloud_new(sd_event *event, const char *socket_path, CloudAnswer on_answer, void *userdata,
              Cloud **ret);
Cloud *cloud_free(Cloud *c);
DEFINE_CLEANUP(Cloud *, cloud_free)

/* A question that is being asked is given up for this one. */
int cloud_ask(Cloud *c);
/* There is a connection: where no cloud was found, the network may have been down. Asks at the
 * first one, and later not more often than each ten minutes. */
void cloud_network_is_up(Cloud *c);
/* All fields are NULL before the first answer. */
const CloudIdentity *cloud_get_identity(const Cloud *c) _pure_;
/* Logs what came, for on_answer. */
void cloud_log(const Cloud *c, int answer);
/* There was an answer, or there will be none soon. */
bool cloud_is_settled(const Cloud *c) _pure_;
