/* SPDX-License-Identifier: Apache-2.0 */
/* Names of services. */
#pragma once

#include "basic/macro.h"

/* Begins with the letter a, has letters, digits, dots, dashes and underscores, and at most
 * SERVICE_ID_MAX of them: a file's name that is no path, and part of a unit's name. */
bool service_id_is_valid(const char *s) _pure_;

/* "dcm-service-ID.service"; the caller frees. */
int service_unit_name(const char *id, char **ret);

/* The unit of a service that ships one: what holds unless its own text says otherwise, and that
 * text. -EINVAL: it is no text, or longer than SERVICE_UNIT_MAX. The caller frees. */
int service_unit_make(const char *id, const char *directory, const char *user, const char *text,
                      size_t size, char **ret);

/* Whether the text of a unit's file is one that service_unit_make() has made. */
bool service_unit_is_ours(const char *text) _pure_;
