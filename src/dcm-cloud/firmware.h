/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The cloud that the firmware names (SMBIOS, below /sys/class/dmi/id), in the spelling of
 * cloud_type_find(); NULL: none or unknown. */
const char *firmware_find_cloud(const char *root);
