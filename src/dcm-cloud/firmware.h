/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The cloud that the firmware names (SMBIOS, below /sys/class/dmi/id), as cloud_type_find() has it;
 * NULL: none that we know. */
const char *firmware_find_cloud(const char *root);
