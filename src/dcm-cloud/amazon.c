/* SPDX-License-Identifier: Apache-2.0 */
/* Amazon: IMDSv2, or else v1. */
#include <arpa/inet.h>
#include <stdio.h>

#include "basic/bounds.h"
#include "dcm-cloud/ask.h"
#include "dcm-cloud/http.h"

#define TOKEN_HEADER "X-aws-ec2-metadata-token: "
#define TOKEN_HEADER_SIZE (sizeof(TOKEN_HEADER) + CLOUD_VALUE_MAX)

/* Leaves `header` empty if the service has no tokens. */
static int amazon_token(const char *base, const Question *q,
                        char header[static TOKEN_HEADER_SIZE]) {
    _cleanup_free_ char *url = NULL, *token = NULL;
    int r;

    if (asprintf(&url, "%s/latest/api/token", base) < 0)
        return -ENOMEM;
    r = http_ask(
        &(const HttpRequest){
            .url = url,
            .method = "PUT",
            .headers = {"X-aws-ec2-metadata-token-ttl-seconds: 60"},
            .size_max = CLOUD_VALUE_MAX,
        },
        q->deadline_usec, &token, NULL);
    if (r >= 0 && cloud_value_is_valid(token))
        (void)snprintf(header, TOKEN_HEADER_SIZE, TOKEN_HEADER "%s", token);
    /* if the service is unreachable, v1 would fail too */
    return r == -ENOMEM || r == -ECONNREFUSED || r == -EHOSTUNREACH ? r : 0;
}

int amazon_identify(const Provider *p, const Question *q, CloudIdentity *i) {
    const char *base = ask_base(p, q);
    char header[TOKEN_HEADER_SIZE] = "";

    TRY(amazon_token(base, q, header));
    TRY(ask_id(q, &(Path){base, "/latest/meta-data/instance-id", header}, "i-", &i->instance_id));
    TRY(ask_optional(q, &(Path){base, "/latest/meta-data/es:dmcm-launch-id", header},
                     &i->injected_id));
    return ask_address(q, &(Path){base, "/latest/meta-data/local-ipv4", header}, AF_INET, &i->ipv4);
}

int amazon_script(const Provider *p, const Question *q, char **ret, size_t *ret_size) {
    const char *base = ask_base(p, q);
    char header[TOKEN_HEADER_SIZE] = "";
    int r;

    r = amazon_token(base, q, header);
    return r < 0 ? r
                 : ask_path(q, &(Path){base, "/latest/user-data", header}, CLOUD_SCRIPT_MAX, ret,
                            ret_size);
}
