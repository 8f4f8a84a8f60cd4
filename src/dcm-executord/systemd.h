/* SPDX-License-Identifier: Apache-2.0 */
/* Where systemd is on the bus. */
#pragma once

#define SYSTEMD_NAME "org.freedesktop.systemd1"
#define SYSTEMD_PATH "/org/freedesktop/systemd1"
#define SYSTEMD_INTERFACE "org.freedesktop.systemd1.Manager"
