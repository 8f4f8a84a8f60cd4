/* SPDX-License-Identifier: Apache-2.0 */
/* A place: what is accepted is within the bounds and can be made a configuration of rclone's; what
 * is refused has a problem. */
#include "dcm-object/rclone-config.h"
#include "fuzz.h"

static void check(const Place *p) {
    static const uint8_t nonce[RCLONE_NONCE_SIZE] = {1};
    _cleanup_(rclone_config_done) RcloneConfig c = {};
    _cleanup_free_ char *path = NULL;
    int r;

    CHECK(p->kind > PLACE_UNSUPPORTED && p->kind < _PLACE_KIND_MAX && p->bucket);
    CHECK(rclone_path(p, "name", &path) == 0);
    r = rclone_config_make(p, 0, nonce, &c);
    CHECK(r == 0 || r == -EINVAL);
    for (size_t i = 0; i < c.n_env; i++)
        CHECK(strncmp(c.env[i], "RCLONE_CONFIG", 13) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    _cleanup_(place_done) Place p = {};
    _cleanup_free_ char *text = fuzz_text(data, size);
    _cleanup_free_ char *problem = NULL;
    int r;

    r = place_parse(text, size, &p, &problem);
    CHECK(r == 0 || ((r == -EINVAL || r == -EOPNOTSUPP) && problem));
    if (r == 0)
        check(&p);
    return 0;
}
