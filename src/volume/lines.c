/* SPDX-License-Identifier: Apache-2.0 */
#include "volume/lines.h"

#include "volume/refuse.h"

/* 15 s lost volumes whose array came up degraded, after 30 s, or whose unlocking took long */
#define FSTAB_OPTIONS "defaults,nofail,x-systemd.device-timeout=90s"

int lines_fstab_options(const VolumeRequest *q, bool noauto, char **ret) {
    return text_format(ret, FSTAB_OPTIONS "%s%s%s", noauto ? ",noauto" : "", q->options ? "," : "",
                       strempty(q->options));
}

/* Without a key at boot the unit must neither be started then nor ask anybody; with one it must be
 * started by itself, because the line of fstab(5) names the file system, not the mapping. With
 * headless=true systemd 252 does not look at the credential. */
const char *lines_crypttab_options(bool unlock_at_boot) {
    return unlock_at_boot ? "luks,nofail" : "luks,noauto,nofail,headless=true";
}
