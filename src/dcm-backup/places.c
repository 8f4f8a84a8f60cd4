/* SPDX-License-Identifier: Apache-2.0 */
#include "dcm-backup/places.h"

#include "basic/fd-util.h"
#include "basic/memfd-util.h"

static int take_place(Work *w, Place *p, const char *role) {
    _cleanup_json_ struct json_object *o = NULL;
    Target *t = &w->targets[w->n_targets++];
    const char *text;
    size_t size = 0;
    int r;

    *t = (Target){.place = *p, .place_fd = -1, .role = role};
    *p = (Place){};
    TRY(place_to_json(&t->place, &o));
    text = json_to_text(o, &size);
    if (!text)
        return -ENOMEM;
    r = memfd_new_sealed("dcm-backup-place", text, size, &t->place_fd);
    explicit_bzero((char *)(uintptr_t)text, size);
    return r;
}

static int refuse(Work *w, int r, const char *problem) {
    if (r != -EINVAL && r != -EOPNOTSUPP)
        return r;
    return work_fail(w, r == -EINVAL ? "bad-argument" : "unsupported", "%s", problem);
}

static int read_own(Work *w, const char *key, const char *role) {
    struct json_object *o = json_get(w->arguments, key);
    _cleanup_free_ char *problem = NULL;
    _cleanup_(place_done) Place p = {};
    int r;

    if (!o)
        return 0;
    r = place_from_json(o, &p, &problem);
    return r < 0 ? refuse(w, r, problem) : take_place(w, &p, role);
}

static int read_old(Work *w, PlaceRequest request) {
    _cleanup_(request_places_done) RequestPlaces places = {};
    _cleanup_free_ char *problem = NULL;
    int r;

    r = places_of_request(request, w->arguments, NULL, &places, &problem);
    if (r < 0)
        return refuse(w, r, problem);
    TRY(take_place(w, &places.primary, "primary"));
    return places.has_secondary ? take_place(w, &places.secondary, "secondary") : 0;
}

static int read_by_command(Work *w) {
    switch (w->request.command) {
    case BACKUP_INSTALL_DATA_SOURCE:
        return read_old(w, PLACE_REQUEST_INSTALL_DATA_SOURCE);
    case BACKUP_BACKUP_DATA_SOURCE:
        return read_old(w, PLACE_REQUEST_BACKUP_DATA_SOURCE);
    case BACKUP_BACKUP_SERVICE:
        return read_old(w, PLACE_REQUEST_BACKUP_SERVICE);
    default:
        return 0;
    }
}

/* They would be ignored. */
static int refuse_old_second(Work *w) {
    json_object_object_foreach(w->arguments, key, value) {
        if (value && strncmp(key, "secondary", strlen("secondary")) == 0)
            return work_fail(w, "bad-argument",
                             "%s: where place is given, give second_place for the second copy",
                             key);
    }
    return 0;
}

int places_read(Work *w) {
    if (json_get(w->arguments, "place"))
        TRY(refuse_old_second(w));
    if (!json_get(w->arguments, "place"))
        TRY(read_by_command(w));
    else
        TRY(read_own(w, "place", "primary"));
    if (w->n_targets >= BACKUP_TARGETS_MAX && json_get(w->arguments, "second_place"))
        return work_fail(w, "bad-argument", "second_place: the request has a second copy already");
    if (w->n_targets == 0 && json_get(w->arguments, "second_place"))
        return work_fail(w, "bad-argument", "second_place is given, but place is missing");
    return read_own(w, "second_place", "secondary");
}

int places_need(Work *w) {
    return w->n_targets > 0 ? 0 : work_fail(w, "bad-argument", "place is missing");
}
