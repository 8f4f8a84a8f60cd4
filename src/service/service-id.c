/* SPDX-License-Identifier: Apache-2.0 */
#include "service/service-id.h"

#include <stdio.h>

#include "basic/bounds.h"
#include "basic/utf8.h"
#include "proto/text.h"

#define DIGITS "0123456789"
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

bool service_id_is_valid(const char *s) {
    return s && *s == 'a' && strlen(s) <= SERVICE_ID_MAX &&
           strspn(s, LETTERS DIGITS "._-") == strlen(s);
}

int service_unit_name(const char *id, char **ret) {
    return asprintf(ret, "dcm-service-%s.service", id) < 0 ? -ENOMEM : 0;
}

#define UNIT_BEGINNING "# install_service made this file "

bool service_unit_is_ours(const char *text) {
    return strncmp(text, UNIT_BEGINNING, strlen(UNIT_BEGINNING)) == 0;
}

int service_unit_make(const char *id, const char *directory, const char *user, const char *text,
                      size_t size, char **ret) {
    if (size > SERVICE_UNIT_MAX || !utf8_is_valid(text, size))
        return -EINVAL;
    return asprintf(ret,
                    UNIT_BEGINNING "of dcm-service.unit of the service %s, and replaces it.\n"
                                   "[Unit]\n"
                                   "Description=Service %s of the agent's manager\n"
                                   "RequiresMountsFor=%s\n"
                                   "[Service]\n"
                                   "User=%s\n"
                                   "WorkingDirectory=%s\n"
                                   "[Install]\n"
                                   "WantedBy=multi-user.target\n"
                                   "\n"
                                   "%.*s\n",
                    id, id, directory, user, directory, (int)size, text) < 0
               ? -ENOMEM
               : 0;
}
