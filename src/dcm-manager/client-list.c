/* SPDX-License-Identifier: Apache-2.0 */
/* Agents and targets come in their order; of all else the newest rows come first, and those before
 * them follow. */
#include "dcm-manager/client-list.h"

#include "dcm-manager/limits.h"
#include "dcm-manager/options.h"

static int append_rows(struct json_object *list, struct json_object *more) {
    for (size_t i = 0; i < json_object_array_length(more); i++) {
        struct json_object *row = json_object_get(json_object_array_get_idx(more, i));

        if (json_object_array_add(list, row) < 0) {
            (void)json_object_put(row);
            return EXIT_OTHER;
        }
    }
    return 0;
}

/* The parts are kept, and joined at the end: each row is moved once. */
static int join(struct json_object *answer, const char *name, struct json_object *parts,
                bool is_reversed) {
    struct json_object *list = json_object_new_array();
    size_t n = json_object_array_length(parts);
    int r = list ? 0 : EXIT_OTHER;

    for (size_t i = 0; i < n && r == 0; i++)
        r = append_rows(list, json_object_array_get_idx(parts, is_reversed ? n - 1 - i : i));
    if (r == 0)
        r = json_object_object_add(answer, name, json_object_get(list)) < 0 ? EXIT_OTHER : 0;
    (void)json_object_put(list);
    return r;
}

static struct json_object *make_request(const char *method, const char *key, const char *value,
                                        struct json_object *next, size_t n) {
    struct json_object *request = client_request(method);

    if (request && ((value && json_add_string(request, key, value) < 0) ||
                    (n > 0 && json_add_int(request, "n", (int64_t)n) < 0) ||
                    json_add(request, "after", json_object_get(next)) < 0)) {
        (void)json_object_put(request);
        return NULL;
    }
    return request;
}

static int keep(struct json_object *parts, struct json_object *list, size_t *n) {
    *n += json_object_array_length(list);
    if (json_object_array_add(parts, json_object_get(list)) == 0)
        return 0;
    (void)json_object_put(list);
    return EXIT_OTHER;
}

int client_call_rest(Client *client, const char *method, const char *key, const char *value,
                     unsigned lines, struct json_object *answer) {
    const char *name = streq(method, "log") ? "lines" : method;
    const bool is_whole =
        streq(method, "agents") || streq(method, "waiting") || streq(method, "targets");
    _cleanup_json_ struct json_object *parts = json_object_new_array(),
                                      *next = json_object_get(json_get(answer, "next"));
    size_t wanted = is_whole ? SIZE_MAX : lines == 0 ? CONTROL_LOG_LINES_MAX : lines, n = 0;
    int r;

    if (!next || (!is_whole && lines == LINES_PRESET))
        return 0;
    r = parts ? keep(parts, json_get(answer, name), &n) : EXIT_OTHER;
    while (r == 0 && next && n < wanted) {
        _cleanup_json_ struct json_object *more = NULL;

        r = client_call(client, make_request(method, key, value, next, is_whole ? 0 : wanted - n),
                        &more);
        if (r == 0)
            r = keep(parts, json_get(more, name), &n);
        (void)json_object_put(next);
        next = r == 0 ? json_object_get(json_get(more, "next")) : NULL;
    }
    return r == 0 ? join(answer, name, parts, !is_whole) : r;
}
