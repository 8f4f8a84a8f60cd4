/* SPDX-License-Identifier: Apache-2.0 */
/* The name that was asked for when a volume of Amazon was attached. The kernel gives it another
 * one, and the volume says the first only in its answer to "identify controller". */
#pragma once

#include "volume/facts.h"

#define NVME_IDENTIFY_SIZE 4096

/* Asks an open NVMe disk of Amazon and sets b->wanted_name; leaves other devices alone. */
int nvme_wanted_name(int fd, Block *b);

/* From the answer: the name without /dev/, which may be NULL: it says none. The caller frees. */
int nvme_parse_identify(const uint8_t answer[static NVME_IDENTIFY_SIZE], char **ret);
