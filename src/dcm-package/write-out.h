/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Has on the disks what packages write to, so that it is still there after a power cut when a reply
 * has said so. What is not is logged. */
void write_out(void);
