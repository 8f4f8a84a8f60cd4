/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Keeps the machine from being shut down, by systemd-logind, until the descriptor is closed. -1:
 * there is no logind that could. */
int inhibit_shutdown(const char *why);
