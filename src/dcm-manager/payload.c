/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-manager/payload.h"

#include <gnutls/gnutls.h>

#include "basic/sha256.h"

int payload_add_argument(struct json_object *arguments, const char *text) {
    _cleanup_json_ struct json_object *value = NULL;
    _cleanup_free_ char *name = NULL;
    const char *equals = strchr(text, '=');
    bool is_json = equals && equals > text && equals[-1] == ':';
    size_t size = equals ? (size_t)(equals - text) - is_json : 0;
    int r;

    if (size == 0)
        return -EINVAL;
    name = strndup(text, size);
    if (!name)
        return -ENOMEM;
    if (!is_json)
        return json_add_string(arguments, name, equals + 1);
    r = json_parse(equals + 1, strlen(equals + 1), &value);
    if (r < 0)
        return r == -ENOMEM ? r : -EINVAL;
    return value ? json_add(arguments, name, TAKE_PTR(value)) : json_add_null(arguments, name);
}

int payload_add_script(struct json_object *arguments, const char *data, size_t size) {
    gnutls_datum_t in = {(unsigned char *)data, (unsigned)size}, out = {};
    char checksum[SHA256_HEX_SIZE];
    int r;

    if (size > INT32_MAX)
        return -EFBIG;
    if (gnutls_base64_encode2(&in, &out) < 0)
        return -ENOMEM;
    r = json_add(arguments, "b64script",
                 json_object_new_string_len((const char *)out.data, (int)out.size));
    gnutls_free(out.data);
    if (r < 0)
        return r;
    sha256_hex(data, size, checksum);
    return json_add_string(arguments, "checksum", checksum);
}

int payload_new(const char *command, struct json_object *arguments, bool long_runner,
                struct json_object **ret) {
    _cleanup_json_ struct json_object *o = json_object_new_object(), *a = arguments;
    int r;

    if (!o)
        return -ENOMEM;
    r = json_add_string(o, "command", command) ?: json_add(o, "arguments", TAKE_PTR(a));
    if (r >= 0 && long_runner)
        r = json_add_bool(o, "longer_runner", true);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(o);
    return 0;
}
