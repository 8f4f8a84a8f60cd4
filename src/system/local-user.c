/* SPDX-License-Identifier: Apache-2.0 */
#include "system/local-user.h"

#include <pwd.h>
#include <stdio.h>

#include "basic/macro.h"

int local_user_find(const char *name, uid_t *ret) {
    const struct passwd *p;
    int r = -ENOENT;
    FILE *f;

    f = fopen("/etc/passwd", "re");
    if (!f)
        return errno == ENOENT ? -ENOENT : -errno;
    while (r == -ENOENT && (p = fgetpwent(f)))
        if (streq(p->pw_name, name)) {
            *ret = p->pw_uid;
            r = 0;
        }
    (void)fclose(f);
    return r;
}
