/* SPDX-License-Identifier: Apache-2.0 */
/* The places that the arguments of a request name: install_service, install_data_source,
 * backup_data_source and backup_service. Pure functions; secrets are in the arguments as they are
 * after decoding. */
#pragma once

#include "dcm-object/place.h"

typedef enum PlaceRequest {
    PLACE_REQUEST_INSTALL_DATA_SOURCE,
    PLACE_REQUEST_BACKUP_DATA_SOURCE,
    PLACE_REQUEST_BACKUP_SERVICE,
    PLACE_REQUEST_INSTALL_SERVICE,
    _PLACE_REQUEST_MAX,
} PlaceRequest;

typedef struct RequestPlaces {
    Place primary, secondary;
    bool has_secondary;
} RequestPlaces;

/* _PLACE_REQUEST_MAX: the command names no place. */
PlaceRequest place_request_of(const char *command) _pure_;

void request_places_done(RequestPlaces *p);

/* `region` is that of the handshake, or NULL. -EINVAL, -EOPNOTSUPP and *ret_problem as those of
 * place_parse(), for the first place that is wrong. */
int places_of_request(PlaceRequest request, struct json_object *arguments, const char *region,
                      RequestPlaces *ret, char **ret_problem);
