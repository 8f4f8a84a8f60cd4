/* SPDX-License-Identifier: Apache-2.0 */
/* Who makes the keys of the SSH server anew. */
#pragma once

#include "dcm-scrub/beneath.h"

/* On Debian nobody does but cloud-init, and sshd does not start without: there the next boot is
 * told to start dcm-host-keys.service before it. Before the keys are removed. */
int host_keys_arrange(const Beneath *b);
