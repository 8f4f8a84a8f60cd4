/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Returns memory to the system that only start-up and TLS handshakes need: free heap, and pages of
 * program text. The kernel maps text pages again from the page cache when they are used. */
void memory_trim(void);
