/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Gives back what only start-up and TLS handshakes need: free heap, and pages of program text. Text
 * is mapped again, from the page cache, as far as it is used. */
void memory_trim(void);
